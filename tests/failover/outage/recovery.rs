use std::time::Duration;

use failover_cluster::Fault;
use http::Method;
use tower_failover::RegionState;

use super::scene::*;
use crate::support::within;

/// Home fails as this says, is well again, and gets all of its calls back; the first request that it
/// gets after that is a probe.
async fn home_comes_back(wire: Wire, fault: Fault) {
    let what = format!("{wire:?}, {fault:?}");
    let health = health(millis(50), millis(400), millis(100));
    let mut scene = Scene::new(wire, |layer| layer.health(health)).await;
    scene.call().await.unwrap().is_from("home");
    scene.eject_home(fault).await;
    let until_out = scene.home_calls();
    for _ in 0..5 {
        scene.call().await.unwrap().is_from("other");
    }
    scene.home.set(Fault::None).await;
    scene.call_until_home().await;
    while scene.state() != RegionState::Healthy {
        scene.call().await.unwrap();
    }
    let others = scene.other.hits();
    for _ in 0..20 {
        scene.call().await.unwrap().is_from("home");
    }
    assert_eq!(scene.other.hits(), others, "{what}");
    assert_eq!(scene.switches(&scene.home.origin()), (1, 1), "{what}");

    let requests = scene.home.requests();
    let (before, after) = requests.split_at(until_out);
    let is_probe = |method: &Method| method == Method::HEAD;
    assert!(before.iter().all(|r| !is_probe(&r.method)), "{what}");
    assert!(is_probe(&after[0].method), "{what}");
}

#[tokio::test]
async fn home_comes_back_after_any_outage_over_http1() {
    for fault in [
        Fault::Refuse,
        Fault::Status(503),
        Fault::Close,
        Fault::Reset,
    ] {
        within(home_comes_back(Wire::Http1, fault)).await;
    }
}

#[tokio::test]
async fn home_comes_back_after_any_outage_over_h2c() {
    for fault in [
        Fault::Refuse,
        Fault::Status(503),
        Fault::Close,
        Fault::Reset,
        // INTERNAL_ERROR, the connection being kept.
        Fault::ResetStream(2),
    ] {
        within(home_comes_back(Wire::H2c, fault)).await;
    }
}

/// Calls would be served again, but nobody knows while no probe is answered.
async fn no_call_finds_out(wire: Wire) {
    let health = health(millis(20), millis(100), millis(100));
    let scene = Scene::new(wire, |layer| layer.health(health)).await;
    assert_eq!(scene.eject_home(Fault::Status(503)).await, 2);
    scene.home.set_at(PROBES, Fault::BlackHole).await;
    scene.home.set(Fault::None).await;
    let earlier = probes(&scene.home);
    while probes(&scene.home) < earlier + 3 {
        let reply = scene.call().await.unwrap();
        reply.is_from("other");
        assert_eq!(reply.attempts, 1);
        tokio::time::sleep(millis(2)).await;
    }
    assert_eq!(scene.home_calls(), 2);
    scene.home.clear_at(PROBES).await;
    scene.call_until_home().await;
}

#[tokio::test]
async fn no_call_goes_home_before_a_probe_is_answered() {
    within(no_call_finds_out(Wire::Http1)).await;
    within(no_call_finds_out(Wire::H2c)).await;
}

/// Which is home to a tenth of the calls then.
#[tokio::test]
async fn one_failure_on_the_ramp_ejects_again() {
    let health = health(millis(20), millis(2000), Duration::from_secs(3600));
    let mut scene = Scene::new(Wire::Http1, |layer| layer.health(health)).await;
    scene.eject_home(Fault::Status(503)).await;
    scene.home.set(Fault::None).await;
    within(scene.call_until_home()).await;
    assert_eq!(scene.switches(&scene.home.origin()), (1, 1));
    scene.home.set(Fault::Status(503)).await;
    let calls = scene.home_calls();
    while scene.state() != RegionState::Ejected {
        within(scene.call()).await.unwrap().is_from("other");
    }
    assert_eq!(scene.home_calls(), calls + 1);
}

/// Denying a stream that it did not begin is no failure of a region that closes its connections.
#[tokio::test]
async fn a_region_that_goes_away_gracefully_is_not_ejected() {
    let scene = Scene::new(Wire::H2c, |layer| {
        layer.health(health(millis(10), millis(10), millis(100)))
    });
    let mut scene = scene.await;
    let away = Fault::GoAway;
    for call in 1..=10 {
        scene
            .home
            .set(Fault::First(1, Box::new(away.clone())))
            .await;
        within(scene.call()).await.unwrap();
        assert_eq!(scene.state(), RegionState::Healthy);
        assert!(scene.home_calls() >= call);
    }
    assert_eq!(scene.switches(&scene.home.origin()), (0, 0));
    assert_eq!(probes(&scene.home), 0);
}
