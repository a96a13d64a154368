//! What hedges cost, and what they tell of regions.

use std::{io::ErrorKind::ConnectionRefused, time::Duration};

use http::Method;
use tokio::time::timeout;
use tower::{Layer, ServiceExt};
use tower_failover::{
    Budget, Change, Failover, FailoverLayer, Health, RegionState, RegionStatus, classify::Reason,
};

use super::{DELAY, MS, S, after, asked, hedged, late, told};
use crate::support::{Act, Script, request};

/// A call that home does not answer, or answers at once.
async fn call(client: &Failover<Script>, script: &Script, is_slow: bool) {
    let act = if is_slow { late(S) } else { Act::Status(200) };
    script.always("a", act);
    let outcome = client.clone().oneshot(request(Method::GET)).await;
    assert_eq!(!told(&outcome).is_empty(), is_slow);
}

fn home(layer: &FailoverLayer) -> RegionStatus {
    layer.handle().regions("http://a").remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_overtaken_five_times_in_a_row_is_out() {
    let script = Script::default();
    let layer = hedged(2);
    let mut changes = layer.handle().subscribe();
    let client = layer.layer(script.clone());
    for _ in 0..4 {
        call(&client, &script, true).await;
        assert_eq!(home(&layer).state(), RegionState::Healthy);
    }
    call(&client, &script, true).await;
    assert_eq!(home(&layer).state(), RegionState::Ejected);
    assert_eq!(home(&layer).reason(), Some(Reason::Overtaken));
    let change = changes.recv().await.unwrap();
    let Change::Ejected { region, reason, .. } = change else {
        panic!("{change:?}");
    };
    assert_eq!(
        (region.origin().as_str(), reason),
        ("http://a:80", Reason::Overtaken)
    );
    client.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(asked(&script), "ababababab".to_owned() + "b");
}

#[tokio::test(start_paused = true)]
async fn a_region_that_was_overtaken_too_often_is_probed() {
    let script = Script::default();
    let layer = hedged(2).health(Health::default().ramp(Duration::ZERO));
    let client = layer.layer(script.clone());
    for _ in 0..5 {
        call(&client, &script, true).await;
    }
    script.on_probe("a", Act::Status(200));
    assert!(script.probes().is_empty());
    tokio::time::sleep(4 * S).await;
    let probes = script.probes();
    assert_eq!(probes.len(), 1);
    assert_eq!(probes[0].authority(), "a");
    assert_eq!(home(&layer).state(), RegionState::Healthy);
    call(&client, &script, false).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_first_starts_the_count_again() {
    let script = Script::default();
    let layer = hedged(2);
    let client = layer.layer(script.clone());
    for _ in 0..3 {
        for is_slow in [true, true, true, true, false] {
            call(&client, &script, is_slow).await;
        }
    }
    // One that was late, but not too late.
    for wait in [S, S, S, S, DELAY + 10 * MS, S, S, S, S] {
        script.always("a", late(wait));
        script.always("b", late(20 * MS));
        client.clone().oneshot(request(Method::GET)).await.unwrap();
    }
    assert_eq!(home(&layer).state(), RegionState::Healthy);
    call(&client, &script, true).await;
    assert_eq!(home(&layer).state(), RegionState::Ejected);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_remembered_nobody_is_out() {
    let script = Script::default();
    let layer = hedged(2).health(Health::off());
    let client = layer.layer(script.clone());
    for _ in 0..20 {
        call(&client, &script, true).await;
    }
    assert_eq!(home(&layer).state(), RegionState::Healthy);
    assert_eq!(asked(&script), "ab".repeat(20));
}

#[tokio::test(start_paused = true)]
async fn a_region_that_fails_a_hedge_is_probed_while_the_call_goes_on() {
    let script = Script::new([Act::Hang, Act::Fail(ConnectionRefused)]);
    let layer = hedged(2).attempt_timeout(None);
    let call = layer.layer(script.clone()).oneshot(request(Method::GET));
    assert!(timeout(4 * S, call).await.is_err());
    assert_eq!(asked(&script), "ab");
    assert_eq!(script.probes()[0].authority(), "b");
}

#[tokio::test(start_paused = true)]
async fn both_requests_that_fail_count_against_their_regions() {
    for (first, hedge) in [(150 * MS, DELAY), (3 * DELAY, MS)] {
        let script = Script::default();
        let layer = hedged(3);
        let client = layer.layer(script.clone());
        script.always("a", after(first, Act::Status(503)));
        script.always("b", after(hedge, Act::Status(503)));
        for _ in 0..2 {
            client.clone().oneshot(request(Method::GET)).await.unwrap();
        }
        let regions = layer.handle().regions("http://a");
        let states: Vec<_> = regions.iter().map(|region| region.state()).collect();
        assert_eq!(states[..2], [RegionState::Ejected; 2]);
        assert_eq!(states[2], RegionState::Healthy);
    }
}

/// What is left of five tokens after a call with these acts.
async fn left(acts: [Act; 2]) -> f64 {
    let budget = Budget::new(0.1).cap(5);
    let client = hedged(2).budget(budget.clone()).layer(Script::new(acts));
    client.oneshot(request(Method::GET)).await.unwrap();
    budget.available()
}

#[tokio::test(start_paused = true)]
async fn a_hedge_costs_a_token_whoever_is_first() {
    // A tenth is for the answer.
    assert_eq!(left([Act::Hang, Act::Status(200)]).await, 4.1);
    assert_eq!(left([late(S), Act::Hang]).await, 4.1);
    assert_eq!(left([late(S), Act::Status(503)]).await, 4.1);
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_stands_in_for_a_failed_request_is_paid_as_a_replay() {
    assert_eq!(
        left([after(150 * MS, Act::Status(503)), late(DELAY)]).await,
        5.0
    );
    let both = [
        after(150 * MS, Act::Status(503)),
        after(DELAY, Act::Status(503)),
    ];
    assert_eq!(left(both).await, 4.0);
}

#[tokio::test(start_paused = true)]
async fn hedges_leave_half_of_the_cap_to_replays() {
    // A bucket starts with five tokens at most.
    for (cap, expected) in [(0, 0), (1, 0), (2, 1), (5, 2), (8, 1), (20, 0)] {
        let budget = Budget::new(0.0).cap(cap);
        let layer = hedged(2).budget(budget.clone()).health(Health::off());
        let script = Script::default();
        let client = layer.layer(script.clone());
        let before = budget.available();
        script.always("a", late(S));
        let calls: Vec<_> = (0..20)
            .map(|_| tokio::spawn(client.clone().oneshot(request(Method::GET))))
            .collect();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        let count = |region| asked(&script).matches(region).count();
        assert_eq!((count("a"), count("b")), (20, expected), "{cap}");
        let left = before - expected as f64;
        assert_eq!(budget.available(), left, "{cap}");

        script.always("a", Act::Status(503));
        let answer = client.oneshot(request(Method::GET)).await.unwrap();
        let is_replayed = if left > 0.0 { 200 } else { 503 };
        assert_eq!(answer.status(), is_replayed, "{cap}");
    }
}

#[tokio::test(start_paused = true)]
async fn answered_calls_bring_hedges_back() {
    let budget = Budget::new(0.1).cap(5);
    let layer = hedged(2).budget(budget.clone()).health(Health::off());
    let script = Script::default();
    let client = layer.layer(script.clone());
    script.always("a", late(S));
    for _ in 0..1000 {
        client.clone().oneshot(request(Method::GET)).await.unwrap();
    }
    // The two that are there at first, and a tenth of the calls.
    let hedges = asked(&script).matches('b').count();
    assert!((100..=102).contains(&hedges), "{hedges}");
}
