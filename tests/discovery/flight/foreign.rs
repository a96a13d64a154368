//! Code of others that is called on the way: it panics, or it looks at the handle.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Poll},
    thread,
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::{join_all, poll_immediate};
use http::Request;
use http_body_util::Full;
use tokio::{
    runtime::{Builder, Runtime},
    time::sleep,
};
use tower::{Layer, Service, ServiceExt};
use tower_failover::{BoxError, Budget, Handle, Health, RegionList, replay::ReplayBody};

use crate::support::*;

const S: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_costs_no_call_its_own_answer() {
    let world = World::default();
    world.on("a", Act::Status(503));
    let (discovery, asked) = source(|_| async {
        sleep(S).await;
        panic!("a panic of the source");
    });
    let client = world.client(&layer_of(discovery).budget(Budget::unlimited()));
    let calls = join_all((0..3).map(|_| head_of(&client, get_of("a")))).await;
    for response in calls {
        assert_eq!(response.unwrap().status(), 503);
    }
    assert_eq!((world.log(), asked.count()), (vec!["a".to_owned(); 3], 1));
    // A failure as any other: it is left alone, and tried again.
    for (pause, count) in [(Duration::ZERO, 1), (15 * S, 2)] {
        sleep(pause).await;
        let response = head_of(&client, get_of("a")).await;
        assert_eq!(response.unwrap().status(), 503);
        assert_eq!(asked.count(), count);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_panics_while_others_look_leaves_none_of_them_waiting() {
    let world = World::default();
    world.on("a", Act::Status(503));
    let (entered, has_entered) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Arc::new(std::sync::Mutex::new(may_go));
    let (discovery, asked) = source(move |n| {
        let (entered, may_go) = (entered.clone(), may_go.clone());
        async move {
            if n == 0 {
                // Blocks whoever polls it.
                entered.send(()).unwrap();
                may_go.lock().unwrap().recv_timeout(PATIENCE).unwrap();
                panic!("a panic of the source");
            }
            Ok::<RegionList, BoxError>(regions_of(&["a", "b"]))
        }
    });
    let layer = layer_of(discovery.timeout(PATIENCE));
    let client = world.client(&layer);
    let call = tokio::spawn({
        let client = client.clone();
        async move { head_of(&client, get_of("a")).await }
    });
    let entering = tokio::task::spawn_blocking(move || has_entered.recv_timeout(PATIENCE));
    entering.await.unwrap().unwrap();
    let mut joined = layer.handle().refresh(origin("a"));
    assert!(poll_immediate(&mut joined).await.is_none());
    go.send(()).unwrap();
    let joined = tokio::time::timeout(PATIENCE / 2, joined).await;
    joined.expect("an end of it").unwrap_err();
    assert_eq!(call.await.unwrap().unwrap().status(), 503);
    assert_eq!(asked.count(), 1);
    layer.handle().refresh(origin("a")).await.unwrap();
    assert_eq!(asked.count(), 2);
}

fn paused() -> Runtime {
    let mut runtime = Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build().unwrap()
}

/// Fails where there is a deadlock, rather than hang.
fn without_deadlock<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let (sender, end) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        paused().block_on(test());
        drop(sender);
    });
    let timeout = end.recv_timeout(PATIENCE).unwrap_err();
    assert_eq!(timeout, mpsc::RecvTimeoutError::Disconnected, "a deadlock");
    thread.join().unwrap();
}

#[test]
fn a_subscriber_may_look_at_the_handle_at_each_event() {
    without_deadlock(|| async {
        let world = World::default();
        let list = listing("max-age=60", &[&*origin("b"), "https://evil.com"]);
        world.on("a", Act::Status(503)).on("a?", list);
        let layer = layer().health(Health::default().consecutive(1));
        let handle = layer.handle();
        let events = Events::capture_and({
            let handle = handle.clone();
            move || drop(handle.snapshot())
        });
        let response = head_of(&world.client(&layer), get_of("a")).await;
        assert_eq!(response.unwrap().status(), 200);
        handle.set_regions(origin("a"), regions_of(&["c"])).unwrap();
        world.on("?", Act::Status(500)).on("a?", Act::Status(500));
        handle.refresh(origin("a")).await.unwrap_err();
        let lines = events.take();
        for message in [
            "attempt failed",
            "region ejected",
            "region refused",
            "regions refreshed",
            "failing over",
            "discovery failed",
        ] {
            let is_there = lines.iter().any(|line| line.message == message);
            assert!(is_there, "{message} in {lines:?}");
        }
    });
}

/// A client that looks at a handle when it is dropped.
#[derive(Clone)]
struct Looking {
    world: World,
    handle: Arc<OnceLock<Handle>>,
    looks: Arc<AtomicUsize>,
}

impl Drop for Looking {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.get() {
            handle.snapshot();
            self.looks.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Service<Request<ReplayBody<Full<Bytes>>>> for Looking {
    type Response = <World as Service<Request<ReplayBody<Full<Bytes>>>>>::Response;
    type Error = BoxError;
    type Future = <World as Service<Request<ReplayBody<Full<Bytes>>>>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReplayBody<Full<Bytes>>>) -> Self::Future {
        self.world.answer(request)
    }
}

#[test]
fn a_client_may_look_at_the_handle_when_it_is_dropped() {
    without_deadlock(|| async {
        let world = World::default();
        world
            .on("a", Act::Status(503))
            .on("a?", after(S, Act::List(&["a", "b"])));
        let layer = layer().budget(Budget::unlimited());
        let looking = Looking {
            world: world.clone(),
            handle: Arc::default(),
            looks: Arc::default(),
        };
        let (handle, looks) = (looking.handle.clone(), looking.looks.clone());
        let client = layer.layer(looking);
        handle.set(layer.handle()).unwrap();
        // The second finds a fetch, and has no use for the client that it brought.
        for response in join_all((0..2).map(|_| client.clone().oneshot(get_of("a")))).await {
            assert_eq!(response.unwrap().status(), 200);
        }
        assert_eq!((world.count("a?"), world.count("b")), (1, 2));
        assert!(looks.load(Ordering::Relaxed) > 0);
        drop((client, layer));
    });
}
