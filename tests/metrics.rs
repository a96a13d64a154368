//! The metrics of the feature of that name, as a recorder gets them.

#![cfg(feature = "metrics")]
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Empty;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use tokio::time::timeout;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_failover::{
    Backoff, Discovery, FailoverLayer, Hedge, RegionList, Regions, replay::ReplayBody,
};

type Body = Empty<Bytes>;

/// What is counted, by name and labels: of counters the count, of gauges the bits of the value.
#[derive(Default)]
struct Counts {
    counters: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    gauges: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
}

impl Counts {
    fn all(&self) -> BTreeMap<String, f64> {
        let counters = self.counters.lock().unwrap();
        let gauges = self.gauges.lock().unwrap();
        let counters = counters
            .iter()
            .map(|(name, count)| (name, count.load(Relaxed) as f64));
        let gauges = gauges
            .iter()
            .map(|(name, bits)| (name, f64::from_bits(bits.load(Relaxed))));
        counters
            .chain(gauges)
            .map(|(name, value)| (name.clone(), value))
            .collect()
    }
}

fn shown(key: &Key) -> String {
    let labels: Vec<_> = key
        .labels()
        .map(|label| format!("{}={}", label.key(), label.value()))
        .collect();
    format!("{}{{{}}}", key.name(), labels.join(",")).replace("tower_failover.", "")
}

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let mut counters = self.counters.lock().unwrap();
        Counter::from_arc(counters.entry(shown(key)).or_default().clone())
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let mut gauges = self.gauges.lock().unwrap();
        Gauge::from_arc(gauges.entry(shown(key)).or_default().clone())
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("no histogram is documented: {key}")
    }
}

/// What is counted while `act` runs, on a paused clock.
fn counted(act: impl AsyncFnOnce()) -> BTreeMap<String, f64> {
    let counts = Counts::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    metrics::with_local_recorder(&counts, || runtime.block_on(act()));
    counts.all()
}

fn expected<const N: usize>(counts: [(&str, f64); N]) -> BTreeMap<String, f64> {
    counts.map(|(name, count)| (name.to_owned(), count)).into()
}

fn layer() -> FailoverLayer {
    let regions = Regions::named([("eu", "http://eu"), ("us", "http://us")]).unwrap();
    FailoverLayer::new(regions).backoff(Backoff::exponential(Duration::ZERO, Duration::ZERO))
}

async fn status(request: &Request<ReplayBody<Body>>, of: &[(&str, u16, u64)]) -> u16 {
    let host = request.uri().host().unwrap();
    let answer = of.iter().find(|(region, ..)| *region == host).unwrap();
    tokio::time::sleep(Duration::from_millis(answer.2)).await;
    answer.1
}

/// Makes calls with these methods to regions that answer so, by host: a status, after milliseconds.
async fn calls(layer: FailoverLayer, methods: &[Method], of: &'static [(&str, u16, u64)]) {
    let client =
        ServiceBuilder::new()
            .layer(layer)
            .service(service_fn(move |request| async move {
                let status = status(&request, of).await;
                let response = Response::builder().status(status).body(Body::new());
                Ok::<_, Infallible>(response.unwrap())
            }));
    for method in methods {
        let request = Request::builder()
            .method(method)
            .uri("http://eu/x?secret=1");
        let request = request.body(Body::new()).unwrap();
        client.clone().oneshot(request).await.unwrap();
    }
}

#[test]
fn a_call_that_succeeds_at_once_is_an_attempt_and_no_more() {
    let counts = counted(async || {
        calls(layer(), &[Method::GET; 3], &[("eu", 200, 0)]).await;
    });
    assert_eq!(counts, expected([("attempts{}", 3.0), ("budget{}", 5.0)]));
}

#[test]
fn failovers_ejections_and_probes_are_counted_by_region_and_reason() {
    let counts = counted(async || {
        let script = &[("eu", 503, 0), ("us", 200, 0)];
        calls(layer(), &[Method::GET; 3], script).await;
    });
    // Two failures eject; the third call goes elsewhere at once. There is no time for a probe.
    let all = expected([
        ("attempts{}", 3.0),
        ("attempts{http.request.resend_count=1}", 2.0),
        ("attempts.failed{region=eu,error.type=503}", 2.0),
        ("failovers{region=eu,to=us,error.type=503}", 2.0),
        ("ejections{region=eu,error.type=503}", 1.0),
        ("budget{}", 5.0),
    ]);
    assert_eq!(counts, all);
}

#[test]
fn a_region_that_comes_back_is_counted_with_its_probes() {
    let counts = counted(async || {
        let second = Duration::from_secs(1);
        let layer = layer();
        let handle = layer.handle();
        let mut regions = handle.regions("http://eu").into_iter();
        let eu = regions.next().unwrap().region().clone();
        handle.eject(&eu, second);
        let mut changes = handle.subscribe();
        let script = &[("eu", 204, 0), ("us", 200, 0)];
        calls(layer.clone(), &[Method::GET], script).await;
        // The layer is still there, and with it the task that probes.
        timeout(second * 2, changes.recv()).await.unwrap();
        drop(layer);
    });
    assert_eq!(
        counts["probes{region=eu,http.response.status_code=204}"],
        1.0
    );
    assert_eq!(counts["ejections{region=eu,error.type=by_hand}"], 1.0);
    assert_eq!(counts["restorations{region=eu}"], 1.0);
}

#[test]
fn calls_that_are_not_replayed_say_why() {
    let counts = counted(async || {
        calls(layer(), &[Method::POST], &[("eu", 500, 0)]).await;
    });
    assert_eq!(
        counts["not_replayed{region=eu,stop=not_replayable_once_sent}"],
        1.0
    );
}

#[test]
fn hedges_are_counted_and_those_that_won() {
    let counts = counted(async || {
        let layer = layer().hedge(Hedge::after(Duration::from_millis(50)));
        let script = &[("eu", 200, 1000), ("us", 200, 10)];
        calls(layer, &[Method::GET], script).await;
    });
    let all = expected([
        ("attempts{}", 1.0),
        ("attempts{http.request.resend_count=1}", 1.0),
        ("hedges{region=us}", 1.0),
        ("hedges.won{region=eu}", 1.0),
        // The token does not come back; the answer brings a tenth.
        ("budget{}", 4.1),
    ]);
    assert_eq!(counts, all);
}

#[test]
fn lists_of_regions_are_counted_by_outcome() {
    let counts = counted(async || {
        let source = service_fn(|_| async { Err::<RegionList, _>("down") });
        let layer = FailoverLayer::new(Regions::discover(Discovery::service(source)));
        calls(layer.clone(), &[Method::GET], &[("eu", 503, 0)]).await;
        let list = RegionList::new(Vec::new());
        layer.handle().set_regions("http://eu", list).unwrap();
    });
    assert_eq!(counts["discoveries{outcome=failed}"], 1.0);
    assert_eq!(counts["discoveries{outcome=refreshed}"], 1.0);
}

#[test]
fn nothing_that_a_caller_wrote_is_in_a_label() {
    let counts = counted(async || {
        calls(
            layer(),
            &[Method::GET; 4],
            &[("eu", 503, 0), ("us", 503, 0)],
        )
        .await;
    });
    assert!(
        counts.keys().all(|key| !key.contains("secret")),
        "{counts:?}"
    );
}
