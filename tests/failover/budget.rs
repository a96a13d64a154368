//! Whether another attempt is affordable.

use std::{future::poll_fn, io::ErrorKind::ConnectionReset, pin::pin, task::Poll, time::Duration};

use http::{Method, StatusCode};
use tower::{Layer, ServiceExt};
use tower_failover::{
    Backoff, Budget, Error, FailoverLayer, Health, Replay, Served, Stop, classify::Reason,
};

use crate::support::{
    Act, Events, Gate, Readiness, Script, layer, no_wait, request, timed, wait_of,
};

const S: Duration = Duration::from_secs(1);

/// A layer of which every call begins at home, whatever happened before.
pub(crate) fn forgetful(regions: u8, budget: &Budget) -> FailoverLayer {
    layer(regions)
        .backoff(no_wait())
        .health(Health::off())
        .budget(budget.clone())
}

/// A script in which these regions always answer 503.
pub(crate) fn failing(regions: &[&str]) -> Script {
    let script = Script::default();
    for region in regions {
        script.always(region, Act::Status(503));
    }
    script
}

/// The status that a call ends with.
pub(crate) async fn call(layer: &FailoverLayer, script: &Script) -> StatusCode {
    let client = layer.layer(script.clone());
    let response = client.oneshot(request(Method::GET)).await;
    response.unwrap().status()
}

