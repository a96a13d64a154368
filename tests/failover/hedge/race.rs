//! How a call ends of which two requests are under way.

use std::{io::ErrorKind::ConnectionRefused, pin::pin};

use http::Method;
use tower::{Layer, Service, ServiceExt};
use tower_failover::{ErrorKind, FailoverLayer, Served};

use super::{DELAY, Ended, MS, S, after, asked, hedged, late, told};
use crate::support::{Act, Script, request, timed};

/// How a call ends, and after how many milliseconds.
async fn call(layer: FailoverLayer, script: &Script) -> (Ended, u128) {
    let mut client = layer.layer(script.clone());
    let mut call = pin!(client.call(request(Method::GET)));
    let (outcome, elapsed) = timed(&mut call).await;
    assert_eq!(script.in_flight(), 0, "the loser goes with the answer");
    (outcome, elapsed.as_millis())
}

fn status(outcome: &Ended) -> u16 {
    outcome.as_ref().unwrap().status().as_u16()
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_is_answered_first_is_the_answer() {
    let script = Script::new([Act::Hang, after(50 * MS, Act::Status(201))]);
    let (outcome, elapsed) = call(hedged(2), &script).await;
    assert_eq!((status(&outcome), elapsed), (201, 150));
    let response = outcome.as_ref().unwrap();
    let served = response.extensions().get::<Served>().unwrap();
    assert_eq!(served.region().origin().as_str(), "http://b:80");
    let times: Vec<_> = served.attempts().iter().map(|a| a.elapsed()).collect();
    assert_eq!(times, [150 * MS, 50 * MS]);
    assert!(served.attempts().iter().all(|a| a.failure().is_none()));
    assert_eq!(told(&outcome), ["a (overtaken by a hedge)", "b (201)"]);
    assert_eq!(asked(&script), "ab");
}

#[tokio::test(start_paused = true)]
async fn a_first_request_that_is_answered_first_is_the_answer() {
    let script = Script::new([late(150 * MS), Act::Hang]);
    let (outcome, elapsed) = call(hedged(2), &script).await;
    assert_eq!((status(&outcome), elapsed), (200, 150));
    assert!(told(&outcome).is_empty(), "home answered attempt 1");
    assert_eq!(asked(&script), "ab");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_answered_in_time_is_not_hedged() {
    for wait in [DELAY - MS, DELAY] {
        let script = Script::new([late(wait)]);
        let (outcome, _) = call(hedged(2), &script).await;
        assert_eq!((status(&outcome), asked(&script).as_str()), (200, "a"));
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_answers_at_the_same_time_the_first_requests_counts() {
    let script = Script::new([late(2 * DELAY), late(DELAY)]);
    let (outcome, elapsed) = call(hedged(2), &script).await;
    assert_eq!((status(&outcome), elapsed), (200, 200));
    assert!(told(&outcome).is_empty());
    assert_eq!(asked(&script), "ab");
}

#[tokio::test(start_paused = true)]
async fn a_hedge_goes_on_as_the_only_request_when_the_first_fails() {
    let script = Script::new([after(150 * MS, Act::Status(503)), late(DELAY)]);
    let (outcome, elapsed) = call(hedged(3), &script).await;
    assert_eq!((status(&outcome), elapsed), (200, 200));
    assert_eq!(told(&outcome), ["a (503)", "b (200)"]);
    assert_eq!(asked(&script), "ab");
}

#[tokio::test(start_paused = true)]
async fn the_first_request_goes_on_when_its_hedge_fails() {
    for fault in [Act::Status(503), Act::Fail(ConnectionRefused)] {
        let script = Script::new([late(3 * DELAY), fault]);
        let (outcome, elapsed) = call(hedged(3), &script).await;
        assert_eq!((status(&outcome), elapsed), (200, 300));
        assert!(told(&outcome).is_empty());
        assert_eq!(asked(&script), "ab");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failover_after_a_failed_hedge_goes_elsewhere_under_the_next_number() {
    let script = Script::new([after(3 * DELAY, Act::Status(503)), Act::Status(502)]);
    let (outcome, elapsed) = call(hedged(3), &script).await;
    assert_eq!((status(&outcome), elapsed), (200, 300));
    assert_eq!(told(&outcome), ["b (502)", "a (503)", "c (200)"]);
    assert_eq!(asked(&script), "abc");
    let numbers: Vec<_> = script.seen().iter().map(|seen| seen.attempt).collect();
    assert_eq!(numbers, [None, Some(2), Some(3)]);
}

#[tokio::test(start_paused = true)]
async fn a_failover_after_both_failed_goes_elsewhere_too() {
    let script = Script::new([
        after(150 * MS, Act::Status(503)),
        after(DELAY, Act::Status(502)),
    ]);
    let (outcome, elapsed) = call(hedged(3), &script).await;
    assert_eq!((status(&outcome), elapsed), (200, 200));
    assert_eq!(told(&outcome), ["a (503)", "b (502)", "c (200)"]);
    assert_eq!(asked(&script), "abc");
}

#[tokio::test(start_paused = true)]
async fn a_hedge_is_one_of_the_attempts() {
    let fails = |wait| after(wait, Act::Status(503));
    for (first, hedge, end) in [(300, 10, (503, 300)), (150, 100, (502, 200))] {
        let hedge = after(hedge * MS, Act::Status(502));
        let script = Script::new([fails(first * MS), hedge]);
        let (outcome, elapsed) = call(hedged(3).max_attempts(2), &script).await;
        assert_eq!((status(&outcome), elapsed), end);
        assert_eq!(asked(&script), "ab");
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_same_region_may_be_asked_again_a_hedge_counts_as_asked() {
    let script = Script::new([
        after(150 * MS, Act::Status(503)),
        after(DELAY, Act::Status(502)),
    ]);
    let (outcome, _) = call(hedged(2).retry_same_region(true), &script).await;
    assert_eq!(told(&outcome), ["a (503)", "b (502)", "a (200)"]);
    let numbers: Vec<_> = script.seen().iter().map(|seen| seen.attempt).collect();
    assert_eq!(numbers, [None, Some(2), Some(3)]);
}

#[tokio::test(start_paused = true)]
async fn a_call_of_which_neither_request_was_sent_says_so() {
    let refused = |wait| after(wait, Act::Fail(ConnectionRefused));
    for (first, hedge, told_of) in [
        (
            150,
            100,
            ["a (connection refused)", "b (connection refused)"],
        ),
        (
            300,
            10,
            ["b (connection refused)", "a (connection refused)"],
        ),
    ] {
        let script = Script::new([refused(first * MS), refused(hedge * MS)]);
        let (outcome, _) = call(hedged(2), &script).await;
        assert_eq!(told(&outcome), told_of);
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::NeverSent);
    }
}

#[tokio::test(start_paused = true)]
async fn there_are_never_two_hedges() {
    for acts in [
        vec![Act::Hang, Act::Hang],
        vec![Act::Hang, Act::Status(503), Act::Hang],
        vec![Act::Status(503), Act::Hang, Act::Hang],
        vec![after(150 * MS, Act::Status(503)), Act::Hang, Act::Hang],
    ] {
        let script = Script::new(acts);
        let client = hedged(5).attempt_timeout(None).layer(script.clone());
        let call = client.oneshot(request(Method::GET));
        assert!(tokio::time::timeout(60 * S, call).await.is_err());
        assert_eq!(asked(&script), "ab");
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_request_without_an_answer_is_given_up_after_its_own_time() {
    for attempts in [2, 3] {
        let script = Script::new([Act::Hang, late(2 * S)]);
        let layer = hedged(2).attempt_timeout(S).max_attempts(attempts);
        let mut call = pin!(layer.layer(script.clone()).oneshot(request(Method::GET)));
        let early = tokio::time::timeout(S + 10 * MS, &mut call).await;
        assert!(early.is_err(), "the hedge has a time of its own");
        assert_eq!(script.in_flight(), 1);
        let outcome = call.await;
        assert_eq!(told(&outcome), ["a (attempt timeout)", "b (200)"]);
        assert_eq!(asked(&script), "ab");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_without_an_answer_is_given_up_after_its_own_time() {
    let script = Script::new([Act::Hang, Act::Hang]);
    let (outcome, elapsed) = call(hedged(3).attempt_timeout(S), &script).await;
    assert_eq!((status(&outcome), elapsed), (200, 1100));
    let told_of = ["a (attempt timeout)", "b (attempt timeout)", "c (200)"];
    assert_eq!(told(&outcome), told_of);
    assert_eq!(asked(&script), "abc");
}
