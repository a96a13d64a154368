//! A call that ends with two requests under way, by its own time or because nobody waits any more.

use http::Method;
use tokio::{runtime::Handle, time::timeout};
use tower::{Layer, ServiceExt};
use tower_failover::{Budget, ErrorKind, RegionState, Stop};

use super::{MS, S, asked, hedged, late, told};
use crate::support::{Act, Script, request, timed};

#[tokio::test(start_paused = true)]
async fn at_the_end_of_a_calls_time_both_requests_end() {
    let budget = Budget::new(0.1).cap(5);
    let script = Script::new([Act::Hang, Act::Hang]);
    let layer = hedged(3).budget(budget.clone()).total_timeout(500 * MS);
    let call = layer.layer(script.clone()).oneshot(request(Method::GET));
    let (outcome, elapsed) = timed(call).await;
    assert_eq!(elapsed, 500 * MS);
    assert_eq!(told(&outcome), ["a (total timeout)", "b (total timeout)"]);
    let error = outcome.unwrap_err();
    assert_eq!(
        (error.kind(), error.stop()),
        (ErrorKind::Timeout, Some(Stop::Deadline))
    );
    assert_eq!((asked(&script).as_str(), script.in_flight()), ("ab", 0));
    assert_eq!(budget.available(), 4.0, "the hedge bought nothing");
}

#[tokio::test(start_paused = true)]
async fn a_hedge_is_not_begun_without_the_time_that_an_attempt_needs() {
    for (min, expected) in [(400 * MS, "a"), (399 * MS, "ab")] {
        let script = Script::new([Act::Hang, Act::Hang]);
        let layer = hedged(3).total_timeout(500 * MS).min_attempt_time(min);
        let call = layer.layer(script.clone()).oneshot(request(Method::GET));
        assert_eq!(call.await.unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(asked(&script), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_a_call_ends_both_requests() {
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let budget = Budget::new(0.1).cap(5);
    let script = Script::new([Act::Hang, Act::Hang]);
    let layer = hedged(2).budget(budget.clone());
    let client = layer.layer(script.clone());
    let mut call = Box::pin(client.clone().oneshot(request(Method::GET)));
    assert!(timeout(S, &mut call).await.is_err());
    assert_eq!((asked(&script).as_str(), script.in_flight()), ("ab", 2));
    drop(call);
    assert_eq!((script.in_flight(), tasks()), (0, before));
    assert_eq!(budget.available(), 4.0, "the hedge was sent");
    let regions = layer.handle().regions("http://a");
    assert!(regions.iter().all(|r| r.state() == RegionState::Healthy));

    client.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(asked(&script), "aba");
}

#[tokio::test(start_paused = true)]
async fn dropping_callers_over_and_over_blames_nobody() {
    let script = Script::new(vec![Act::Hang; 20]);
    let layer = hedged(2);
    let client = layer.layer(script.clone());
    for _ in 0..10 {
        let call = client.clone().oneshot(request(Method::GET));
        assert!(timeout(S, call).await.is_err());
    }
    assert_eq!(asked(&script), "ab".repeat(10));
    let regions = layer.handle().regions("http://a");
    assert!(regions.iter().all(|r| r.state() == RegionState::Healthy));
}

#[tokio::test(start_paused = true)]
async fn a_late_caller_is_answered_by_whichever_request_is_done() {
    let script = Script::new([Act::Hang, late(10 * MS)]);
    let client = hedged(2).layer(script.clone());
    let mut call = Box::pin(client.oneshot(request(Method::GET)));
    assert!(timeout(105 * MS, &mut call).await.is_err());
    tokio::time::sleep(60 * S).await;
    assert_eq!(told(&call.await), ["a (overtaken by a hedge)", "b (200)"]);
    assert_eq!(asked(&script), "ab");
}
