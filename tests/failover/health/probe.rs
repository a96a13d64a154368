//! What a probe is, and who sends it.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Version};
use http_body_util::{BodyExt, Empty, Full};
use tower::{ServiceBuilder, service_fn};
use tower_failover::{Override, Replay, replay::ReplayBody};

use super::*;
use crate::support::{Gate, Readiness};

#[tokio::test(start_paused = true)]
async fn no_call_is_sent_to_a_region_that_is_out_before_a_probe_succeeds() {
    let rig = Rig::out(&layer(Health::default()), Act::Status(503)).await;
    // Home would answer each of them.
    for _ in 0..600 {
        assert_eq!(rig.calls(5).await, 0);
        sleep(100 * MS).await;
    }
    assert!(
        (4..=9).contains(&rig.script.probed()),
        "{}",
        rig.script.probed()
    );
    assert_eq!(rig.at_home(), 1);

    rig.script.on_probe("a", Act::Status(200));
    let probed = rig.script.probed();
    while rig.script.probed() == probed {
        assert_eq!(rig.calls(5).await, 0);
        sleep(50 * MS).await;
    }
    assert!(rig.calls(1000).await > 0);
}

#[tokio::test(start_paused = true)]
async fn calls_of_other_homes_and_replays_pass_over_it_too() {
    let layer = crate::support::layer(3)
        .backoff(no_wait())
        .budget(Budget::unlimited())
        .health(Health::default().consecutive(u32::MAX));
    let rig = Rig::out(&layer, Act::Status(503)).await;
    rig.script.always("b", Act::Status(503));
    for _ in 0..50 {
        rig.call("http://b/").await;
    }
    assert_eq!(rig.at_home(), 1);
    assert_eq!(rig.script.asked()[2..], ["b", "c"].repeat(50));
}

#[tokio::test(start_paused = true)]
async fn a_probe_carries_nothing_of_any_caller() {
    let key = HeaderName::from_static("x-key");
    let layer = layer(Health::default())
        .idempotency_key(key)
        .mark_first_attempt(true)
        .replay(Replay::Always)
        .total_timeout(9 * S);
    let script = Script::new([refused()]);
    script.always("a", refused());
    let client = layer.layer(script.clone());
    let request = Request::post("http://user:secret@a/path?query")
        .header("authorization", "Bearer secret")
        .header("cookie", "secret")
        .header("idempotency-key", "secret")
        .header("grpc-timeout", "5S")
        .header("host", "a")
        .extension(Override::new().max_attempts(2))
        .extension("secret")
        .version(Version::HTTP_2)
        .body(Full::<Bytes>::from("secret"));
    client.clone().oneshot(request.unwrap()).await.unwrap();
    assert_eq!(
        script.seen()[0].header("authorization"),
        Some("Bearer secret")
    );
    sleep(20 * S).await;
    // With anything of a caller's they would not be among these.
    let probes = script.probes();
    assert!(probes.len() > 1);
    assert_eq!(script.asked(), ["user:secret@a", "b"]);
    for probe in probes {
        assert_eq!(probe.method, Method::HEAD);
        assert_eq!(probe.uri, "http://a/");
        assert!(probe.headers.is_empty(), "{:?}", probe.headers);
        assert!(probe.extensions.is_empty());
        assert_eq!(probe.attempt, None);
    }
}

#[tokio::test(start_paused = true)]
async fn the_body_of_a_probe_is_empty() {
    let script = Script::new([refused()]);
    script.on_probe("a", Act::AfterBody(Act::Status(200).into()));
    let client = layer(Health::default()).layer(script.clone());
    let request = Request::put("http://a/").body(Full::<Bytes>::from("body"));
    client.clone().oneshot(request.unwrap()).await.unwrap();
    sleep(4 * S).await;
    let [probe] = &script.probes()[..] else {
        panic!("one probe");
    };
    assert_eq!((probe.body.len(), probe.complete), (0, true));
    assert!(probe.trailers.is_none());
}

