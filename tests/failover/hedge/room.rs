//! The inner service's say: it takes a hedge at once or not at all.

use http::Method;
use tower::{Layer, ServiceExt, limit::ConcurrencyLimit};
use tower_failover::Budget;

use super::{S, asked, hedged, late, told};
use crate::support::{Act, Gate, Readiness, Script, request};

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_ready_at_that_moment_gets_no_hedge() {
    for readiness in [Readiness::Never, Readiness::After(S), Readiness::Fail] {
        let budget = Budget::new(0.1).cap(5);
        let script = Script::new([late(2 * S)]);
        let gate = Gate::new(script.clone(), [Readiness::Now, readiness]);
        let client = hedged(2).budget(budget.clone()).layer(gate.clone());
        let outcome = client.clone().oneshot(request(Method::GET)).await;
        assert_eq!((told(&outcome), asked(&script).as_str()), (vec![], "a"));
        assert_eq!((gate.polled(), gate.reserved()), (2, 0), "{readiness:?}");
        assert_eq!(budget.available(), 5.0, "it was never sent");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failover_after_a_hedge_that_was_not_taken_has_another_chance() {
    for readiness in [Readiness::Never, Readiness::Fail] {
        let script = Script::new([Act::Hang]);
        let gate = Gate::new(script.clone(), [Readiness::Now, readiness]);
        let client = hedged(2).attempt_timeout(S).layer(gate.clone());
        let outcome = client.oneshot(request(Method::GET)).await;
        assert_eq!(told(&outcome), ["a (attempt timeout)", "b (200)"]);
        assert_eq!((gate.polled(), gate.reserved()), (3, 0), "{readiness:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_is_ready_before_it_is_called() {
    let script = Script::new([Act::Hang]);
    let gate = Gate::new(script.clone(), []);
    let client = hedged(2).layer(gate.clone());
    client.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(asked(&script), "ab");
    assert_eq!((gate.polled(), gate.reserved()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_hedge_takes_a_permit_of_its_own_and_gives_it_back() {
    for (permits, expected) in [(1, "a"), (2, "ab")] {
        for acts in [
            [Act::Hang, Act::Hang],
            [late(S), Act::Hang],
            [late(S), Act::Status(200)],
        ] {
            let is_answered = !matches!(acts[0], Act::Hang);
            let script = Script::default();
            let [first, hedge] = acts;
            script.always("a", first);
            script.always("b", hedge);
            let limit = ConcurrencyLimit::new(script.clone(), permits);
            let client = hedged(2).attempt_timeout(None).layer(limit);
            let call = client.clone().oneshot(request(Method::GET));
            let outcome = tokio::time::timeout(2 * S, call).await;
            assert_eq!(outcome.is_ok(), is_answered);
            assert_eq!(asked(&script), expected);
            // All permits are there again.
            for region in ["a", "b"] {
                script.always(region, Act::Hang);
            }
            let calls: Vec<_> = (0..permits)
                .map(|_| {
                    let client = client.clone();
                    tokio::spawn(client.oneshot(request(Method::GET)))
                })
                .collect();
            tokio::time::sleep(50 * super::MS).await;
            assert_eq!(script.in_flight(), permits);
            calls.iter().for_each(|call| call.abort());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_permit_is_not_pushed_back_by_a_hedge() {
    let script = Script::new([late(S), late(S)]);
    let limit = ConcurrencyLimit::new(script.clone(), 1);
    let client = hedged(2).layer(limit);
    let first = tokio::spawn(client.clone().oneshot(request(Method::GET)));
    let second = tokio::spawn(client.oneshot(request(Method::GET)));
    for call in [first, second] {
        assert!(told(&call.await.unwrap()).is_empty());
    }
    assert_eq!(asked(&script), "aa");
}
