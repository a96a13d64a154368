//! Discovery survives the outage that makes it needed, over sockets.

mod order;
mod secrets;
mod service;
mod unusable;

use std::time::Duration;

use bytes::Bytes;
use failover_cluster::{Fault, LiveKit, Server};
use tokio::time::Instant;
use tower_failover::{Budget, Stop};

use crate::support::*;

/// All that is no answer, and is known at once.
fn failures() -> Vec<Fault> {
    let document = |text: &'static str| Fault::Answer(200, Vec::new(), text.into());
    let gzip = vec![("content-encoding", "gzip".to_owned())];
    vec![
        Fault::Status(500),
        Fault::Status(503),
        Fault::Status(404),
        Fault::Status(401),
        Fault::Status(204),
        Fault::Status(421),
        Fault::Reset,
        Fault::Close,
        Fault::HalfHead,
        Fault::Garbage,
        Fault::CutBody,
        Fault::Endless(200, Vec::new()),
        Fault::Answer(200, gzip, Bytes::from_static(b"{}")),
        document("<html>404 not found</html>"),
        document(r#"{"regions":[{"url":"#),
        document(r#"{"regions":"none"}"#),
        document(""),
    ]
}

#[tokio::test]
async fn a_cold_client_asks_a_seed_when_home_gives_no_list() {
    for fault in failures() {
        let livekit = LiveKit::start(3).await;
        livekit.region(0).set_at("/", Fault::Status(503)).await;
        livekit.region(0).set_at(PATH, fault.clone()).await;
        let seed = livekit.origin(2);
        let client = client(&layer_with(|d| d.seeds([seed]).unwrap()));
        let (status, region) = answer(&client, get(&livekit.origin(0))).await;
        assert_eq!((status, region.as_str()), (200, "region-1"), "{fault:?}");
        assert_eq!(asked(&livekit), [1, 0, 1], "{fault:?}");
        assert_eq!(livekit.region(2).hits_at("/"), 0, "{fault:?}");
    }
}

#[tokio::test]
async fn a_warm_client_asks_another_region_when_home_gives_no_list() {
    for fault in failures() {
        let livekit = LiveKit::start(3).await;
        let client = client(&layer());
        // The mock's lists are for the calls at hand alone.
        client.warm_up(livekit.origin(0)).await.unwrap();
        livekit.region(0).set_at("/", Fault::Status(503)).await;
        livekit.region(0).set_at(PATH, fault.clone()).await;
        let (status, region) = answer(&client, get(&livekit.origin(0))).await;
        assert_eq!((status, region.as_str()), (200, "region-1"), "{fault:?}");
        assert_eq!(asked(&livekit), [2, 1, 0], "{fault:?}");
    }
}

#[tokio::test]
async fn a_warm_client_with_an_expired_list_survives_a_home_that_is_gone() {
    let livekit = LiveKit::start(3).await;
    livekit.no_cache_control();
    let client = client(&layer_with(|d| d.default_ttl(Duration::ZERO)));
    client.warm_up(livekit.origin(0)).await.unwrap();
    livekit.region(0).set(Fault::Refuse).await;
    // What it learns now is used, not what it knew.
    livekit.list(&[2]);
    let (status, region) = answer(&client, get(&livekit.origin(0))).await;
    assert_eq!((status, region.as_str()), (200, "region-2"));
    assert_eq!(asked(&livekit), [1, 1, 0]);
    assert_eq!(livekit.region(1).hits_at("/"), 0);
}

#[tokio::test]
async fn a_list_that_is_fresh_is_used_without_asking_anybody() {
    let livekit = LiveKit::start(3).await;
    livekit.cache_control("max-age=600");
    let client = client(&layer());
    client.warm_up(livekit.origin(0)).await.unwrap();
    livekit.region(0).set(Fault::Refuse).await;
    let (status, region) = answer(&client, get(&livekit.origin(0))).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
    assert_eq!(asked(&livekit), [1, 0, 0]);
}

#[tokio::test]
async fn the_old_list_serves_when_nobody_gives_a_new_one() {
    let livekit = LiveKit::start(3).await;
    let client = client(&layer());
    client.warm_up(livekit.origin(0)).await.unwrap();
    for region in livekit.regions() {
        region.set_at(PATH, Fault::Status(500)).await;
    }
    livekit.region(0).set_at("/", Fault::Status(503)).await;
    let (status, region) = answer(&client, get(&livekit.origin(0))).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
    assert_eq!(asked(&livekit), [2, 1, 1]);
}

#[tokio::test]
async fn a_home_that_hangs_is_overtaken_within_the_discovery_timeout() {
    let stall = Fault::Stall(200, Vec::new(), r#"{"regions":["#.into());
    for fault in [Fault::BlackHole, stall] {
        let livekit = LiveKit::start(3).await;
        livekit.region(0).set_at("/", Fault::Status(503)).await;
        livekit.region(0).set_at(PATH, fault.clone()).await;
        let seed = livekit.origin(2);
        let timeout = Duration::from_secs(8);
        let layer = layer_with(|d| d.timeout(timeout).seeds([seed]).unwrap());
        let begin = Instant::now();
        let (status, region) = answer(&client(&layer), get(&livekit.origin(0))).await;
        assert_eq!((status, region.as_str()), (200, "region-1"), "{fault:?}");
        assert!(begin.elapsed() < timeout, "{fault:?}");
        assert_eq!(asked(&livekit), [1, 0, 1], "{fault:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_next_one_is_asked() {
    for status in [301, 302, 303, 307, 308] {
        let livekit = LiveKit::start(3).await;
        let elsewhere = Server::http1("elsewhere").await;
        let location = format!("{}{PATH}", elsewhere.origin());
        let redirect = Fault::StatusWith(status, vec![("location", location)]);
        livekit.region(0).set_at("/", Fault::Status(503)).await;
        livekit.region(0).set_at(PATH, redirect).await;
        let seed = livekit.origin(2);
        let client = client(&layer_with(|d| d.seeds([seed]).unwrap()));
        let (answered, region) = answer(&client, get(&livekit.origin(0))).await;
        assert_eq!((answered, region.as_str()), (200, "region-1"), "{status}");
        assert_eq!(asked(&livekit), [1, 0, 1], "{status}");
        assert_eq!((elsewhere.hits(), elsewhere.connections()), (0, 0));
    }
}

#[tokio::test]
async fn a_home_that_answers_spares_the_others() {
    let livekit = LiveKit::start(3).await;
    livekit.region(0).set_at("/", Fault::Status(503)).await;
    let seed = livekit.origin(2);
    let client = client(&layer_with(|d| d.seeds([seed]).unwrap()));
    client.warm_up(livekit.origin(0)).await.unwrap();
    let (status, region) = answer(&client, get(&livekit.origin(0))).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
    assert_eq!(asked(&livekit), [2, 0, 0]);
    assert_eq!(livekit.region(2).hits(), 0);
}

#[tokio::test]
async fn a_seed_is_called_as_a_region_only_when_a_list_names_it() {
    for (listed, expected) in [
        (&[0, 1][..], (503, "region-1")),
        (&[0, 1, 2], (200, "region-2")),
    ] {
        let livekit = LiveKit::start(3).await;
        livekit.list(listed);
        livekit.region(0).set_at("/", Fault::Status(503)).await;
        livekit.region(1).set_at("/", Fault::Status(503)).await;
        livekit.region(0).set_at(PATH, Fault::Status(500)).await;
        let seed = livekit.origin(2);
        let layer = layer_with(|d| d.seeds([seed]).unwrap());
        let client = client(&layer.budget(Budget::unlimited()));
        let (status, region) = answer(&client, get(&livekit.origin(0))).await;
        assert_eq!((status, region.as_str()), expected);
        assert_eq!(asked(&livekit), [1, 0, 1]);
        let called = livekit.region(2).hits_at("/");
        assert_eq!(called, listed.len() - 2, "listed: {listed:?}");
    }
}

#[tokio::test]
async fn a_seed_that_nobody_lists_is_no_way_out() {
    let livekit = LiveKit::start(2).await;
    livekit.list(&[]);
    livekit.region(0).set(Fault::Refuse).await;
    let seed = livekit.origin(1);
    let client = client(&layer_with(|d| d.seeds([seed]).unwrap()));
    let error = send(&client, get(&livekit.origin(0))).await.unwrap_err();
    assert_eq!(error.stop(), Some(Stop::Regions), "the list is empty");
    assert_eq!(error.attempts().len(), 1);
    assert_eq!(livekit.region(1).hits_at("/"), 0);
    assert_eq!(asked(&livekit), [0, 1]);
}

#[tokio::test]
async fn when_nobody_answers_the_call_ends_with_its_own_error() {
    let livekit = LiveKit::start(3).await;
    for index in [0, 1, 2] {
        livekit.region(index).set(Fault::Refuse).await;
    }
    let seeds = [livekit.origin(1), livekit.origin(2)];
    let client = client(&layer_with(|d| d.seeds(seeds).unwrap()));
    let error = send(&client, get(&livekit.origin(0))).await.unwrap_err();
    assert_eq!(error.stop(), Some(Stop::Discovery));
    assert_eq!(error.kind(), tower_failover::ErrorKind::NeverSent);
    let attempts: Vec<_> = error
        .attempts()
        .iter()
        .map(|a| a.region().to_string())
        .collect();
    assert_eq!(attempts, [livekit.origin(0)]);
}