#[tokio::test(start_paused = true)]
async fn method_and_path_of_a_probe_can_be_set() {
    for (method, path) in [
        (Method::GET, "/health?deep=1"),
        (Method::OPTIONS, "/"),
        (Method::POST, "/a/b%20c"),
    ] {
        let rig = Rig::new(&layer(Health::default().probe(method.clone(), path)));
        rig.script.probed_by(method.clone(), path);
        rig.lose_home().await;
        rig.script.probe_ended(1).await;
        let probe = &rig.script.probes()[0];
        assert_eq!(probe.uri, *format!("http://a{path}"));
        assert!(probe.headers.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn each_region_that_is_out_is_probed_at_its_own_origin_one_probe_at_a_time() {
    let origins = ["https://a:8443", "http://b", "http://c"];
    let regions = tower_failover::Regions::fixed(origins).unwrap();
    let layer = FailoverLayer::new(regions)
        .backoff(no_wait())
        .budget(Budget::unlimited())
        // Waits are far shorter than what a probe may take.
        .health(Health::default().probe_every(10 * MS, 3 * S));
    let rig = Rig::new(&layer);
    for region in ["a:8443", "b"] {
        rig.script.always(region, refused());
        rig.script.on_probe(region, Act::Hang);
    }
    rig.call("https://a:8443/").await;
    let mut most = 0;
    for _ in 0..10_000 {
        most = most.max(rig.script.probing());
        sleep(2 * MS).await;
    }
    assert_eq!(most, 2, "both at the same time");
    for (region, uri) in [("a:8443", "https://a:8443/"), ("b", "http://b/")] {
        let probes = rig.script.probes();
        let at: Vec<_> = probes
            .iter()
            .filter(|probe| probe.authority() == region)
            .inspect(|probe| assert_eq!(probe.uri, uri))
            .map(|probe| probe.at)
            .collect();
        assert!(at.len() >= 4, "{at:?}");
        for pair in at.windows(2) {
            assert!(pair[1] - pair[0] > 2 * S, "{at:?}");
        }
    }
    assert_eq!(rig.script.asked(), ["a:8443", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_layer_inside_adds_to_each_request_it_adds_to_probes() {
    let seen = Arc::<Mutex<Vec<(Method, HeaderValue)>>>::default();
    let log = seen.clone();
    let server = service_fn(move |request: Request<ReplayBody<Empty<Bytes>>>| {
        let key = request.headers()["x-api-key"].clone();
        log.lock().unwrap().push((request.method().clone(), key));
        let is_probe = request.method() == Method::HEAD;
        let status = if is_probe { 200 } else { 503 };
        let response = Response::builder()
            .status(status)
            .body(Empty::<Bytes>::new());
        std::future::ready(Ok::<_, Infallible>(response.unwrap()))
    });
    let client = ServiceBuilder::new()
        .layer(layer(Health::default().consecutive(1)))
        .map_request(|mut request: Request<ReplayBody<Empty<Bytes>>>| {
            let key = HeaderValue::from_static("own");
            request.headers_mut().insert("x-api-key", key);
            request
        })
        .service(server);
    client.clone().oneshot(get("http://a/")).await.unwrap();
    sleep(4 * S).await;
    let own = HeaderValue::from_static("own");
    // Both regions were lost, and each is probed.
    let expected = [Method::GET, Method::GET, Method::HEAD, Method::HEAD];
    let expected = expected.map(|method| (method, own.clone()));
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_probe_is_made_by_an_instance_of_its_own_that_was_polled_ready() {
    let script = Script::new([refused()]);
    script.on_probe("a", Act::Status(503));
    // The attempts at `a` and `b`, and three probes.
    let gate = Gate::new(
        script.clone(),
        [
            Readiness::Now,
            Readiness::Now,
            Readiness::Fail,
            Readiness::Never,
            Readiness::After(S),
        ],
    );
    let layer = layer(Health::default());
    let client = layer.layer(gate.clone());
    client.clone().oneshot(get("http://a/")).await.unwrap();
    assert_eq!((gate.polled(), gate.reserved()), (2, 0), "nothing is held");
    let polled = async |n| {
        while gate.polled() < n {
            sleep(MS).await;
        }
    };
    for n in 3..=5 {
        polled(n).await;
        assert!(script.probes().is_empty(), "not ready");
    }
    sleep(S + MS).await;
    assert_eq!(script.probes().len(), 1);
    assert_eq!((gate.polled(), gate.reserved()), (5, 0));
    script.on_probe("a", Act::Status(200));
    sleep(30 * S).await;
    assert_eq!((script.probes().len(), gate.polled()), (2, 6));
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_probe_is_dropped_unread() {
    let body = Arc::new(());
    let held = body.clone();
    let client = service_fn(move |request: Request<ReplayBody<Empty<Bytes>>>| {
        let held = held.clone();
        // Never ends; who holds it holds the token.
        let body = http_body_util::channel::Channel::<Bytes>::new(1);
        let is_probe = request.method() == Method::HEAD;
        let is_lost = request.uri().host() == Some("a") && !is_probe;
        async move {
            if is_lost {
                return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
            }
            let (sender, body) = body;
            Ok(Response::new(body.map_frame(move |frame| {
                let _ = (&sender, &held);
                frame
            })))
        }
    });
    let layer = layer(Health::default());
    let handle = layer.handle();
    let client = layer.layer(client);
    drop(client.clone().oneshot(get("http://a/")).await.unwrap());
    restored(&mut handle.subscribe()).await;
    sleep(MS).await;
    // The client and its clones have one, the test another.
    assert_eq!((Arc::strong_count(&body), tasks()), (2, 0));
}
