//! How long a region may take, and how long a call may.

use std::{
    convert::Infallible,
    io::ErrorKind::ConnectionReset,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Empty};
use tokio::time::{Instant, Sleep, sleep};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_failover::{
    Budget, ErrorKind, Health, Replay, Stop, classify::Reason, replay::ReplayBody,
};

use crate::support::{Act, Script, layer, no_wait, put, request, timed, wait_of};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

fn after(wait: Duration, act: Act) -> Act {
    Act::After(wait, Box::new(act))
}

fn late(seconds: u32) -> Act {
    after(seconds * S, Act::Status(200))
}

#[tokio::test(start_paused = true)]
async fn a_silent_region_is_left_after_five_seconds() {
    let script = Script::new([Act::Hang]);
    let client = layer(2).backoff(no_wait()).layer(script.clone());
    let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    assert_eq!(script.asked(), ["a", "b"]);
    assert_eq!(elapsed, 5 * S);
    assert_eq!(script.in_flight(), 0, "the silent attempt was dropped");
}

#[tokio::test(start_paused = true)]
async fn an_answer_within_the_attempt_timeout_is_waited_for() {
    for wait in [2 * S - MS, 2 * S] {
        let script = Script::new([after(wait, Act::Status(200))]);
        let client = layer(2).attempt_timeout(2 * S).layer(script.clone());
        let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
        assert_eq!(response.unwrap().status(), StatusCode::OK);
        assert_eq!((script.asked().len(), elapsed), (1, wait));
    }
}

#[tokio::test(start_paused = true)]
async fn each_attempt_but_the_last_has_the_whole_attempt_timeout() {
    let script = Script::new([late(9), late(9), late(9)]);
    let client = layer(4)
        .attempt_timeout(2 * S)
        .backoff(no_wait())
        .layer(script.clone());
    let start = Instant::now();
    let response = client.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let at: Vec<_> = script.seen().iter().map(|seen| seen.at - start).collect();
    assert_eq!(at, [Duration::ZERO, 2 * S, 4 * S]);
    assert_eq!(start.elapsed(), 13 * S, "the third and last took its 9 s");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_nothing_can_follow_has_no_timeout() {
    let always = || layer(2).replay(Replay::Always);
    for (name, layer, method) in [
        ("a single region", layer(1), Method::GET),
        ("a single attempt", layer(2).max_attempts(1), Method::GET),
        ("0 attempts", layer(2).max_attempts(0), Method::GET),
        ("a POST", layer(2), Method::POST),
        ("no replays", layer(2).replay(Replay::Never), Method::GET),
        (
            "the timeout off",
            always().attempt_timeout(None),
            Method::POST,
        ),
    ] {
        let script = Script::new([late(3600)]);
        let client = layer.layer(script.clone());
        let (response, elapsed) = timed(client.oneshot(request(method))).await;
        assert_eq!(response.unwrap().status(), StatusCode::OK, "{name}");
        assert_eq!((script.asked().len(), elapsed), (1, 3600 * S), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_something_can_follow_has_a_timeout() {
    let key = http::HeaderName::from_static("x-key");
    for (name, layer, method, second) in [
        ("a PUT", layer(2), Method::PUT, "b"),
        (
            "a POST that may",
            layer(2).replay(Replay::Always),
            Method::POST,
            "b",
        ),
        (
            "a POST with a key",
            layer(2).idempotency_key(key),
            Method::POST,
            "b",
        ),
        (
            "the same region",
            layer(1).retry_same_region(true),
            Method::GET,
            "a",
        ),
    ] {
        let script = Script::new([Act::Hang]);
        let client = layer.backoff(no_wait()).layer(script.clone());
        let (response, elapsed) = timed(client.oneshot(request(method))).await;
        assert_eq!(response.unwrap().status(), StatusCode::OK, "{name}");
        assert_eq!(script.asked(), ["a", second], "{name}");
        assert_eq!(elapsed, 5 * S, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_body_of_a_response_may_take_longer_than_all_timeouts() {
    let client = service_fn(|_: Request<ReplayBody<Empty<Bytes>>>| async {
        let timer = Box::pin(sleep(20 * S));
        Ok::<_, Infallible>(Response::new(Slow { timer, left: 2 }))
    });
    let client = layer(2)
        .attempt_timeout(S)
        .total_timeout(2 * S)
        .layer(client);
    let response = client.oneshot(request(Method::GET)).await.unwrap();
    let (body, elapsed) = timed(response.into_body().collect()).await;
    assert_eq!(body.unwrap().to_bytes(), "..");
    assert_eq!(elapsed, 40 * S);
}

/// A body of two dots, each after 20 s.
struct Slow {
    timer: Pin<Box<Sleep>>,
    left: u32,
}

impl http_body::Body for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        ready!(self.timer.as_mut().poll(cx));
        self.left -= 1;
        self.timer = Box::pin(sleep(20 * S));
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b".")))))
    }
}

