mod code;

use http::{StatusCode, response::Parts};

pub use code::GrpcCode;

use super::{Blame, Classify, Failure, Http, Outcome, Reason, Verdict};
use crate::pushback::{self, Pushback};

/// A classifier for gRPC: the code of a call that a region failed, and else what [`Http`] says.
///
/// A server that fails a call before its first message answers in *trailers-only* form, with
/// `grpc-status` in the head, and that is what this classifier reads. Where the status comes after a
/// head of its own it is in the trailers, which a classifier does not see:
/// [`PeekLayer`](crate::peek::PeekLayer), inside, looks at what comes first and brings it here.
///
/// | code | verdict | because |
/// |---|---|---|
/// | `UNAVAILABLE` | [`Failed`](Verdict::Failed), replayed whatever the call, save under [`Replay::Never`](crate::Replay::Never) | by gRPC's definition the client can retry just the failing call; counts against the region |
/// | `DEADLINE_EXCEEDED` | [`Failed`](Verdict::Failed), replayed if replayable | the region was too slow, as with `504`, or the caller in a hurry; a weak vote |
/// | `INTERNAL`, `UNKNOWN`, `DATA_LOSS`, unknown numbers | [`Failed`](Verdict::Failed), replayed if replayable | the region broke, as with `500`; a weak vote |
/// | `RESOURCE_EXHAUSTED` with `grpc-retry-pushback-ms` | [`Failed`](Verdict::Failed), replayed if replayable | the server says that a retry makes sense; blames nobody |
/// | `RESOURCE_EXHAUSTED` without, `CANCELLED`, `UNIMPLEMENTED` | [`Final`](Verdict::Final) | a quota, the caller, the service: any region would answer the same |
/// | `ABORTED`, `FAILED_PRECONDITION` and all others | [`Success`](Verdict::Success) | the region did its work; what to repeat is up to the application |
///
/// A pushback of a failure is heeded ([gRFC A6]), and a negative one forbids the replay. Answers
/// without `grpc-status` are [`Http`]'s to judge: a `503` of a proxy says nothing of what the server
/// did with the call, so it is replayed only if the call is replayable.
///
/// gRPC calls are POSTs. They are replayable when they carry an `idempotency-key`, by
/// [`Replay::Always`](crate::Replay::Always), or by an [`Override`](crate::Override) in the call's
/// extensions.
///
/// # Calls that must not take effect twice
///
/// gRPC warns that `UNAVAILABLE` is no proof that a call had no effect: a proxy may answer it for a
/// connection that broke under a call that was being processed. Where that matters, take the code's
/// word for no more than a `503`'s:
///
/// ```
/// use tower_failover::classify::{self, Classify, Failure, FailureKind, Grpc, Verdict};
///
/// let careful = classify::from_fn(|outcome| match Grpc.classify(outcome) {
///     Verdict::Failed(failure) if failure.kind() == FailureKind::Declined => {
///         let failed = Failure::unknown(failure.reason()).blame(failure.blamed());
///         Verdict::Failed(failed.pushback(failure.pushed_back()))
///     }
///     verdict => verdict,
/// });
/// # let _ = careful;
/// ```
///
/// [gRFC A6]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md
#[derive(Clone, Copy, Debug, Default)]
pub struct Grpc;

impl Classify for Grpc {
    fn classify(&self, outcome: Outcome<'_>) -> Verdict {
        match outcome {
            Outcome::Response(head) => match GrpcCode::of(&head.headers) {
                // One that says "OK" beside a status of HTTP that does not is not taken at its word.
                Some(code) if code != GrpcCode::OK || head.status == StatusCode::OK => {
                    verdict(code, head)
                }
                _ => Http.classify(outcome),
            },
            Outcome::Error(_) => Http.classify(outcome),
        }
    }
}

