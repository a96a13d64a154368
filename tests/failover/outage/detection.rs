use std::time::Duration;

use bytes::Bytes;
use failover_cluster::Fault;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::{Instant, sleep};
use tower_failover::RegionState;

use super::scene::*;
use crate::support::within;

const ATTEMPT: Duration = Duration::from_secs(1);
const CALLS_AFTER: usize = 100;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// A call straight to a region, without the layer.
async fn bare(client: &Client<HttpConnector, Full<Bytes>>, origin: &str) -> Duration {
    let start = Instant::now();
    let response = client.request(request(origin)).await.unwrap();
    response.into_body().collect().await.unwrap();
    start.elapsed()
}

/// Two calls wait for the black hole. Of those that follow none is sent there, while probes are; and
/// none takes longer than a call that knows of no outage, by a tenth of what the black hole would
/// cost.
async fn a_black_hole_is_found_out_by_two_calls(wire: Wire) {
    let health = health(millis(20), millis(100), millis(1000));
    let scene = Scene::new(wire, |layer| layer.attempt_timeout(ATTEMPT).health(health)).await;
    scene.call().await.unwrap().is_from("home");
    let start = Instant::now();
    assert_eq!(scene.eject_home(Fault::BlackHole).await, 2);
    assert!(start.elapsed() >= 2 * ATTEMPT);
    assert_eq!(scene.home_calls(), 3);

    let straight = Client::builder(TokioExecutor::new())
        .http2_only(matches!(wire, Wire::H2c))
        .build_http();
    let (mut times, mut bare_times) = (Vec::new(), Vec::new());
    for _ in 0..CALLS_AFTER {
        let start = Instant::now();
        let reply = scene.call().await.unwrap();
        times.push(start.elapsed());
        reply.is_from("other");
        assert_eq!(reply.attempts, 1);
        bare_times.push(bare(&straight, &scene.other.origin()).await);
        sleep(millis(2)).await;
    }
    scene.home.wait_hits_at(PROBES, 2).await;
    assert_eq!(scene.home_calls(), 3);
    assert_eq!(scene.home.hits(), 3 + probes(&scene.home));
    assert_eq!(scene.other.hits(), 2 + 2 * CALLS_AFTER);
    assert_eq!(scene.state(), RegionState::Ejected);
    let (time, bare_time) = (median(times), median(bare_times));
    assert!(
        time <= 3 * bare_time + ATTEMPT / 10,
        "{time:?}, {bare_time:?}"
    );
}

#[tokio::test]
async fn a_black_hole_costs_two_http1_calls_an_attempt_and_the_next_hundred_nothing() {
    within(a_black_hole_is_found_out_by_two_calls(Wire::Http1)).await;
}

#[tokio::test]
async fn a_black_hole_costs_two_h2c_calls_an_attempt_and_the_next_hundred_nothing() {
    within(a_black_hole_is_found_out_by_two_calls(Wire::H2c)).await;
}
