use std::{error::Error as _, future::ready, io, time::Duration};

use bytes::Bytes;
use http::{HeaderName, Method, Request};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt};
use tower_failover::{
    Error, ErrorKind, FailoverLayer, Replay, Served, Stop,
    classify::{self, Blame, Classify, Failure, FailureKind, Http, Outcome, Reason, Verdict},
};

use crate::support::{Act, Script, get, layer, no_wait, put, request, timed, wait_of};

const IDEMPOTENT: [&str; 6] = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"];
/// HTTP's methods are case-sensitive.
const OTHER: [&str; 6] = ["POST", "PATCH", "CONNECT", "PROPFIND", "get", "QUERY"];

fn method(name: &str) -> Method {
    Method::from_bytes(name.as_bytes()).unwrap()
}

/// The status a call ends with, and where its attempts went.
async fn outcome<B>(
    layer: FailoverLayer,
    acts: impl IntoIterator<Item = Act>,
    request: Request<B>,
) -> (Result<u16, Error>, Vec<String>)
where
    B: Body<Error = std::convert::Infallible> + Unpin + Send + 'static,
{
    let script = Script::new(acts);
    let result = layer.layer(script.clone()).oneshot(request).await;
    assert_eq!(script.in_flight(), 0);
    (
        result.map(|response| response.status().as_u16()),
        script.asked(),
    )
}