fn verdict(code: GrpcCode, head: &Parts) -> Verdict {
    let reason = Reason::Grpc(code);
    let pushback = pushback::read(&head.headers);
    let failure = match code {
        GrpcCode::UNAVAILABLE => Failure::declined(reason),
        GrpcCode::DEADLINE_EXCEEDED
        | GrpcCode::INTERNAL
        | GrpcCode::UNKNOWN
        | GrpcCode::DATA_LOSS => Failure::answered_with(reason).blame(Blame::Weak),
        GrpcCode::RESOURCE_EXHAUSTED => match pushback::read_grpc(&head.headers) {
            Some(Pushback::After(_)) => Failure::answered_with(reason).blame(Blame::None),
            _ => return Verdict::Final,
        },
        GrpcCode::CANCELLED | GrpcCode::UNIMPLEMENTED => return Verdict::Final,
        _ => return Verdict::Success,
    };
    Verdict::Failed(failure.pushback(pushback))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Response;

    use super::*;
    use crate::classify::FailureKind;

    fn judged<const N: usize>(headers: [(&str, &str); N]) -> Verdict {
        let mut response = Response::builder();
        for (name, value) in headers {
            response = response.header(name, value);
        }
        let (head, ()) = response.body(()).unwrap().into_parts();
        Grpc.classify(Outcome::Response(&head))
    }

    #[test]
    fn every_code_has_its_verdict() {
        use FailureKind::{Answered, Declined};

        for number in 0..=20 {
            let verdict = judged([("grpc-status", &number.to_string())]);
            let code = GrpcCode::from_number(number);
            let failed = |kind, blame| {
                let Verdict::Failed(failure) = verdict else {
                    panic!("{code}: {verdict:?}");
                };
                assert_eq!(failure.reason(), Reason::Grpc(code));
                assert_eq!((failure.kind(), failure.blamed()), (kind, blame), "{code}");
            };
            match number {
                1 | 8 | 12 => assert_eq!(verdict, Verdict::Final, "{code}"),
                2 | 4 | 13 | 15 | 17.. => failed(Answered, Blame::Weak),
                14 => failed(Declined, Blame::Counted),
                _ => assert_eq!(verdict, Verdict::Success, "{code}"),
            }
        }
    }

    #[test]
    fn a_quota_is_worth_another_try_only_if_the_server_says_when() {
        let exhausted = |wait| judged([("grpc-status", "8"), ("grpc-retry-pushback-ms", wait)]);
        let Verdict::Failed(failure) = exhausted("250") else {
            panic!("a pushback invites another try");
        };
        assert_eq!(failure.kind(), FailureKind::Answered);
        assert_eq!(failure.blamed(), Blame::None);
        let hint = Pushback::After(Duration::from_millis(250));
        assert_eq!(failure.pushed_back(), Some(hint));
        assert_eq!(exhausted("-1"), Verdict::Final);
        assert_eq!(
            judged([("grpc-status", "8"), ("retry-after", "1")]),
            Verdict::Final
        );
    }

    #[test]
    fn a_pushback_comes_with_the_failure() {
        let unavailable = |wait| judged([("grpc-status", "14"), ("grpc-retry-pushback-ms", wait)]);
        for (wait, hint) in [
            ("0", Pushback::After(Duration::ZERO)),
            ("70", Pushback::After(Duration::from_millis(70))),
            ("-1", Pushback::Never),
            ("soon", Pushback::Never),
        ] {
            let Verdict::Failed(failure) = unavailable(wait) else {
                panic!("UNAVAILABLE is a failure");
            };
            assert_eq!(failure.pushed_back(), Some(hint), "{wait}");
        }
    }

    #[test]
    fn what_is_no_code_is_unknown_and_what_has_none_is_http() {
        for text in [
            "many",
            "",
            "-1",
            "+14",
            "014",
            "00",
            "20",
            "1e1",
            "99999999999",
        ] {
            let Verdict::Failed(failure) = judged([("grpc-status", text)]) else {
                panic!("UNKNOWN is a failure: {text}");
            };
            assert_eq!(failure.reason(), Reason::Grpc(GrpcCode::UNKNOWN), "{text}");
        }
        assert_eq!(judged([]), Verdict::Success);
        let (head, ()) = Response::builder()
            .status(503)
            .body(())
            .unwrap()
            .into_parts();
        let outcome = Outcome::Response(&head);
        assert_eq!(Grpc.classify(outcome), Http.classify(outcome));
        let response = Response::builder().status(503).header("grpc-status", "0");
        let (head, ()) = response.body(()).unwrap().into_parts();
        let outcome = Outcome::Response(&head);
        assert_eq!(Grpc.classify(outcome), Http.classify(outcome));
    }

    #[test]
    fn codes_have_names_and_numbers() {
        for number in 0..=16 {
            let code = GrpcCode::from_number(number);
            assert_eq!(code.number(), number);
            assert_eq!(GrpcCode::from_name(code.name()), Some(code));
            assert_eq!(GrpcCode::from_name(&code.name().to_lowercase()), Some(code));
        }
        assert_eq!(GrpcCode::from_name("canceled"), Some(GrpcCode::CANCELLED));
        assert_eq!(GrpcCode::from_name("dataloss"), Some(GrpcCode::DATA_LOSS));
        assert_eq!(GrpcCode::from_name("bad_route"), None);
        assert_eq!(GrpcCode::from_name(""), None);
        assert_eq!(GrpcCode::UNAVAILABLE.number(), 14);
        assert_eq!(GrpcCode::DATA_LOSS.to_string(), "DATA_LOSS");
    }
}
