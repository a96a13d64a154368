//! When a call is hedged.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::Method;
use tower::{Layer, Service, ServiceExt};
use tower_failover::{Budget, Health, Hedge};

use super::{DELAY, MS, S, asked, hedged, late, told};
use crate::support::{Act, Script, layer, put, request, timed};

#[tokio::test(start_paused = true)]
async fn a_delay_of_zero_hedges_what_is_not_answered_at_once() {
    let script = Script::new([Act::Hang]);
    let layer = hedged(2).hedge(Hedge::after(Duration::ZERO));
    let call = layer.layer(script.clone()).oneshot(request(Method::GET));
    let (outcome, elapsed) = timed(call).await;
    assert_eq!(told(&outcome), ["a (overtaken by a hedge)", "b (200)"]);
    assert!(elapsed <= MS, "{elapsed:?}");

    let script = Script::default();
    layer
        .layer(script.clone())
        .oneshot(request(Method::GET))
        .await
        .unwrap();
    assert_eq!(asked(&script), "a");
}

#[tokio::test(start_paused = true)]
async fn a_delay_without_end_never_hedges() {
    let script = Script::new([late(3600 * S)]);
    let layer = hedged(2).hedge(Hedge::after(Duration::MAX));
    let client = layer.attempt_timeout(None).layer(script.clone());
    client.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(asked(&script), "a");
}

#[tokio::test(start_paused = true)]
async fn a_delay_longer_than_the_attempt_timeout_has_no_effect() {
    let script = Script::new([Act::Hang, late(10 * S)]);
    let client = hedged(2).attempt_timeout(DELAY / 2).layer(script.clone());
    let (outcome, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(told(&outcome), ["a (attempt timeout)", "b (200)"]);
    assert_eq!(elapsed, DELAY / 2 + 10 * S);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_found_nowhere_to_go_in_time_is_not_hedged_later() {
    let budget = Budget::new(1.0).cap(4);
    let layer = hedged(2).budget(budget.clone()).health(Health::off());
    let script = Script::default();
    script.always("b", Act::Status(503));
    let client = layer.attempt_timeout(DELAY / 2).layer(script.clone());
    let call = || client.clone().oneshot(request(Method::GET));
    script.always("a", Act::Status(503));
    for _ in 0..4 {
        call().await.unwrap();
    }
    assert_eq!(budget.available(), 0.0);

    // There is no token for a replay when the time is over, and there is one for a hedge later.
    script.always("a", late(S));
    let slow = tokio::spawn(call());
    tokio::time::sleep(DELAY * 3 / 4).await;
    script.always("a", Act::Status(200));
    for _ in 0..4 {
        call().await.unwrap();
    }
    assert_eq!(budget.available(), 4.0);
    let before = script.asked().len();
    assert!(told(&slow.await.unwrap()).is_empty());
    assert_eq!(script.asked().len(), before);
}

/// Outside of a runtime any timer panics.
#[test]
fn a_call_that_is_answered_at_once_needs_no_timer() {
    let mut cx = Context::from_waker(Waker::noop());
    for layer in [layer(2), hedged(2), layer(2).hedge(Hedge::p95())] {
        let mut client = layer.layer(Script::default());
        let call = pin!(client.call(put("payload")));
        assert!(matches!(call.poll(&mut cx), Poll::Ready(Ok(_))));
    }
}

#[test]
fn without_a_hedge_and_timeouts_a_call_that_waits_needs_no_timer_either() {
    let mut cx = Context::from_waker(Waker::noop());
    let mut client = layer(2)
        .attempt_timeout(None)
        .layer(Script::new([Act::Hang]));
    let call = pin!(client.call(request(Method::GET)));
    assert!(call.poll(&mut cx).is_pending());
}