/// Calls until no token is left.
async fn empty(layer: &FailoverLayer) {
    let script = failing(&["a", "b", "c"]);
    for _ in 0..200 {
        call(layer, &script).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_home_costs_no_call_its_success() {
    for budget in [
        Budget::default(),
        Budget::default().cap(1),
        Budget::new(0.0).cap(1),
    ] {
        let (layer, script) = (forgetful(2, &budget), failing(&["a"]));
        let before = budget.available();
        for _ in 0..1000 {
            assert_eq!(call(&layer, &script).await, StatusCode::OK);
        }
        assert_eq!(script.asked().len(), 2000);
        // All came back; without a fixed cap there are more by now, for the calls were answered.
        assert!(budget.available() >= before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_home_that_is_remembered_costs_no_call_its_success_either() {
    let budget = Budget::default();
    let (layer, script) = (layer(3).budget(budget.clone()), failing(&["a"]));
    for _ in 0..1000 {
        assert_eq!(call(&layer, &script).await, StatusCode::OK);
    }
    assert!(
        (1000..1100).contains(&script.asked().len()),
        "{}",
        script.asked().len()
    );
    assert!(budget.available() >= 5.0);
}

#[tokio::test(start_paused = true)]
async fn a_total_outage_is_amplified_by_five_replays_and_then_by_none() {
    for (layer, name) in [
        (layer(2), "default"),
        (layer(3), "three regions"),
        (layer(3).health(Health::off()), "nothing remembered"),
        (layer(1).retry_same_region(true), "the same region"),
        (layer(8).max_attempts(8).backoff(no_wait()), "many attempts"),
    ] {
        let budget = Budget::default();
        let layer = layer.budget(budget.clone());
        let script = failing(&["a", "b", "c", "d", "e", "f", "g", "h"]);
        for _ in 0..1000 {
            assert_eq!(call(&layer, &script).await, 503);
        }
        assert_eq!(script.asked().len(), 1005, "{name}");
        assert_eq!(budget.available(), 0.0, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_total_outage_is_not_amplified_more_when_all_calls_fail_at_once() {
    let budget = Budget::default();
    let layer = forgetful(3, &budget).backoff(Backoff::default());
    let script = Script::default();
    for region in ["a", "b", "c"] {
        script.always(region, Act::After(S, Box::new(Act::Status(503))));
    }
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let client = layer.layer(script.clone());
            tokio::spawn(client.oneshot(request(Method::GET)))
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 503);
    }
    assert_eq!(script.asked().len(), 205);
    assert_eq!(budget.available(), 0.0);
}

#[tokio::test(start_paused = true)]
async fn replays_that_fail_are_paid_for_by_calls_that_do_not() {
    const CALLS: usize = 3000;
    let mut rng = fastrand::Rng::with_seed(11);
    let budget = Budget::default();
    let layer = forgetful(3, &budget).max_attempts(3);
    let script =
        Script::new((0..3 * CALLS).map(|_| Act::Status(if rng.bool() { 200 } else { 503 })));
    let (mut succeeded, mut rescued) = (0, 0);
    for _ in 0..CALLS {
        let client = layer.layer(script.clone());
        let response = client.oneshot(request(Method::GET)).await.unwrap();
        if response.status() == StatusCode::OK {
            succeeded += 1;
            rescued += usize::from(response.extensions().get::<Served>().is_some());
        }
        assert!((0.0..=100.0).contains(&budget.available()));
    }
    let failed_replays = script.asked().len() - CALLS - rescued;
    assert!(
        failed_replays <= 5 + succeeded / 10,
        "{failed_replays} {succeeded}"
    );
    assert!(
        failed_replays > succeeded / 20,
        "{failed_replays} {succeeded}: the tokens are used"
    );
    assert!(rescued > 100, "{rescued}");
}

#[tokio::test(start_paused = true)]
async fn ten_answered_calls_pay_for_one_failed_replay() {
    let budget = Budget::default();
    let layer = forgetful(2, &budget);
    empty(&layer).await;
    let script = Script::default();
    for _ in 0..9 {
        call(&layer, &script).await;
    }
    let outage = failing(&["a", "b"]);
    call(&layer, &outage).await;
    assert_eq!(outage.asked(), ["a"], "nine tenths are no token");
    call(&layer, &script).await;
    call(&layer, &outage).await;
    assert_eq!(outage.asked(), ["a", "a", "b"]);
    assert_eq!(budget.available(), 0.0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_failure_is_a_deposit() {
    for status in [200, 204, 301, 400, 401, 404, 409, 422] {
        let budget = Budget::default();
        let layer = forgetful(2, &budget);
        empty(&layer).await;
        let script = Script::new([Act::Status(status)]);
        assert_eq!(call(&layer, &script).await, status);
        assert_eq!(budget.available(), 0.1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_error_is_no_deposit() {
    for status in [500, 501, 502, 503, 504, 505, 511, 599] {
        let budget = Budget::default();
        let layer = forgetful(2, &budget);
        empty(&layer).await;
        let script = failing(&["b"]);
        script.always("a", Act::Status(status));
        assert_eq!(call(&layer, &script).await, status);
        assert_eq!(budget.available(), 0.0, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_or_a_cancelled_call_is_no_deposit() {
    let budget = Budget::default();
    let layer = forgetful(2, &budget);
    empty(&layer).await;
    let script = Script::new([Act::Fail(ConnectionReset), Act::Hang]);
    let client = layer.layer(script.clone());
    client
        .clone()
        .oneshot(request(Method::GET))
        .await
        .unwrap_err();
    let call = client.oneshot(request(Method::POST));
    assert!(tokio::time::timeout(S, call).await.is_err());
    assert_eq!(script.asked().len(), 2);
    assert_eq!(budget.available(), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_call_outside_of_the_regions_is_no_deposit() {
    let budget = Budget::default();
    let layer = forgetful(2, &budget);
    empty(&layer).await;
    let script = Script::default();
    let mut request = request(Method::GET);
    *request.uri_mut() = "http://elsewhere/".parse().unwrap();
    layer.layer(script.clone()).oneshot(request).await.unwrap();
    assert_eq!(script.asked(), ["elsewhere"]);
    assert_eq!(budget.available(), 0.0);
}

#[tokio::test(start_paused = true)]
async fn deposits_follow_the_ratio_and_never_pass_the_cap() {
    for (ratio, after) in [(0.7, 0.7), (1.0, 1.0), (2.5, 2.0), (0.0, 0.0), (-1.0, 0.0)] {
        let budget = Budget::new(ratio).cap(2);
        let layer = forgetful(2, &budget);
        empty(&layer).await;
        assert_eq!(budget.available(), 0.0);
        let script = Script::default();
        call(&layer, &script).await;
        assert_eq!(budget.available(), after, "{ratio}");
        for _ in 0..50 {
            call(&layer, &script).await;
        }
        assert!(budget.available() <= 2.0);
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_replay_that_succeeds_gets_its_token_back() {
    let budget = Budget::new(0.0);
    let layer = forgetful(3, &budget);
    let script = failing(&["a", "b"]);
    assert_eq!(call(&layer, &script).await, StatusCode::OK);
    assert_eq!(script.asked(), ["a", "b", "c"]);
    assert_eq!(budget.available(), 4.0, "the replay in b was in vain");
}

#[tokio::test(start_paused = true)]
async fn a_cap_of_zero_replays_nothing() {
    let budget = Budget::default().cap(0);
    let (layer, script) = (forgetful(2, &budget), failing(&["a"]));
    for _ in 0..100 {
        assert_eq!(call(&layer, &script).await, 503);
        call(&layer, &Script::default()).await;
    }
    assert_eq!(script.asked().len(), 100);
    assert_eq!(budget.available(), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_wrong_region_sends_on_needs_no_token() {
    let budget = Budget::default().cap(0);
    for status in [421, 451] {
        let script = Script::new([Act::Status(status)]);
        assert_eq!(
            call(&forgetful(2, &budget), &script).await,
            StatusCode::OK,
            "{status}"
        );
        assert_eq!(script.asked(), ["a", "b"]);
    }
    // It does for what follows.
    let script = Script::new([Act::Status(421), Act::Status(503)]);
    assert_eq!(call(&forgetful(3, &budget), &script).await, 503);
    assert_eq!(script.asked(), ["a", "b"]);

    let budget = Budget::new(0.0).cap(1);
    let script = Script::new([Act::Status(421)]);
    assert_eq!(call(&forgetful(2, &budget), &script).await, StatusCode::OK);
    assert_eq!(budget.available(), 1.0);
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_every_call_is_replayed() {
    let budget = Budget::unlimited();
    let (layer, script) = (forgetful(3, &budget), failing(&["a", "b", "c"]));
    for _ in 0..100 {
        assert_eq!(call(&layer, &script).await, 503);
    }
    assert_eq!(script.asked().len(), 300);
    assert_eq!(budget.available(), f64::INFINITY);
}

#[tokio::test(start_paused = true)]
async fn clones_share_the_tokens() {
    let layer = layer(2).backoff(no_wait()).health(Health::off());
    let script = failing(&["a", "b"]);
    let client = layer.clone().layer(script.clone());
    let others = [client.clone(), layer.layer(script.clone()), client];
    for _ in 0..10 {
        for client in &others {
            client.clone().oneshot(request(Method::GET)).await.unwrap();
        }
    }
    assert_eq!(script.asked().len(), 35);
}

#[tokio::test(start_paused = true)]
async fn layers_that_are_given_clones_of_a_budget_share_its_tokens() {
    let budget = Budget::default();
    let script = failing(&["a", "b"]);
    for layer in [forgetful(2, &budget), forgetful(2, &budget)] {
        for _ in 0..10 {
            call(&layer, &script).await;
        }
    }
    assert_eq!(script.asked().len(), 25);
}

#[tokio::test(start_paused = true)]
async fn layers_with_budgets_of_their_own_do_not_share_tokens() {
    let script = failing(&["a", "b"]);
    let budget = Budget::default();
    for layer in [
        layer(2),
        layer(2),
        layer(2).budget(budget.clone().cap(5)),
        layer(2).budget(budget),
    ] {
        for _ in 0..10 {
            call(&layer, &script).await;
        }
    }
    assert_eq!(script.asked().len(), 60);
}

/// Polls the future once, and finds it pending.
async fn begin<F: Future>(future: &mut std::pin::Pin<&mut F>) {
    let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
    assert!(polled.is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cancelled_during_its_wait_gives_its_token_back() {
    let budget = Budget::new(0.0);
    let script = failing(&["a"]);
    let client = forgetful(2, &budget)
        .backoff(wait_of(S))
        .layer(script.clone());
    {
        let mut call = pin!(client.oneshot(request(Method::GET)));
        begin(&mut call).await;
        assert_eq!(budget.available(), 4.0);
    }
    assert_eq!(budget.available(), 5.0);
    assert_eq!(script.asked(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cancelled_before_it_is_ready_again_gives_its_token_back() {
    let budget = Budget::new(0.0);
    let script = failing(&["a"]);
    let gate = Gate::new(script.clone(), [Readiness::Now, Readiness::Never]);
    let client = forgetful(2, &budget).layer(gate.clone());
    {
        let mut call = pin!(client.oneshot(request(Method::GET)));
        begin(&mut call).await;
        assert_eq!((gate.polled(), budget.available()), (2, 4.0));
    }
    assert_eq!(budget.available(), 5.0);
    assert_eq!(script.asked(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cancelled_once_its_replay_was_sent_does_not_get_its_token_back() {
    let budget = Budget::new(0.0);
    let script = failing(&["a"]);
    script.always("b", Act::Hang);
    let client = forgetful(2, &budget).layer(script.clone());
    {
        let mut call = pin!(client.oneshot(request(Method::GET)));
        begin(&mut call).await;
        assert_eq!(script.asked(), ["a", "b"]);
    }
    assert_eq!(budget.available(), 4.0);
    assert_eq!(script.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_could_not_be_sent_gives_its_token_back() {
    for not_ready in [Readiness::Fail, Readiness::Never] {
        let budget = Budget::new(0.0);
        let script = failing(&["a"]);
        let gate = Gate::new(script.clone(), [Readiness::Now, not_ready]);
        let client = forgetful(2, &budget).layer(gate);
        client.oneshot(request(Method::GET)).await.unwrap_err();
        assert_eq!(script.asked(), ["a"]);
        assert_eq!(budget.available(), 5.0, "{not_ready:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_of_a_replay_that_could_not_be_sent_pays_for_the_next() {
    let budget = Budget::new(0.0).cap(1);
    let script = failing(&["a"]);
    let gate = Gate::new(script.clone(), [Readiness::Now, Readiness::Fail]);
    let client = forgetful(3, &budget).layer(gate);
    let response = client.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(script.asked(), ["a", "c"]);
    assert_eq!(budget.available(), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_token_ends_at_once_and_says_why() {
    let budget = Budget::default().cap(0);
    let script = Script::new([Act::Fail(ConnectionReset)]);
    let client = forgetful(2, &budget)
        .backoff(wait_of(S))
        .layer(script.clone());
    let events = Events::capture();
    let (result, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    let error: Error = result.unwrap_err();
    assert_eq!(error.stop(), Some(Stop::Budget));
    assert_eq!(error.attempts()[0].reason(), Reason::Reset);
    assert_eq!((script.asked().len(), elapsed), (1, Duration::ZERO));
    let why: Vec<_> = events
        .take()
        .into_iter()
        .filter(|line| line.message == "not replayed")
        .map(|line| line.field("why").to_owned())
        .collect();
    assert_eq!(why, ["retry budget empty"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_would_not_be_replayed_anyway_takes_no_token() {
    for (name, layer, method) in [
        ("not replayable", layer(2), Method::POST),
        ("no replays", layer(2).replay(Replay::Never), Method::GET),
        ("one attempt", layer(2).max_attempts(1), Method::GET),
        (
            "no time",
            layer(2).total_timeout(S).backoff(wait_of(S)),
            Method::GET,
        ),
        ("no region", layer(1), Method::GET),
    ] {
        let budget = Budget::new(0.0);
        let script = failing(&["a", "b"]);
        let client = layer.budget(budget.clone()).layer(script.clone());
        let response = client.oneshot(request(method)).await.unwrap();
        assert_eq!(response.status(), 503, "{name}");
        assert_eq!(
            (script.asked().len(), budget.available()),
            (1, 5.0),
            "{name}"
        );
    }
}
