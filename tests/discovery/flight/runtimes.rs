//! Calls of several runtimes that share a fetch. Its timers belong to the one in which it was begun.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use futures_util::future::poll_immediate;
use tokio::{
    runtime::{Builder, Runtime},
    sync::Semaphore,
    task::{JoinHandle, yield_now},
    time::timeout,
};
use tower_failover::{Failover, Health, RegionList};

use crate::support::*;

const S: Duration = Duration::from_secs(1);

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A runtime that runs by itself.
fn a_thread_of_its_own() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

/// Hosts of which `a` fails.
fn failing() -> World {
    let world = World::default();
    world.on("a", Act::Status(503));
    world
}

/// A client whose discovery never answers.
fn hanging() -> (Failover<World>, Asked) {
    let (discovery, asked) = source(|_| std::future::pending());
    (failing().client(&layer_of(discovery.timeout(S))), asked)
}

/// The status of an answer from `a`.
async fn status(client: Failover<World>) -> u16 {
    let response = head_of(&client, get_of("a")).await;
    response.unwrap().status().as_u16()
}

async fn within_patience(call: JoinHandle<u16>) -> u16 {
    let status = timeout(PATIENCE, call).await;
    status.expect("an outcome in time").unwrap()
}

#[test]
fn a_fetch_that_was_begun_in_a_runtime_that_stands_still_is_not_waited_for_without_end() {
    let (client, asked) = hanging();
    let standing = one_thread();
    let mut first = Box::pin(status(client.clone()));
    standing.block_on(async {
        assert!(poll_immediate(first.as_mut()).await.is_none());
    });
    assert_eq!(asked.count(), 1);
    let status =
        one_thread().block_on(async { within_patience(tokio::spawn(status(client))).await });
    assert_eq!(status, 503);
    assert_eq!(standing.block_on(first), 503);
}

#[test]
fn a_fetch_that_was_begun_in_a_runtime_that_is_gone_brings_nobody_a_panic() {
    let (client, asked) = hanging();
    let going = one_thread();
    going.block_on(async {
        drop(tokio::spawn(status(client.clone())));
        while asked.count() == 0 {
            yield_now().await;
        }
    });
    let staying = a_thread_of_its_own();
    let second = staying.spawn(status(client.clone()));
    let mut third = Box::pin(status(client));
    let waits = staying.block_on(poll_immediate(&mut third)).is_none();
    assert!(waits, "nothing has failed yet");
    drop(going);
    let third = staying.spawn(third);
    assert_eq!(staying.block_on(within_patience(second)), 503);
    assert_eq!(staying.block_on(within_patience(third)), 503);
}

/// Tells when it is dropped, and lets that take until it is told to go on.
struct Slow {
    dropping: mpsc::Sender<()>,
    go_on: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.dropping.send(()).unwrap();
        self.go_on.lock().unwrap().recv_timeout(PATIENCE).unwrap();
    }
}

#[test]
fn a_fetch_that_was_given_up_says_nothing_of_the_one_after_it() {
    let world = failing();
    let (dropping, is_dropping) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let may_go_on = Arc::new(Mutex::new(may_go_on));
    let gate = Arc::new(Semaphore::new(0));
    let open = gate.clone();
    let (discovery, asked) = source(move |n| {
        let slow = (n == 0).then(|| Slow {
            dropping: dropping.clone(),
            go_on: may_go_on.clone(),
        });
        let gate = gate.clone();
        async move {
            let _slow = slow;
            gate.acquire().await?.forget();
            Ok::<RegionList, _>(regions_of(&["a", "b"]))
        }
    });
    // Each call begins at home.
    let layer = layer_of(discovery.timeout(PATIENCE)).health(Health::off());
    let client = world.client(&layer);
    let first = thread::spawn({
        let client = client.clone();
        move || {
            let mut runtime = Builder::new_current_thread();
            let runtime = runtime.enable_all().start_paused(true).build().unwrap();
            // Half of its time and more, by a clock of its own.
            let call = async { timeout(PATIENCE * 3 / 4, status(client)).await };
            runtime.block_on(call).unwrap_err();
        }
    });
    is_dropping.recv_timeout(PATIENCE).unwrap();
    let runtime = a_thread_of_its_own();
    let second = runtime.spawn(status(client.clone()));
    runtime.block_on(async {
        let begun = async {
            while asked.count() < 2 {
                yield_now().await;
            }
        };
        timeout(PATIENCE, begun).await.unwrap();
    });
    go_on.send(()).unwrap();
    first.join().unwrap();
    let mut third = Box::pin(status(client));
    let waits = runtime.block_on(poll_immediate(&mut third)).is_none();
    assert!(waits, "discovery is not left alone");
    open.add_permits(2);
    assert_eq!(runtime.block_on(within_patience(second)), 200);
    let third = runtime.spawn(third);
    assert_eq!(runtime.block_on(within_patience(third)), 200);
    assert_eq!(asked.count(), 2);
    assert_eq!((world.count("a"), world.count("b")), (3, 2));
}
