//! What calls found out of regions counts for sessions, for as long as somebody finds out more.

use std::{
    future::ready,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Empty, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_failover::{
    Backoff, Discovery, FailoverLayer, Health, RegionState, Regions,
    replay::ReplayBody,
    session::{Directive, Targets},
};

use super::{begin, epoch};
use crate::support::{MS, Play::*, SECOND, Script, regions, settle};

/// A layer over regions `a`, `b` and `c`, one call of which found `a` down; a probe finds out after a
/// second at least whether it is back.
async fn layer(is_down: &Arc<AtomicBool>) -> (FailoverLayer, impl Clone + use<>) {
    let layer = FailoverLayer::new(regions("abc"))
        .backoff(Backoff::exponential(MS, MS))
        .health(
            Health::default()
                .probe_every(SECOND, SECOND)
                .ramp(10 * SECOND),
        );
    let is_down = is_down.clone();
    let client = layer.layer(service_fn(
        move |request: Request<ReplayBody<Empty<Bytes>>>| {
            let is_home = request.uri().host() == Some("a.example");
            ready(match is_home && is_down.load(Ordering::SeqCst) {
                true => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
                false => Ok(Response::new(Empty::<Bytes>::new())),
            })
        },
    ));
    let call = Request::get("http://a.example/")
        .body(Empty::new())
        .unwrap();
    client.clone().oneshot(call).await.unwrap();
    (layer, client)
}

fn state(layer: &FailoverLayer) -> RegionState {
    layer.handle().regions("http://a.example")[0].state()
}

async fn first_dial(targets: impl Into<Targets>) -> String {
    let script = Script::new([Up]);
    let _handle = begin(targets, &script);
    settle().await;
    script.regions().concat()
}

#[tokio::test(start_paused = true)]
async fn a_region_that_calls_found_dead_is_not_the_first_a_session_dials() {
    let is_down = Arc::new(AtomicBool::new(true));
    let (layer, _client) = layer(&is_down).await;
    assert_eq!(state(&layer), RegionState::Ejected);
    assert_eq!(first_dial(&layer).await, "b");
    assert_eq!(first_dial(layer.handle()).await, "b");
    assert_eq!(
        first_dial(regions("abc")).await,
        "a",
        "others know nothing of it"
    );
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(first_dial(&layer).await, "b", "while it is down");
    is_down.store(false, Ordering::SeqCst);
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(state(&layer), RegionState::Healthy);
    assert_eq!(first_dial(&layer).await, "a", "when it is back");
}

#[tokio::test(start_paused = true)]
async fn without_its_layer_a_verdict_counts_no_more() {
    let is_down = Arc::new(AtomicBool::new(true));
    let (layer, client) = layer(&is_down).await;
    let script = Script::new([Up]);
    let handle = begin(&layer, &script);
    let targets = Targets::from(&layer);
    epoch(&handle, 1).await;
    assert_eq!(first_dial(targets.clone()).await, "b");
    drop((layer, client));
    assert_eq!(first_dial(targets).await, "a");
}

/// A migration goes where it is healthy; what is not is better than what was left.
#[tokio::test(start_paused = true)]
async fn excluded_comes_after_dead() {
    let is_down = Arc::new(AtomicBool::new(true));
    let (layer, _client) = layer(&is_down).await;
    let script = Script::new([Up]);
    let handle = begin(&layer, &script);
    for n in 0..3 {
        epoch(&handle, n + 1).await;
        script.advise(n as usize, Directive::migrate());
    }
    epoch(&handle, 4).await;
    assert_eq!(script.regions().concat(), "bcab");
}

/// As with calls, only a share of the sessions goes to a region that has just come back.
#[tokio::test(start_paused = true)]
async fn sessions_come_home_over_the_ramp() {
    let is_down = Arc::new(AtomicBool::new(true));
    let (layer, _client) = layer(&is_down).await;
    is_down.store(false, Ordering::SeqCst);
    while state(&layer) == RegionState::Ejected {
        tokio::time::sleep(10 * MS).await;
    }
    let mut shares = Vec::new();
    for _ in 0..3 {
        let mut home = 0;
        let scripts: Vec<_> = (0..200)
            .map(|seed| {
                let script = Script::new([Up]);
                let supervisor = tower_failover::session::Supervisor::new(&layer, script.clone());
                (supervisor.seed(seed).start().unwrap(), script)
            })
            .collect();
        settle().await;
        for (_, script) in &scripts {
            home += usize::from(script.regions() == ["a"]);
        }
        shares.push(home);
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    assert!((5..50).contains(&shares[0]), "{shares:?}");
    assert!((70..150).contains(&shares[1]), "{shares:?}");
    assert_eq!(shares[2], 200);
}

/// A list that is not to be kept serves the session that waits for it, and the next one asks again.
#[tokio::test(start_paused = true)]
async fn a_list_that_is_not_to_be_kept_serves_all_the_same() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let layer = FailoverLayer::new(Regions::discover(Discovery::http("/regions")));
    let client = layer.layer(service_fn(
        move |request: Request<ReplayBody<Full<Bytes>>>| {
            let list = match request.uri().path() {
                "/regions" => {
                    count.fetch_add(1, Ordering::SeqCst);
                    r#"{"regions":[{"region":"b","url":"http://b.example.com"}]}"#
                }
                _ => "",
            };
            ready(
                Response::builder()
                    .header("cache-control", "no-store")
                    .body(Full::<Bytes>::from(list)),
            )
        },
    ));
    // So that there is a client to ask by.
    let call = Request::get("http://api.example.com/").body(Full::default());
    client.clone().oneshot(call.unwrap()).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    for n in 1..=2 {
        let targets = Targets::from(&layer)
            .coordinator("http://api.example.com")
            .unwrap();
        assert_eq!(first_dial(targets).await, "b");
        assert_eq!(asked.load(Ordering::SeqCst), n);
    }
}

#[tokio::test]
async fn a_home_is_one_of_the_regions_or_one_that_regions_are_discovered_for() {
    let targets = || Targets::from(regions("ab"));
    assert!(targets().home("http://b.example").is_ok());
    let error = targets().home("http://c.example").unwrap_err();
    assert_eq!(error.to_string(), "not a home of these regions");
    let discovery = Discovery::http("/regions").hosts(["*.example.com"]);
    let targets = || Targets::from(Regions::discover(discovery.clone()));
    assert!(targets().coordinator("wss://api.example.com").is_ok());
    assert!(targets().coordinator("https://api.example.org").is_err());
}
