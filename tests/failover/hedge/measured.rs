//! Hedging by the latency that is measured.

use std::{pin::pin, time::Duration};

use http::Method;
use tower::{Layer, ServiceExt};
use tower_failover::{Failover, FailoverLayer, Hedge, RegionState};

use super::{MS, S, asked, hedged, late, told};
use crate::support::{Act, Script, request};

fn measured() -> FailoverLayer {
    hedged(2).hedge(Hedge::p95())
}

/// So many calls, one after the other, that home answers after this time.
async fn calls(client: &Failover<Script>, script: &Script, n: usize, wait: Duration) {
    // The hedges of those that are late do not help.
    script.always("a", late(wait));
    script.always("b", late(wait));
    for _ in 0..n {
        let call = client.clone().oneshot(request(Method::GET));
        call.await.unwrap();
    }
}

/// After which time a call is hedged that home does not answer, if it is within a minute.
async fn hedged_after(client: &Failover<Script>, script: &Script) -> Option<Duration> {
    let before = script.seen().len();
    script.always("a", Act::Hang);
    let mut call = pin!(client.clone().oneshot(request(Method::GET)));
    let _ = tokio::time::timeout(60 * S, &mut call).await;
    let seen = &script.seen()[before..];
    Some(seen.get(1)?.at - seen[0].at)
}

fn unhurried() -> FailoverLayer {
    measured().attempt_timeout(None)
}

#[tokio::test(start_paused = true)]
async fn the_first_32_calls_are_not_hedged() {
    for (n, expected) in [(31, false), (32, true)] {
        let script = Script::default();
        let client = unhurried().layer(script.clone());
        calls(&client, &script, n, 10 * MS).await;
        let hedged = hedged_after(&client, &script).await;
        assert_eq!(hedged.is_some(), expected, "{n}: {hedged:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_delay_follows_the_latency() {
    let script = Script::default();
    let client = unhurried().layer(script.clone());
    for (n, wait) in [(300, 10 * MS), (300, 100 * MS), (1000, 10 * MS)] {
        calls(&client, &script, n, wait).await;
        let after = hedged_after(&client, &script).await.unwrap();
        // The estimate varies by a tenth where all answers take the same time.
        let near = wait * 8 / 10..=wait * 13 / 10;
        assert!(near.contains(&after), "{wait:?}: {after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn clones_share_what_is_measured() {
    let script = Script::default();
    let layer = unhurried();
    let clone = layer.clone().max_attempts(2);
    calls(&layer.layer(script.clone()), &script, 32, 10 * MS).await;
    assert!(
        hedged_after(&clone.layer(script.clone()), &script)
            .await
            .is_some()
    );

    let other = unhurried().layer(script.clone());
    assert!(hedged_after(&other, &script).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_never_hedged_are_not_measured() {
    let script = Script::default();
    let client = unhurried().layer(script.clone());
    script.always("a", late(10 * MS));
    for _ in 0..100 {
        let call = client.clone().oneshot(request(Method::POST));
        call.await.unwrap();
    }
    assert!(hedged_after(&client, &script).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_late_together_are_hedged_together() {
    let script = Script::default();
    let layer = measured();
    let client = layer.layer(script.clone());
    calls(&client, &script, 300, 10 * MS).await;
    let before = script.seen().len();

    // Each of them raises what is measured.
    script.always("a", late(S));
    script.always("b", late(60 * S));
    let calls: Vec<_> = (0..10)
        .map(|_| tokio::spawn(client.clone().oneshot(request(Method::GET))))
        .collect();
    for call in calls {
        let outcome = call.await.unwrap();
        assert!(told(&outcome).is_empty(), "{:?}", told(&outcome));
    }
    let mut asked: Vec<_> = asked(&script)[before..].chars().collect();
    asked.sort_unstable();
    assert_eq!(String::from_iter(asked), "aaaaaaaaaabbbbbbbbbb");
    let regions = layer.handle().regions("http://a");
    assert!(regions.iter().all(|r| r.state() == RegionState::Healthy));
}
