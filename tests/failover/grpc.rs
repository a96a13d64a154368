//! Calls of gRPC: codes in heads, and what later attempts say of themselves.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Empty, Full};
use tower::{Layer, ServiceExt};
use tower_failover::{
    Error, FailoverLayer, Health, Override, RegionState, Replay, Served,
    classify::{Failure, FailureKind, Grpc, GrpcCode, Pushback, Reason, Verdict, from_fn},
};

use crate::support::{Act, Script, layer, no_wait};

const PREVIOUS: &str = "grpc-previous-rpc-attempts";

fn call() -> Request<Full<Bytes>> {
    let request = Request::post("http://a/echo.Echo/Unary");
    let request = request.header("content-type", "application/grpc");
    request.body(Full::new("message".into())).unwrap()
}

/// An answer in trailers-only form.
fn code(code: GrpcCode) -> Act {
    Act::StatusWith(200, "grpc-status", code.number().to_string())
}

fn grpc(n: u8) -> FailoverLayer {
    layer(n).backoff(no_wait()).classifier(Grpc)
}

type Answer = Result<Response<Empty<Bytes>>, Error>;

async fn after(layer: FailoverLayer, act: Act, request: Request<Full<Bytes>>) -> (Answer, usize) {
    let script = Script::new([act]);
    let answer = layer.layer(script.clone()).oneshot(request).await;
    (answer, script.seen().len())
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_region_hands_any_call_to_the_next() {
    let (answer, attempts) = after(grpc(2), code(GrpcCode::UNAVAILABLE), call()).await;
    let answer = answer.unwrap();
    assert!(!answer.headers().contains_key("grpc-status"));
    assert_eq!(attempts, 2);
    let served = answer.extensions().get::<Served>().unwrap();
    let first = &served.attempts()[0];
    assert_eq!(first.reason(), Reason::Grpc(GrpcCode::UNAVAILABLE));
    assert_eq!(first.failure(), Some(FailureKind::Declined));
    assert_eq!(first.to_string(), "http://a:80 (UNAVAILABLE)");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_never_replayed_is_not_after_unavailable_either() {
    let never = grpc(2).replay(Replay::Never);
    let (answer, attempts) = after(never, code(GrpcCode::UNAVAILABLE), call()).await;
    assert_eq!(answer.unwrap().headers()["grpc-status"], "14");
    assert_eq!(attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn other_failures_are_replayed_where_the_call_is_replayable() {
    let by_override = || {
        let mut request = call();
        let own = Override::new().replay(Replay::Always);
        request.extensions_mut().insert(own);
        request
    };
    let by_key = || {
        let mut request = call();
        let headers = request.headers_mut();
        headers.insert("idempotency-key", "7".parse().unwrap());
        request
    };
    for failure in [
        GrpcCode::DEADLINE_EXCEEDED,
        GrpcCode::INTERNAL,
        GrpcCode::UNKNOWN,
        GrpcCode::DATA_LOSS,
    ] {
        let number = failure.number().to_string();
        let (answer, attempts) = after(grpc(2), code(failure), call()).await;
        assert_eq!(answer.unwrap().headers()["grpc-status"], *number);
        assert_eq!(attempts, 1, "{failure}");
        for request in [by_override(), by_key()] {
            let (answer, attempts) = after(grpc(2), code(failure), request).await;
            assert!(answer.unwrap().extensions().get::<Served>().is_some());
            assert_eq!(attempts, 2, "{failure}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_any_region_would_answer_is_the_answer() {
    for number in [1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 16] {
        let answer = code(GrpcCode::from_number(number));
        let always = grpc(2).replay(Replay::Always);
        let (answer, attempts) = after(always, answer, call()).await;
        assert_eq!(
            answer.unwrap().headers()["grpc-status"],
            *number.to_string()
        );
        assert_eq!(attempts, 1, "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_code_is_what_the_caller_gets() {
    let script = Script::new([code(GrpcCode::UNAVAILABLE), code(GrpcCode::UNAVAILABLE)]);
    let answer = grpc(2).layer(script.clone()).oneshot(call()).await.unwrap();
    assert_eq!(answer.headers()["grpc-status"], "14");
    assert_eq!(script.asked(), ["a", "b"]);
    let served = answer.extensions().get::<Served>().unwrap();
    assert_eq!(served.region().origin().as_str(), "http://b:80");
}

#[tokio::test(start_paused = true)]
async fn codes_eject_as_statuses_do() {
    for (failure, is_ejected) in [
        (GrpcCode::UNAVAILABLE, true),
        // Of one method alone.
        (GrpcCode::DEADLINE_EXCEEDED, false),
        (GrpcCode::INTERNAL, false),
        (GrpcCode::CANCELLED, false),
        (GrpcCode::RESOURCE_EXHAUSTED, false),
        (GrpcCode::from_number(5), false),
    ] {
        let layer = grpc(2).health(Health::default().probe_every(Duration::MAX, Duration::MAX));
        let handle = layer.handle();
        let script = Script::default();
        script.always("a", code(failure));
        let client = layer.layer(script);
        for _ in 0..3 {
            let _ = client.clone().oneshot(call()).await.unwrap();
        }
        let home = handle.regions("http://a")[0].state();
        assert_eq!(
            home != RegionState::Healthy,
            is_ejected,
            "{failure}: {home:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn later_attempts_say_how_many_came_before() {
    let script = Script::new([code(GrpcCode::UNAVAILABLE), code(GrpcCode::UNAVAILABLE)]);
    let mut request = call();
    let headers = request.headers_mut();
    headers.insert("content-type", "application/grpc+proto".parse().unwrap());
    let _ = grpc(3)
        .layer(script.clone())
        .oneshot(request)
        .await
        .unwrap();
    let seen = script.seen();
    let said: Vec<_> = seen.iter().map(|seen| seen.header(PREVIOUS)).collect();
    assert_eq!(said, [None, Some("1"), Some("2")]);
}

#[tokio::test(start_paused = true)]
async fn what_an_outer_retry_said_gives_way() {
    let script = Script::new([code(GrpcCode::UNAVAILABLE)]);
    let mut request = call();
    let headers = request.headers_mut();
    headers.insert(PREVIOUS, "5".parse().unwrap());
    let _ = grpc(2)
        .layer(script.clone())
        .oneshot(request)
        .await
        .unwrap();
    let seen = script.seen();
    let said: Vec<_> = seen.iter().map(|seen| seen.header(PREVIOUS)).collect();
    assert_eq!(said, [Some("5"), Some("1")]);
}

#[tokio::test(start_paused = true)]
async fn only_calls_of_grpc_say_so() {
    let script = Script::new([Act::Status(503)]);
    let mut request = call();
    let headers = request.headers_mut();
    headers.insert("content-type", "application/json".parse().unwrap());
    headers.insert("idempotency-key", "7".parse().unwrap());
    let _ = grpc(2)
        .layer(script.clone())
        .oneshot(request)
        .await
        .unwrap();
    let seen = script.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|seen| seen.header(PREVIOUS).is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_region_whose_probe_says_unavailable_stays_out() {
    let (min, max) = (Duration::from_secs(1), Duration::from_secs(1));
    let layer = grpc(2).health(Health::default().probe_every(min, max));
    let handle = layer.handle();
    let refused = Act::Fail(std::io::ErrorKind::ConnectionRefused);
    let script = Script::new([refused]);
    script.on_probe("a", code(GrpcCode::UNAVAILABLE));
    let client = layer.layer(script.clone());
    let _ = client.clone().oneshot(call()).await.unwrap();
    script.probe_ended(3).await;
    let home = handle.regions("http://a")[0].state();
    assert_eq!(home, RegionState::Ejected);
    // A server that does not know the method is there.
    script.on_probe("a", code(GrpcCode::UNIMPLEMENTED));
    let back = async {
        while handle.regions("http://a")[0].state() == RegionState::Ejected {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(max * 10, back)
        .await
        .expect("it is back");
}

#[tokio::test(start_paused = true)]
async fn a_quota_of_one_caller_takes_no_region_from_others() {
    let layer = grpc(2).replay(Replay::Always).classifier(from_fn(|_| {
        let wait = Pushback::After(Duration::from_secs(30));
        let exhausted = Failure::answered_with(Reason::Grpc(GrpcCode::RESOURCE_EXHAUSTED));
        Verdict::Failed(exhausted.pushback(Some(wait)))
    }));
    let handle = layer.handle();
    let script = Script::default();
    let _ = layer.layer(script.clone()).oneshot(call()).await.unwrap();
    assert_eq!(script.asked(), ["a", "b"]);
    for region in handle.regions("http://a") {
        assert_eq!(region.state(), RegionState::Healthy);
    }
}