#[tokio::test(start_paused = true)]
async fn with_an_empty_budget_an_attempt_goes_on_and_its_late_answer_is_returned() {
    for status in [200, 404, 503] {
        let script = Script::new([after(60 * S, Act::Status(status))]);
        let client = layer(2)
            .budget(Budget::default().cap(0))
            .layer(script.clone());
        let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
        assert_eq!(response.unwrap().status(), status);
        assert_eq!((script.asked().len(), elapsed), (1, 60 * S));
    }
}

#[tokio::test(start_paused = true)]
async fn with_an_empty_budget_an_attempt_goes_on_and_its_late_error_is_returned() {
    let script = Script::new([after(60 * S, Act::Fail(ConnectionReset))]);
    let client = layer(2)
        .budget(Budget::default().cap(0))
        .layer(script.clone());
    let (result, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    let error = result.unwrap_err();
    assert_eq!(
        (error.kind(), error.stop()),
        (ErrorKind::Unknown, Some(Stop::Budget))
    );
    assert_eq!(error.attempts()[0].reason(), Reason::Reset);
    assert_eq!(error.attempts()[0].elapsed(), 60 * S);
    assert_eq!((script.asked().len(), elapsed), (1, 60 * S));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_went_on_still_ends_with_the_total_time() {
    let script = Script::new([Act::Hang]);
    let client = layer(2)
        .budget(Budget::default().cap(0))
        .total_timeout(7 * S)
        .layer(script.clone());
    let (result, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!((script.asked().len(), elapsed), (1, 7 * S));
}

#[tokio::test(start_paused = true)]
async fn with_a_body_over_the_cap_an_attempt_goes_on_and_its_late_answer_is_returned() {
    let script = Script::new([Act::AfterBody(Box::new(late(60)))]);
    let client = layer(2).max_replay_body(10).layer(script.clone());
    let (response, elapsed) = timed(client.oneshot(put("01234567890"))).await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    assert_eq!((script.asked().len(), elapsed), (1, 60 * S));
    assert_eq!(script.seen()[0].body, "01234567890");
}

#[tokio::test(start_paused = true)]
async fn with_a_body_at_the_cap_an_attempt_does_not_go_on() {
    let script = Script::new([Act::AfterBody(Box::new(late(60)))]);
    let client = layer(2)
        .max_replay_body(10)
        .backoff(no_wait())
        .layer(script.clone());
    let (response, elapsed) = timed(client.oneshot(put("0123456789"))).await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    assert_eq!((script.asked().len(), elapsed), (2, 5 * S));
    assert!(script.seen().iter().all(|seen| seen.body == "0123456789"));
}

#[tokio::test(start_paused = true)]
async fn the_total_time_bounds_all_attempts_together() {
    let script = Script::new([Act::Hang, Act::Hang, Act::Hang]);
    let client = layer(3)
        .attempt_timeout(2 * S)
        .total_timeout(5 * S)
        .backoff(no_wait())
        .layer(script.clone());
    let (result, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    let error = result.unwrap_err();
    assert_eq!(
        (error.kind(), error.stop()),
        (ErrorKind::Timeout, Some(Stop::Deadline))
    );
    let attempts: Vec<_> = error
        .attempts()
        .iter()
        .map(|a| (a.reason(), a.elapsed()))
        .collect();
    assert_eq!(
        attempts,
        [
            (Reason::AttemptTimeout, 2 * S),
            (Reason::AttemptTimeout, 2 * S),
            (Reason::TotalTimeout, S),
        ]
    );
    assert_eq!(script.asked(), ["a", "b", "c"]);
    assert_eq!(elapsed, 5 * S);
    assert_eq!(script.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_total_time_bounds_waits_as_well() {
    let script = Script::new([Act::Status(503), Act::Status(503), Act::Hang]);
    let client = layer(3)
        .total_timeout(5 * S)
        .backoff(wait_of(2 * S))
        .layer(script.clone());
    let (result, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!((script.asked().len(), elapsed), (3, 5 * S));
}

#[tokio::test(start_paused = true)]
async fn the_total_time_runs_from_the_call_even_if_nobody_waits_yet() {
    let script = Script::new([Act::Hang]);
    let mut client = layer(1).total_timeout(5 * S).layer(script.clone());
    let start = Instant::now();
    let response = ServiceExt::<Request<Empty<Bytes>>>::ready(&mut client)
        .await
        .unwrap()
        .call(request(Method::GET));
    sleep(3 * S).await;
    assert_eq!(response.await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!((script.asked().len(), start.elapsed()), (1, 5 * S));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_there_when_the_total_time_ends_is_returned() {
    let script = Script::new([late(5)]);
    let client = layer(1).total_timeout(5 * S).layer(script.clone());
    let response = client.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(script.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_cannot_end_in_time_is_not_begun_and_the_answer_at_hand_is_returned() {
    for wait in [3 * S, 3 * S + MS, Duration::MAX] {
        let script = Script::new([Act::Status(503)]);
        let client = layer(2)
            .total_timeout(3 * S)
            .backoff(wait_of(wait))
            .layer(script.clone());
        let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
        assert_eq!(response.unwrap().status(), 503);
        assert_eq!((script.asked().len(), elapsed), (1, Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_cannot_end_in_time_is_not_begun_and_the_error_at_hand_is_returned() {
    let script = Script::new([Act::Fail(ConnectionReset)]);
    let client = layer(2)
        .total_timeout(3 * S)
        .backoff(wait_of(3 * S))
        .layer(script.clone());
    let (result, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    let error = result.unwrap_err();
    assert_eq!(
        (error.kind(), error.stop()),
        (ErrorKind::Unknown, Some(Stop::Deadline))
    );
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!((script.asked().len(), elapsed), (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_can_end_in_time_is_begun() {
    let script = Script::new([Act::Status(503)]);
    let client = layer(2)
        .total_timeout(3 * S)
        .backoff(wait_of(3 * S - MS))
        .layer(script.clone());
    let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    assert_eq!((script.asked().len(), elapsed), (2, 3 * S - MS));
}

#[tokio::test(start_paused = true)]
async fn what_is_left_decides_and_not_what_the_call_began_with() {
    let script = Script::new([after(9 * S, Act::Status(503))]);
    let client = layer(2)
        .attempt_timeout(None)
        .total_timeout(10 * S)
        .backoff(wait_of(2 * S))
        .layer(script.clone());
    let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(response.unwrap().status(), 503);
    assert_eq!((script.asked().len(), elapsed), (1, 9 * S));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_whose_timeout_leaves_no_time_for_another_goes_on() {
    let script = Script::new([late(9)]);
    let client = layer(2)
        .attempt_timeout(8 * S)
        .total_timeout(10 * S)
        .backoff(wait_of(2 * S))
        .layer(script.clone());
    let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    assert_eq!((script.asked().len(), elapsed), (1, 9 * S));
}

#[tokio::test(start_paused = true)]
async fn no_attempt_starts_with_less_than_the_minimal_time_left() {
    for min in [6 * S + MS, 10 * S, 11 * S, Duration::MAX] {
        let script = Script::new([Act::Status(503)]);
        let client = layer(2)
            .total_timeout(10 * S)
            .min_attempt_time(min)
            .backoff(wait_of(4 * S))
            .layer(script.clone());
        let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
        assert_eq!(response.unwrap().status(), 503, "{min:?}");
        assert_eq!(
            (script.asked().len(), elapsed),
            (1, Duration::ZERO),
            "{min:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_starts_with_the_minimal_time_left() {
    let script = Script::new([Act::Status(503)]);
    let client = layer(2)
        .total_timeout(10 * S)
        .min_attempt_time(6 * S - MS)
        .backoff(wait_of(4 * S))
        .layer(script.clone());
    let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    assert_eq!((script.asked().len(), elapsed), (2, 4 * S));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_would_end_at_the_very_last_moment_loses_no_outcome() {
    const US: Duration = Duration::from_micros(1);
    for (total, min, wait) in [
        (10 * S, 6 * S, 4 * S),
        (10 * S, 6 * S, 4 * S - 300 * US),
        (10 * S, Duration::ZERO, 10 * S - 300 * US),
        (10 * S + 500 * US, Duration::ZERO, 10 * S + 200 * US),
        (500 * US, Duration::ZERO, 200 * US),
    ] {
        let script = Script::new([Act::Status(503)]);
        let client = layer(2)
            .total_timeout(total)
            .min_attempt_time(min)
            .backoff(wait_of(wait))
            .layer(script.clone());
        let response = client.oneshot(request(Method::GET)).await.unwrap();
        // Both are in order: the answer at hand, or another attempt that is made.
        let expected = if script.asked().len() == 1 { 503 } else { 200 };
        assert_eq!(response.status(), expected, "{total:?} {min:?} {wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_minimal_time_matters_only_where_there_is_a_total_time() {
    let script = Script::new([Act::Status(503)]);
    let client = layer(2)
        .min_attempt_time(Duration::MAX)
        .layer(script.clone());
    let response = client.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(script.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_first_attempt_is_made_whatever_the_minimal_time() {
    let script = Script::default();
    let client = layer(2)
        .total_timeout(S)
        .min_attempt_time(Duration::MAX)
        .layer(script.clone());
    let response = client.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(script.asked().len(), 1);
}

fn with_grpc_timeout(value: &'static str) -> Request<Empty<Bytes>> {
    let mut request = request(Method::GET);
    let value = http::HeaderValue::from_static(value);
    request.headers_mut().insert("grpc-timeout", value);
    request
}

#[tokio::test(start_paused = true)]
async fn a_grpc_timeout_is_a_total_timeout() {
    for (header, total) in [
        ("3S", None),
        ("3S", Some(4 * S)),
        ("4S", Some(3 * S)),
        ("99999999H", Some(3 * S)),
    ] {
        let script = Script::new([Act::Hang, Act::Hang]);
        let client = layer(2)
            .total_timeout(total)
            .attempt_timeout(2 * S)
            .backoff(no_wait())
            .layer(script.clone());
        let (result, elapsed) = timed(client.oneshot(with_grpc_timeout(header))).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(
            (script.asked().len(), elapsed),
            (2, 3 * S),
            "{header} {total:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn each_later_attempt_is_told_what_is_left_of_the_grpc_timeout() {
    let script = Script::new([Act::Hang, Act::Status(503)]);
    let client = layer(3)
        .attempt_timeout(2 * S)
        .backoff(wait_of(500 * MS))
        .layer(script.clone());
    client.oneshot(with_grpc_timeout("10S")).await.unwrap();
    let told: Vec<_> = script
        .seen()
        .iter()
        .map(|seen| seen.header("grpc-timeout").unwrap().to_owned())
        .collect();
    assert_eq!(told, ["10S", "7500000u", "7000000u"]);
}

#[tokio::test(start_paused = true)]
async fn a_later_attempt_is_told_the_total_timeout_where_that_is_shorter() {
    let script = Script::new([Act::Status(503)]);
    let client = layer(2)
        .total_timeout(10 * S)
        .backoff(wait_of(2 * S))
        .layer(script.clone());
    client.oneshot(with_grpc_timeout("1H")).await.unwrap();
    assert_eq!(script.seen()[1].header("grpc-timeout"), Some("8000000u"));
}

#[tokio::test(start_paused = true)]
async fn a_grpc_timeout_that_is_none_limits_nothing_and_is_passed_on() {
    for header in ["3s", "S", "-3S", "123456789S"] {
        let script = Script::new([Act::Status(503), late(3600)]);
        let client = layer(2).total_timeout(2 * 3600 * S).layer(script.clone());
        let response = client.oneshot(with_grpc_timeout(header)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{header}");
        let seen = script.seen();
        assert_eq!(seen.len(), 2, "{header}");
        assert!(
            seen.iter()
                .all(|seen| seen.header("grpc-timeout") == Some(header))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_grpc_timeout_is_added() {
    let script = Script::new([Act::Status(503)]);
    let client = layer(2).total_timeout(9 * S).layer(script.clone());
    client.oneshot(request(Method::GET)).await.unwrap();
    let seen = script.seen();
    assert_eq!(seen.len(), 2);
    assert!(
        seen.iter()
            .all(|seen| seen.header("grpc-timeout").is_none())
    );
}

#[tokio::test(start_paused = true)]
async fn timeouts_without_end_do_not_end() {
    const FAR: Duration = Duration::from_secs(i64::MAX as u64 / 2);
    for timeout in [Duration::MAX, FAR, 100 * 365 * 86_400 * S] {
        let script = Script::new([late(3600), after(3600 * S, Act::Status(503))]);
        let client = layer(2)
            .attempt_timeout(timeout)
            .total_timeout(timeout)
            .layer(script.clone());
        let (response, elapsed) = timed(client.clone().oneshot(request(Method::GET))).await;
        assert_eq!(response.unwrap().status(), StatusCode::OK, "{timeout:?}");
        assert_eq!(
            (script.asked().len(), elapsed),
            (1, 3600 * S),
            "{timeout:?}"
        );
        let response = client.oneshot(request(Method::GET)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{timeout:?}");
        assert_eq!(script.asked(), ["a", "a", "b"], "{timeout:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_timeout_of_zero_takes_only_an_answer_that_is_there_at_once() {
    let script = Script::new([Act::Status(201), Act::Hang, late(60)]);
    let client = layer(2)
        .attempt_timeout(Duration::ZERO)
        .backoff(no_wait())
        .health(Health::off())
        .layer(script.clone());
    let (response, elapsed) = timed(client.clone().oneshot(request(Method::GET))).await;
    assert_eq!(response.unwrap().status(), 201);
    assert_eq!((script.asked().len(), elapsed), (1, Duration::ZERO));
    let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    assert_eq!(script.asked(), ["a", "a", "b"]);
    assert_eq!(elapsed, 60 * S, "the last attempt has no timeout");
}

#[tokio::test(start_paused = true)]
async fn a_total_timeout_of_zero_takes_only_an_answer_that_is_there_at_once() {
    let script = Script::new([Act::Status(201), Act::Status(503), Act::Hang]);
    let client = layer(2)
        .total_timeout(Duration::ZERO)
        .backoff(no_wait())
        .layer(script.clone());
    for expected in [Some(201), Some(503), None] {
        let (result, elapsed) = timed(client.clone().oneshot(request(Method::GET))).await;
        match (expected, result) {
            (Some(status), Ok(response)) => assert_eq!(response.status(), status),
            (None, Err(error)) => assert_eq!(error.kind(), ErrorKind::Timeout),
            (_, result) => panic!("{result:?} instead of {expected:?}"),
        }
        assert!(elapsed <= MS, "{elapsed:?}");
    }
    assert_eq!(script.asked(), ["a", "a", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_total_timeout_that_is_taken_back_is_none() {
    let script = Script::new([late(3600)]);
    let client = layer(1)
        .total_timeout(S)
        .total_timeout(None)
        .layer(script.clone());
    let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    assert_eq!((script.asked().len(), elapsed), (1, 3600 * S));
}
