//! Calls that could not be made again whatever is found do not ask.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower_failover::{Budget, FailoverLayer, Override, Replay};

use crate::support::*;

const S: Duration = Duration::from_secs(1);

/// `a` fails, and the list is there at once.
fn world(act: Act) -> World {
    let world = World::default();
    world.on("a", act).on("a?", Act::List(&["a", "b"]));
    world
}

async fn log_of(
    world: &World,
    layer: &FailoverLayer,
    request: Request<Full<Bytes>>,
) -> Vec<String> {
    let response = head_of(&world.client(layer), request).await;
    if let Ok(response) = response {
        let moved = world.count("b") == 1;
        assert_eq!(response.status().as_u16(), if moved { 200 } else { 503 });
    }
    world.log()
}

fn with(own: Override) -> Request<Full<Bytes>> {
    let mut request = get_of("a");
    request.extensions_mut().insert(own);
    request
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_be_made_once_does_not_ask() {
    for own in [
        Override::new().enabled(false),
        Override::new().replay(Replay::Never),
        Override::new().max_attempts(1),
    ] {
        let world = world(Act::Status(503));
        assert_eq!(log_of(&world, &layer(), with(own)).await, ["a"], "{own:?}");
    }
    for layer in [
        layer().replay(Replay::Never),
        layer().max_attempts(1),
        layer().budget(Budget::new(0.1).cap(0)),
    ] {
        let world = world(Act::Status(503));
        assert_eq!(
            log_of(&world, &layer, get_of("a")).await,
            ["a"],
            "{layer:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_be_made_again_asks() {
    for own in [
        Override::new(),
        Override::new().replay(Replay::Always),
        Override::new().max_attempts(2),
    ] {
        let world = world(Act::Status(503));
        let log = log_of(&world, &layer().budget(Budget::new(0.1).cap(1)), with(own)).await;
        assert_eq!(log, ["a", "a?", "b"], "{own:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_attempt_that_may_be_made_once_does_not_ask() {
    for own in [
        Override::new().enabled(false),
        Override::new().replay(Replay::Never),
        Override::new().max_attempts(1),
    ] {
        let world = world(after(10 * S, Act::Status(503)));
        let layer = layer().attempt_timeout(S);
        assert_eq!(log_of(&world, &layer, with(own)).await, ["a"], "{own:?}");
    }
    let world = world(after(10 * S, Act::Status(503)));
    let layer = layer().attempt_timeout(S).budget(Budget::new(0.1).cap(0));
    assert_eq!(log_of(&world, &layer, get_of("a")).await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_method_that_may_take_effect_twice_does_not_ask() {
    let post = |key: bool| {
        let mut request = get_of("a");
        *request.method_mut() = http::Method::POST;
        if key {
            let headers = request.headers_mut();
            headers.insert("idempotency-key", http::HeaderValue::from_static("one"));
        }
        request
    };
    let without = world(Act::Status(503));
    assert_eq!(log_of(&without, &layer(), post(false)).await, ["a"]);
    let with = world(Act::Status(503));
    assert_eq!(log_of(&with, &layer(), post(true)).await, ["a", "a?", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_cannot_be_sent_again_does_not_ask() {
    let request = |length: usize| get_of("a").map(|_| Full::from(vec![b'x'; length]));
    let layer = layer().max_replay_body(10);
    let small = world(Act::AfterBody(503));
    assert_eq!(
        log_of(&small, &layer.clone(), request(10)).await,
        ["a", "a?", "b"]
    );
    let large = world(Act::AfterBody(503));
    let other = crate::support::layer().max_replay_body(10);
    assert_eq!(log_of(&large, &other, request(11)).await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_region_that_wants_no_retry_is_heard_before_discovery_is_asked() {
    let never = world(Act::With(503, "grpc-retry-pushback-ms", "-1"));
    assert_eq!(log_of(&never, &layer(), get_of("a")).await, ["a"]);
    // That is a wish for that region alone.
    let later = world(Act::With(503, "retry-after", "3"));
    assert_eq!(
        log_of(&later, &layer(), get_of("a")).await,
        ["a", "a?", "b"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_region_that_sends_a_call_away_has_it_ask_though_failover_is_off() {
    let world = World::default();
    world.on("a", Act::Status(451)).on("a?", Act::List(&["b"]));
    let own = Override::new().enabled(false).replay(Replay::Never);
    assert_eq!(log_of(&world, &layer(), with(own)).await, ["a", "a?", "b"]);
}
