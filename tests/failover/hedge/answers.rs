//! What the two requests say, and what either of their regions may answer.

use std::io::ErrorKind::ConnectionReset;

use http::{HeaderName, HeaderValue, Method};
use tower::{Layer, ServiceExt};
use tower_failover::{
    Attempt, FailoverLayer, Health, RegionState,
    classify::{Classify, Http, Outcome, Verdict},
};

use super::{DELAY, Ended, MS, S, after, asked, hedged, late, told};
use crate::support::{Act, Script, get, request};

async fn call(layer: &FailoverLayer, script: &Script) -> Ended {
    let client = layer.layer(script.clone());
    client.oneshot(request(Method::GET)).await
}

/// How the regions are.
fn states(layer: &FailoverLayer) -> Vec<RegionState> {
    let regions = layer.handle().regions("http://a");
    regions.iter().map(|region| region.state()).collect()
}

use RegionState::{Ejected, Healthy};

#[tokio::test(start_paused = true)]
async fn a_hedge_is_marked_as_the_second_attempt() {
    let script = Script::new([Act::Hang]);
    call(&hedged(2), &script).await.unwrap();
    let seen = script.seen();
    assert_eq!(seen[0].attempt, None);
    let attempt: &Attempt = seen[1].extensions.get().unwrap();
    assert_eq!(
        (attempt.number(), attempt.region().origin().as_str()),
        (2, "http://b:80")
    );
    assert_eq!(seen[1].uri, "http://b/x?y");
    assert_eq!(seen[1].at - seen[0].at, DELAY);
    assert_eq!(seen[0].headers, seen[1].headers);
}

#[tokio::test(start_paused = true)]
async fn both_requests_carry_the_same_key() {
    let key = HeaderName::from_static("x-key");
    let script = Script::new([Act::Hang]);
    let client = hedged(2).idempotency_key(key).layer(script.clone());
    client.oneshot(request(Method::POST)).await.unwrap();
    let seen = script.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen[0].header("x-key").is_some());
    assert_eq!(seen[0].header("x-key"), seen[1].header("x-key"));
}

#[tokio::test(start_paused = true)]
async fn a_hedge_says_in_grpc_timeout_what_is_left() {
    let script = Script::new([Act::Hang]);
    let mut request = get("http://a/");
    let timeout = HeaderValue::from_static("20S");
    request.headers_mut().insert("grpc-timeout", timeout);
    let client = hedged(2).layer(script.clone());
    client.oneshot(request).await.unwrap();
    let seen = script.seen();
    assert_eq!(seen[0].header("grpc-timeout"), Some("20S"));
    let left = seen[1].header("grpc-timeout").unwrap();
    let micros: u64 = left.strip_suffix('u').unwrap().parse().unwrap();
    assert!((19_890_000..=19_900_000).contains(&micros), "{left}");
}

