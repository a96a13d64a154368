use std::time::Duration;

use failover_cluster::{Fault, Server};
use http::{Method, Version};
use tokio::time::{Instant, sleep};
use tower_failover::RegionState;

use super::scene::*;
use crate::support::within;

/// Each probe as home got it.
fn carries_nothing(home: &Server, wire: Wire) {
    let probes = home.requests_at(PROBES);
    assert!(probes.len() >= 3);
    for probe in probes {
        assert_eq!(probe.method, Method::HEAD);
        assert_eq!(probe.uri.path_and_query().unwrap(), "/");
        assert!(probe.complete && probe.body.is_empty());
        let headers: Vec<_> = probe.headers.iter().collect();
        match wire {
            Wire::Http1 => {
                assert_eq!(probe.version, Version::HTTP_11);
                let host = home.authority().parse().unwrap();
                assert_eq!(headers, [(&http::header::HOST, &host)]);
            }
            Wire::H2c => {
                assert_eq!(probe.uri.authority().unwrap(), &*home.authority());
                assert!(headers.is_empty(), "{headers:?}");
            }
        }
    }
}

async fn probes_are_bare_and_use_the_pool(wire: Wire) {
    let health = health(millis(20), millis(2000), millis(100));
    let scene = Scene::new(wire, |layer| layer.health(health)).await;
    scene.eject_home(Fault::Status(503)).await;
    while probes(&scene.home) < 3 {
        scene.call().await.unwrap().is_from("other");
        sleep(millis(2)).await;
    }
    scene.home.set(Fault::None).await;
    scene.call_until_home().await;
    carries_nothing(&scene.home, wire);
    let calls = scene.home.requests_at(CALLS);
    assert!(
        calls
            .iter()
            .all(|c| c.headers["authorization"] == "Bearer secret")
    );
    // The calls before, the probes, and the call after.
    assert_eq!(
        (scene.home.connections(), scene.other.connections()),
        (1, 1)
    );
}

#[tokio::test]
async fn http1_probes_carry_nothing_of_any_call_and_use_the_pool_of_the_client() {
    within(probes_are_bare_and_use_the_pool(Wire::Http1)).await;
}

#[tokio::test]
async fn h2c_probes_carry_nothing_of_any_call_and_use_the_pool_of_the_client() {
    within(probes_are_bare_and_use_the_pool(Wire::H2c)).await;
}

#[tokio::test]
async fn no_region_is_probed_while_all_are_well() {
    let health = health(millis(10), millis(10), millis(100));
    let scene = Scene::new(Wire::Http1, |layer| layer.health(health)).await;
    let start = Instant::now();
    while start.elapsed() < millis(200) {
        within(scene.call()).await.unwrap().is_from("home");
    }
    assert_eq!(probes(&scene.home) + probes(&scene.other), 0);
    assert_eq!(scene.connector.asked(), 1);
}

/// The task has a clone of the client, and so of the connector. Where no client is left nobody can
/// send anything.
async fn the_task_ends_with_the_service(scene: Scene, within: Duration) {
    let Scene {
        home,
        client,
        connector,
        handle,
        ..
    } = scene;
    drop(client);
    let start = Instant::now();
    while connector.has_client() {
        sleep(millis(1)).await;
    }
    assert!(start.elapsed() < within);
    // A handle stays behind, and keeps nothing alive.
    assert_eq!(
        handle.regions(home.origin())[0].state(),
        RegionState::Ejected
    );
}

#[tokio::test]
async fn no_more_is_probed_once_the_last_service_is_dropped() {
    let health = health(millis(10), millis(20), millis(100));
    let scene = Scene::new(Wire::Http1, |layer| layer.health(health)).await;
    scene.eject_home(Fault::Status(503)).await;
    scene.home.wait_hits_at(PROBES, 3).await;
    within(the_task_ends_with_the_service(
        scene,
        Duration::from_secs(10),
    ))
    .await;
}

#[tokio::test]
async fn the_last_service_is_dropped_while_a_probe_is_far_away() {
    let hour = Duration::from_secs(3600);
    let scene = Scene::new(Wire::Http1, |layer| layer.health(health(hour, hour, hour))).await;
    scene.eject_home(Fault::Status(503)).await;
    within(the_task_ends_with_the_service(
        scene,
        Duration::from_secs(10),
    ))
    .await;
}

/// A probe that nobody answers may take two seconds.
#[tokio::test]
async fn a_probe_under_way_ends_with_the_last_service() {
    let health = health(millis(10), Duration::from_secs(60), millis(100));
    let scene = Scene::new(Wire::Http1, |layer| layer.health(health)).await;
    scene.eject_home(Fault::Status(503)).await;
    scene.home.set(Fault::BlackHole).await;
    let probes = scene.home.hits_at(PROBES);
    scene.home.wait_hits_at(PROBES, probes + 1).await;
    within(the_task_ends_with_the_service(
        scene,
        Duration::from_secs(1),
    ))
    .await;
}
