//! Who is told of what the layer does may use it: no lock is held meanwhile.

use std::{cell::Cell, io::ErrorKind, sync::mpsc, thread, time::Duration};

use futures_util::FutureExt;
use tokio::time::sleep;
use tower::{Layer, ServiceExt};
use tower_failover::{
    Budget, Discovery, FailoverLayer, Handle, Health, Hedge, Region, RegionList, Regions,
};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::support::{Act, Events, Script, get, layer, no_wait};

const MS: Duration = Duration::from_millis(1);
const HOMES: [&str; 2] = ["http://a", "https://a.example.com"];

thread_local!(static DEPTH: Cell<u32> = const { Cell::new(0) });

/// Does all there is to do to these layers at each of their events, and at those of that.
struct Meddler {
    layers: [FailoverLayer; 2],
    script: Script,
}

impl Meddler {
    fn meddle(&self) {
        for layer in &self.layers {
            let handle = layer.handle();
            HOMES.iter().for_each(|home| steer(&handle, home));
            handle.snapshot();
            handle.budget();
            handle.subscribe();
            let call = layer.layer(self.script.clone()).oneshot(get("http://a/y"));
            let _ = Box::pin(call).now_or_never();
        }
    }
}

fn steer(handle: &Handle, home: &str) {
    for status in handle.regions(home) {
        handle.eject(status.region(), 5 * MS);
        if fastrand::bool() {
            handle.restore(status.region());
        }
    }
    let region = Region::new("q", "https://q.example.com").unwrap();
    let _ = handle.set_regions(home, RegionList::new(vec![region]));
    drop(handle.refresh(home));
}

impl<S: Subscriber> tracing_subscriber::Layer<S> for Meddler {
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        let depth = DEPTH.get();
        if depth < 2 {
            DEPTH.set(depth + 1);
            self.meddle();
            DEPTH.set(depth);
        }
    }
}

async fn calls(layers: &[FailoverLayer; 2], script: &Script) {
    for n in 0..60 {
        for region in ["a", "b", "c", "a.example.com"] {
            let act = match fastrand::u32(0..4) {
                0 => Act::Status(503),
                1 => Act::Fail(ErrorKind::ConnectionRefused),
                2 => Act::Hang,
                _ => Act::Status(200),
            };
            script.always(region, act);
        }
        let client = layers[n % 2].layer(script.clone());
        let _ = client.oneshot(get(&format!("{}/x", HOMES[n % 2]))).await;
        sleep(MS * fastrand::u32(0..15)).await;
    }
}

fn layers() -> [FailoverLayer; 2] {
    let health = Health::default()
        .probe_every(10 * MS, 20 * MS)
        .ramp(20 * MS);
    let discovered = Regions::discover(Discovery::http("/regions"));
    [layer(3), FailoverLayer::new(discovered)].map(|layer| {
        layer
            .backoff(no_wait())
            .budget(Budget::default())
            .hedge(Hedge::after(5 * MS))
            .attempt_timeout(30 * MS)
            .total_timeout(200 * MS)
            .health(health.clone())
    })
}

#[test]
fn a_subscriber_to_events_may_call_back() {
    let (told, done) = mpsc::channel();
    // One that waits for itself would wait for ever.
    let test = thread::spawn(move || {
        fastrand::seed(1);
        let (layers, script) = (layers(), Script::default());
        let meddler = Meddler {
            layers: layers.clone(),
            script: script.clone(),
        };
        let subscriber = tracing_subscriber::registry().with(meddler);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        // As other tests have none, see there.
        let _several_subscribers = Events::capture();
        let calls = || runtime.block_on(calls(&layers, &script));
        tracing::subscriber::with_default(subscriber, calls);
        assert!(
            script.seen().iter().any(|s| s.uri.path() == "/y"),
            "it was told"
        );
        told.send(()).unwrap();
    });
    let end = done.recv_timeout(Duration::from_secs(60));
    assert_ne!(
        end,
        Err(mpsc::RecvTimeoutError::Timeout),
        "it waits for itself"
    );
    test.join().unwrap();
}
