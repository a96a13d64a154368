use std::time::Duration;

use failover_cluster::{Fault, LiveKit};
use tower_failover::Stop;

use crate::support::*;

#[tokio::test]
async fn nothing_is_asked_while_all_is_well() {
    let livekit = LiveKit::start(3).await;
    let client = client(&layer());
    for _ in 0..10 {
        let (status, region) = answer(&client, get(&livekit.origin(0))).await;
        assert_eq!((status, region.as_str()), (200, "region-0"));
    }
    assert_eq!(asked(&livekit), [0, 0, 0]);
}

#[tokio::test]
async fn a_failure_asks_home_for_the_list_and_goes_to_the_next_region() {
    let livekit = LiveKit::start(3).await;
    let client = client(&layer());
    let call = call(&livekit.origin(0), r#"{"failRegions":[0]}"#);
    let (status, region) = answer(&client, call).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
    assert_eq!(asked(&livekit), [1, 0, 0]);
}

#[tokio::test]
async fn a_dead_home_that_nobody_knows_another_region_of_ends_with_its_own_error() {
    let livekit = LiveKit::start(2).await;
    livekit.region(0).set(Fault::Refuse).await;
    let client = client(&layer());
    let error = send(&client, get(&livekit.origin(0))).await.unwrap_err();
    assert_eq!(error.attempts().len(), 1);
    assert_eq!(asked(&livekit), [0, 0]);
    assert_eq!(error.stop(), Some(Stop::Discovery));
}

#[tokio::test]
async fn a_cold_client_with_a_seed_survives_a_dead_home() {
    let livekit = LiveKit::start(3).await;
    livekit.region(0).set(Fault::Refuse).await;
    let seed = livekit.origin(2);
    let client = client(&layer_with(|d| d.seeds([seed]).unwrap()));
    let (status, region) = answer(&client, get(&livekit.origin(0))).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
    assert_eq!(asked(&livekit), [0, 0, 1]);
}

#[tokio::test]
async fn a_black_hole_at_home_is_left_for_a_region_that_a_seed_names() {
    let livekit = LiveKit::start(3).await;
    livekit.region(0).set(Fault::BlackHole).await;
    let seed = livekit.origin(2);
    let layer = layer_with(|d| d.seeds([seed]).unwrap());
    let client = client(&layer.attempt_timeout(Duration::from_millis(200)));
    let (status, region) = answer(&client, get(&livekit.origin(0))).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
    assert_eq!(asked(&livekit), [1, 0, 1]);
}

#[tokio::test]
async fn a_pinned_project_goes_where_it_may() {
    let livekit = LiveKit::start(3).await;
    let client = client(&layer());
    let call = call(&livekit.origin(0), r#"{"pinnedRegions":["region-2"]}"#);
    let (status, region) = answer(&client, call).await;
    assert_eq!((status, region.as_str()), (200, "region-2"));
    assert_eq!(asked(&livekit), [1, 0, 0]);
}