#[tokio::test(start_paused = true)]
async fn a_first_request_that_was_sent_away_leaves_the_call_to_its_hedge() {
    for status in [421, 451] {
        let script = Script::new([after(150 * MS, Act::Status(status)), late(DELAY)]);
        let layer = hedged(3);
        let outcome = call(&layer, &script).await;
        assert_eq!(told(&outcome), [&format!("a ({status})"), "b (200)"]);
        assert_eq!(asked(&script), "ab");
        assert_eq!(states(&layer), [Healthy; 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_was_sent_away_leaves_the_call_to_the_first_request() {
    for status in [421, 451] {
        let script = Script::new([late(3 * DELAY), Act::Status(status)]);
        let layer = hedged(3);
        assert!(told(&call(&layer, &script).await).is_empty());
        assert_eq!(asked(&script), "ab");
        assert_eq!(states(&layer), [Healthy; 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn two_regions_that_send_a_call_away_are_enough_whichever_is_first() {
    for (first, hedge) in [(150, 100), (300, 10)] {
        let away = |wait| after(wait, Act::Status(421));
        let script = Script::new([away(first * MS), away(hedge * MS)]);
        let outcome = call(&hedged(3), &script).await;
        assert_eq!(outcome.unwrap().status(), 421);
        assert_eq!(asked(&script), "ab");
    }
}

#[tokio::test(start_paused = true)]
async fn errors_can_send_a_call_away_as_well() {
    struct Away;
    impl Classify for Away {
        fn classify(&self, outcome: Outcome<'_>) -> Verdict {
            match outcome {
                Outcome::Error(_) => Verdict::WrongRegion,
                outcome => Http.classify(outcome),
            }
        }
    }
    for (first, hedge) in [(150, 100), (300, 10)] {
        let away = |wait| after(wait, Act::Fail(ConnectionReset));
        let script = Script::new([away(first * MS), away(hedge * MS)]);
        let outcome = call(&hedged(3).classifier(Away), &script).await;
        assert_eq!(told(&outcome).len(), 2);
        assert_eq!(asked(&script), "ab");
    }
}

fn busy(seconds: &str) -> Act {
    Act::StatusWith(503, "retry-after", seconds.into())
}

#[tokio::test(start_paused = true)]
async fn a_region_that_wants_to_be_left_alone_is_whichever_request_it_says_so_to() {
    for (acts, expected) in [
        (
            [after(150 * MS, busy("7")), late(DELAY)],
            [Ejected, Healthy],
        ),
        ([late(3 * DELAY), busy("7")], [Healthy, Ejected]),
    ] {
        let script = Script::new(acts);
        let layer = hedged(2);
        assert_eq!(call(&layer, &script).await.unwrap().status(), 200);
        assert_eq!(asked(&script), "ab");
        assert_eq!(states(&layer), expected);
        let regions = layer.handle().regions("http://a");
        let rest = regions
            .iter()
            .find_map(|region| region.next_probe())
            .unwrap();
        // Made longer by up to a third.
        assert!((6 * S..=9400 * MS).contains(&rest), "{rest:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_comes_back_to_the_hedges_region_waits_as_long_as_that_wished() {
    // Both fail, and the order is b first: it was asked no more often, and home is out.
    let script = Script::new([after(150 * MS, busy("9")), after(10 * MS, busy("2"))]);
    let layer = hedged(2).retry_same_region(true).health(Health::off());
    let outcome = call(&layer, &script).await;
    assert_eq!(outcome.unwrap().status(), 200);
    let seen = script.seen();
    assert_eq!(asked(&script), "aba");
    assert_eq!(
        seen[2].at - seen[0].at,
        150 * MS + 5 * S,
        "as far as that is heard"
    );
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_is_refused_as_too_much_is_not_the_answer() {
    for status in [429, 501, 505, 511] {
        let script = Script::default();
        script.always("a", late(3 * DELAY));
        script.always("b", Act::Status(status));
        let layer = hedged(2);
        for _ in 0..6 {
            let outcome = call(&layer, &script).await;
            assert_eq!(outcome.as_ref().unwrap().status(), 200);
            assert!(told(&outcome).is_empty());
        }
        assert_eq!(asked(&script), "ab".repeat(6));
        assert_eq!(states(&layer), [Healthy; 2], "{status} blames nobody");
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_request_that_is_refused_as_too_much_is_the_answer() {
    let script = Script::new([after(150 * MS, Act::Status(429)), Act::Hang]);
    let outcome = call(&hedged(2), &script).await;
    assert_eq!(outcome.unwrap().status(), 429);
    assert_eq!((asked(&script).as_str(), script.in_flight()), ("ab", 0));
}

#[tokio::test(start_paused = true)]
async fn the_only_request_that_is_left_is_the_answer_whatever_it_says() {
    let script = Script::new([
        after(150 * MS, Act::Status(503)),
        after(DELAY, Act::Status(429)),
    ]);
    let outcome = call(&hedged(3), &script).await;
    assert_eq!(told(&outcome), ["a (503)", "b (429)"]);
    assert_eq!(outcome.unwrap().status(), 429);
    assert_eq!(asked(&script), "ab");
}