#[tokio::test(start_paused = true)]
async fn what_may_be_sent_again_depends_on_method_failure_and_policy() {
    let failures = [
        (
            FailureKind::NeverSent,
            Act::Fail(io::ErrorKind::ConnectionRefused),
        ),
        (
            FailureKind::Unknown,
            Act::FailAfterBody(io::ErrorKind::ConnectionReset),
        ),
        (FailureKind::Unknown, Act::Fail(io::ErrorKind::Other)),
        (FailureKind::Answered, Act::Status(503)),
        (FailureKind::Answered, Act::Early(500)),
    ];
    for name in IDEMPOTENT.into_iter().chain(OTHER) {
        for (kind, act) in &failures {
            for policy in [Replay::Safe, Replay::Always, Replay::Never] {
                let replayed = match (kind, policy) {
                    (FailureKind::NeverSent, _) | (_, Replay::Always) => true,
                    (_, Replay::Never) => false,
                    _ => IDEMPOTENT.contains(&name),
                };
                let layer = layer(2).replay(policy);
                let (result, asked) = outcome(layer, [act.clone()], request(method(name))).await;
                let case = format!("{name} {act:?} {policy:?}: {result:?}");
                if replayed {
                    assert_eq!(asked, ["a", "b"], "{case}");
                    assert_eq!(result.unwrap(), 200);
                } else {
                    assert_eq!(asked, ["a"], "{case}");
                    assert_ne!(result.unwrap_or(0), 200);
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_policy_is_safe_by_default() {
    let failure = || [Act::Status(503)];
    let (_, asked) = outcome(layer(2), failure(), request(Method::POST)).await;
    assert_eq!(asked, ["a"]);
    let (_, asked) = outcome(layer(2), failure(), request(Method::PUT)).await;
    assert_eq!(asked, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_makes_any_method_replayable_unless_the_policy_is_never() {
    for name in OTHER {
        for (policy, expected) in [(Replay::Safe, 2), (Replay::Always, 2), (Replay::Never, 1)] {
            for act in [Act::Status(503), Act::Fail(io::ErrorKind::ConnectionReset)] {
                let mut request = request(method(name));
                request
                    .headers_mut()
                    .insert("idempotency-key", "k".parse().unwrap());
                let (_, asked) = outcome(layer(2).replay(policy), [act], request).await;
                assert_eq!(asked.len(), expected, "{name} {policy:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stamped_key_makes_a_post_replayable_unless_the_policy_is_never() {
    for (policy, expected) in [(Replay::Safe, 2), (Replay::Never, 1)] {
        let key = HeaderName::from_static("x-key");
        let layer = layer(2).replay(policy).idempotency_key(key);
        let (_, asked) = outcome(layer, [Act::Status(503)], request(Method::POST)).await;
        assert_eq!(asked.len(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn every_status_is_final_but_some_above_500_and_the_wrong_region() {
    for status in 200..=999 {
        let (result, asked) = outcome(layer(2), [Act::Status(status)], get("http://a/")).await;
        match status {
            421 | 451 | 500 | 502..=504 | 506..=510 | 512.. => {
                assert_eq!((result.unwrap(), asked.len()), (200, 2), "{status}");
            }
            _ => assert_eq!((result.unwrap(), asked.len()), (status, 1), "{status}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_requests_is_final_with_and_without_a_hint() {
    for name in ["GET", "POST"] {
        let acts = [Act::StatusWith(429, "retry-after", "1".into())];
        let (result, asked) = outcome(layer(2), acts, request(method(name))).await;
        assert_eq!((result.unwrap(), asked.len()), (429, 1));
        let acts = [Act::Status(429)];
        let (result, asked) = outcome(layer(2), acts, request(method(name))).await;
        assert_eq!((result.unwrap(), asked.len()), (429, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_are_counted_with_the_first_and_zero_reads_as_one() {
    let failures = || vec![Act::Status(503); 9];
    for (max, expected) in [
        (0, 1),
        (1, 1),
        (2, 2),
        (3, 3),
        (4, 4),
        (5, 4),
        (u32::MAX, 4),
    ] {
        let layer = layer(4).max_attempts(max);
        let (result, asked) = outcome(layer, failures(), get("http://a/")).await;
        assert_eq!(result.unwrap(), 503);
        assert_eq!(asked, ["a", "b", "c", "d"][..expected], "{max}");
    }
}

#[tokio::test(start_paused = true)]
async fn three_attempts_are_the_default() {
    let (_, asked) = outcome(layer(5), vec![Act::Status(503); 9], get("http://a/")).await;
    assert_eq!(asked, ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn no_attempt_follows_a_success() {
    for failed in 0..3 {
        let acts = vec![Act::Status(500); failed];
        let (result, asked) = outcome(layer(5), acts, get("http://a/")).await;
        assert_eq!((result.unwrap(), asked.len()), (200, failed + 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_region_is_asked_once() {
    for act in [
        Act::Status(503),
        Act::Fail(io::ErrorKind::ConnectionRefused),
    ] {
        let (result, asked) = outcome(layer(1), [act], get("http://a/")).await;
        assert_ne!(result.unwrap_or(0), 200);
        assert_eq!(asked, ["a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_region_is_asked_again_only_when_allowed_and_all_were_tried() {
    let ask = async |regions, again| {
        let layer = layer(regions).max_attempts(5).retry_same_region(again);
        let (result, asked) = outcome(layer, vec![Act::Status(503); 9], get("http://a/")).await;
        assert_eq!(result.unwrap(), 503);
        asked.concat()
    };
    assert_eq!(ask(1, true).await, "aaaaa");
    assert_eq!(ask(1, false).await, "a");
    assert_eq!(ask(2, true).await, "ababa");
    assert_eq!(ask(2, false).await, "ab");
    assert_eq!(ask(3, true).await, "abcab");
    assert_eq!(ask(9, true).await, "abcde");
}

#[tokio::test(start_paused = true)]
async fn the_wrong_region_sends_any_request_on_at_once() {
    for status in [421, 451] {
        for name in IDEMPOTENT.into_iter().chain(OTHER) {
            for policy in [Replay::Safe, Replay::Always, Replay::Never] {
                let layer = layer(2).replay(policy).backoff(wait_of(Duration::MAX));
                let call = outcome(layer, [Act::Status(status)], request(method(name)));
                let ((result, asked), took) = timed(call).await;
                assert_eq!(result.unwrap(), 200, "{status} {name} {policy:?}");
                assert_eq!(asked, ["a", "b"]);
                assert_eq!(took, Duration::ZERO);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_wrong_region_sends_the_body_on() {
    let script = Script::new([Act::Status(421)]);
    let client = layer(2).layer(script.clone());
    client.oneshot(put("body")).await.unwrap();
    let bodies: Vec<_> = script.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, ["body", "body"]);
}

#[tokio::test(start_paused = true)]
async fn a_second_wrong_region_is_final() {
    for (one, two) in [(421, 421), (421, 451), (451, 421)] {
        let acts = [Act::Status(one), Act::Status(two)];
        let (result, asked) = outcome(layer(5), acts, get("http://a/")).await;
        assert_eq!((result.unwrap(), asked.len()), (two, 2));
    }
    let acts = [Act::Status(421), Act::Status(503), Act::Status(421)];
    let (result, asked) = outcome(layer(5), acts, get("http://a/")).await;
    assert_eq!((result.unwrap(), asked.len()), (421, 3));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_region_uses_an_attempt_and_needs_another_region() {
    for layer in [layer(2).max_attempts(1), layer(1)] {
        let (result, asked) = outcome(layer, [Act::Status(421)], get("http://a/")).await;
        assert_eq!((result.unwrap(), asked.len()), (421, 1));
    }
    let acts = [Act::Status(503), Act::Status(421)];
    let (result, asked) = outcome(layer(2), acts.clone(), get("http://a/")).await;
    assert_eq!((result.unwrap(), asked.len()), (421, 2));
    let (result, asked) = outcome(layer(3), acts, get("http://a/")).await;
    assert_eq!((result.unwrap(), asked.len()), (200, 3));
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_the_wrong_one_is_not_asked_again() {
    let layer = layer(1).retry_same_region(true);
    let (result, asked) = outcome(layer, [Act::Status(421)], get("http://a/")).await;
    assert_eq!(asked, ["a"]);
    assert_eq!(result.unwrap(), 421);
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_the_wrong_one_is_not_asked_again_after_others_failed() {
    for status in [421, 451] {
        let layer = layer(2).max_attempts(4).retry_same_region(true);
        let acts = [Act::Status(status), Act::Status(503), Act::Status(503)];
        let (result, asked) = outcome(layer, acts, get("http://a/")).await;
        assert_eq!(asked.concat(), "abbb");
        assert_eq!(result.unwrap(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_out_is_not_asked_again_while_another_is_in() {
    let layer = || layer(2).max_attempts(4).retry_same_region(true);
    let refused = || Act::Fail(io::ErrorKind::ConnectionRefused);
    let acts = [refused(), Act::Status(500), Act::Status(500)];
    let (result, asked) = outcome(layer(), acts, get("http://a/")).await;
    assert_eq!(asked.concat(), "abbb");
    assert_eq!(result.unwrap(), 200);
    // When all are out, the one that was asked least often is.
    let acts = [refused(), refused(), refused()];
    let (result, asked) = outcome(layer(), acts, get("http://a/")).await;
    assert_eq!(asked.concat(), "abab");
    assert_eq!(result.unwrap(), 200);
}

#[tokio::test(start_paused = true)]
async fn what_follows_a_wrong_region_is_replayed_by_the_usual_rules() {
    let acts = || [Act::Status(421), Act::Status(503)];
    let (result, asked) = outcome(layer(3), acts(), request(Method::POST)).await;
    assert_eq!((result.unwrap(), asked.len()), (503, 2));
    let (result, asked) = outcome(layer(3), acts(), request(Method::GET)).await;
    assert_eq!((result.unwrap(), asked.len()), (200, 3));
}

#[tokio::test(start_paused = true)]
async fn wrong_regions_are_not_held_against_them() {
    let script = Script::default();
    script.always("a", Act::Status(421));
    let client = layer(2).layer(script.clone());
    for _ in 0..5 {
        client.clone().oneshot(get("http://a/")).await.unwrap();
    }
    assert_eq!(script.asked().concat(), "ababababab");
}

#[tokio::test(start_paused = true)]
async fn when_nothing_helps_the_last_response_is_returned_as_it_is() {
    let script = Script::new([
        Act::Status(503),
        Act::Fail(io::ErrorKind::ConnectionRefused),
        Act::StatusWith(504, "x-region", "c".into()),
    ]);
    let client = layer(3).layer(script.clone());
    let response = client.oneshot(get("http://a/")).await.unwrap();
    assert_eq!(response.status(), 504);
    assert_eq!(response.headers()["x-region"], "c");
    assert_eq!(response.headers().len(), 1);
    let served: &Served = response.extensions().get().unwrap();
    assert_eq!(served.attempts().len(), 3);
    assert_eq!(script.seen().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn when_nothing_helps_the_last_error_is_returned_with_its_source() {
    let acts = [
        Act::Status(503),
        Act::Fail(io::ErrorKind::ConnectionRefused),
        Act::Fail(io::ErrorKind::BrokenPipe),
    ];
    let (result, asked) = outcome(layer(3), acts, get("http://a/")).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert_eq!(error.stop(), Some(Stop::Attempts));
    assert_eq!(error.attempts().len(), 3);
    let source: &io::Error = error.source().unwrap().downcast_ref().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(asked, ["a", "b", "c"]);
}

/// Which of a custom classifier's verdicts is wanted is written into the status.
fn custom(outcome: Outcome<'_>) -> Verdict {
    let Outcome::Response(head) = outcome else {
        return Http.classify(outcome);
    };
    match head.status.as_u16() {
        404 => Verdict::Failed(Failure::answered(head.status)),
        409 => Verdict::WrongRegion,
        410 => Verdict::Failed(Failure::never_sent(Reason::NotProcessed)),
        411 => Verdict::Failed(Failure::unknown(Reason::Protocol).blame(Blame::Eject)),
        503 => Verdict::Success,
        504 => Verdict::Final,
        _ => Http.classify(outcome),
    }
}

#[tokio::test(start_paused = true)]
async fn a_classifier_of_the_callers_decides() {
    for (status, get, post) in [
        (200, 1, 1),
        (404, 2, 1),
        (409, 2, 2),
        (410, 2, 2),
        (411, 2, 1),
        (502, 2, 1),
        (503, 1, 1),
        (504, 1, 1),
    ] {
        for (method, expected) in [(Method::GET, get), (Method::POST, post)] {
            let layer = layer(2).classifier(classify::from_fn(custom));
            let (_, asked) = outcome(layer, [Act::Status(status)], request(method.clone())).await;
            assert_eq!(asked.len(), expected, "{method} {status}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_classifier_of_the_callers_decides_what_a_region_is_blamed_for() {
    for (status, ejected) in [(411, true), (404, false), (503, false), (504, false)] {
        let script = Script::default();
        script.always("a", Act::Status(status));
        let layer = layer(2).classifier(classify::from_fn(custom));
        let client = layer.backoff(no_wait()).layer(script.clone());
        for _ in 0..4 {
            client.clone().oneshot(get("http://a/")).await.unwrap();
        }
        let home = script.asked().iter().filter(|asked| *asked == "a").count();
        assert_eq!(home, if ejected { 1 } else { 4 }, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_that_a_classifier_calls_final_is_the_callers() {
    for verdict in [Verdict::Final, Verdict::Success] {
        let layer = layer(2).classifier(classify::from_fn(move |_| verdict));
        let acts = [Act::Fail(io::ErrorKind::ConnectionRefused)];
        let (result, asked) = outcome(layer, acts, get("http://a/")).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Request);
        assert!(error.source().unwrap().is::<io::Error>());
        assert_eq!(asked, ["a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_that_a_classifier_calls_the_wrong_region_sends_a_post_on() {
    let layer = layer(3).classifier(classify::from_fn(|outcome| match outcome {
        Outcome::Error(_) => Verdict::WrongRegion,
        other => Http.classify(other),
    }));
    let acts = vec![Act::Fail(io::ErrorKind::Other); 2];
    let (result, asked) = outcome(layer, acts, request(Method::POST)).await;
    assert_eq!(asked, ["a", "b"]);
    let error = result.unwrap_err();
    assert_eq!(
        (error.kind(), error.stop()),
        (ErrorKind::Unknown, Some(Stop::Regions))
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_is_the_callers_fault_whether_or_not_it_could_be_replayed() {
    let trailers = || ready(Some(Err(io::Error::other("the caller's disk is gone"))));
    let body = || {
        Full::<Bytes>::from("half")
            .map_err(|never| match never {})
            .with_trailers(trailers())
    };
    for layer in [layer(2), layer(2).max_attempts(1), layer(1)] {
        for method in [Method::PUT, Method::POST] {
            let script = Script::default();
            let client = layer.layer(script.clone());
            for _ in 0..3 {
                let request = Request::builder().method(&method).uri("http://a/");
                let request = request.body(body()).unwrap();
                let error = client.clone().oneshot(request).await.unwrap_err();
                assert_eq!((error.kind(), error.stop()), (ErrorKind::Request, None));
                assert_eq!(error.attempts().len(), 1);
                let record = &error.attempts()[0];
                assert_eq!((record.failure(), record.reason()), (None, Reason::Body));
                assert!(error.source().unwrap().is::<io::Error>());
            }
            // Nobody was blamed.
            assert_eq!(script.asked(), ["a", "a", "a"]);
        }
    }
}
