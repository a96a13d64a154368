use http::StatusCode;

use super::{Classify, Failure, Outcome, Verdict, transport};
use crate::pushback;

/// The default classifier: HTTP's status codes, and the errors of known clients.
///
/// | outcome | verdict |
/// |---|---|
/// | below 500 | [`Success`](Verdict::Success), save the next two rows |
/// | `421`, `451` | [`WrongRegion`](Verdict::WrongRegion) |
/// | `429` | [`Final`](Verdict::Final): the caller is to slow down, not to go elsewhere |
/// | `501`, `505`, `511` | [`Final`](Verdict::Final): any region would answer the same |
/// | other 5xx | [`Failed`](Verdict::Failed), with the pushback of `Retry-After` or `grpc-retry-pushback-ms` |
/// | errors | by their types along the source chain; one that is not known was perhaps sent |
///
/// # HTTP/2 connections that are going away
///
/// A GOAWAY says up to which stream a server processes requests (RFC 9113, 6.8), and h2 reports it for
/// streams above that. But hyper 1.12 may report it of a request that it has just begun to send, and
/// that the server still accepts: one that closes gracefully first sends a GOAWAY with the highest
/// number there is. Such a request is dropped before its body is read. So a GOAWAY counts as "never
/// sent" only if the client had begun to read the request's body; a request without a body is
/// "perhaps sent". A layer inside that reads the body itself (that signs or compresses it) takes that
/// proof away; give requests through it an idempotency key that the server honours.
#[derive(Clone, Copy, Debug, Default)]
pub struct Http;

impl Classify for Http {
    fn classify(&self, outcome: Outcome<'_>) -> Verdict {
        match outcome {
            Outcome::Response(head) => match head.status {
                StatusCode::MISDIRECTED_REQUEST | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => {
                    Verdict::WrongRegion
                }
                StatusCode::TOO_MANY_REQUESTS
                | StatusCode::NOT_IMPLEMENTED
                | StatusCode::HTTP_VERSION_NOT_SUPPORTED
                | StatusCode::NETWORK_AUTHENTICATION_REQUIRED => Verdict::Final,
                status if status.as_u16() < 500 => Verdict::Success,
                status => Verdict::Failed(
                    Failure::answered(status).pushback(pushback::read(&head.headers)),
                ),
            },
            Outcome::Error(error) => transport::classify(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::classify::{Blame, FailureKind, Pushback};

    fn verdict(status: u16) -> Verdict {
        let (head, ()) = http::Response::builder()
            .status(status)
            .body(())
            .unwrap()
            .into_parts();
        Http.classify(Outcome::Response(&head))
    }

    #[test]
    fn every_status_has_its_verdict() {
        for status in 100..=999 {
            match (status, verdict(status)) {
                (421 | 451, Verdict::WrongRegion) => {}
                (429 | 501 | 505 | 511, Verdict::Final) => {}
                (502..=504, Verdict::Failed(f)) => assert_eq!(f.blamed(), Blame::Counted),
                (500.., Verdict::Failed(f)) => {
                    assert_eq!(f.blamed(), Blame::Weak);
                    assert_eq!(f.kind(), FailureKind::Answered);
                }
                (..500, Verdict::Success) => {}
                (status, verdict) => panic!("{status}: {verdict:?}"),
            }
        }
    }

    #[test]
    fn a_failure_carries_the_servers_hint() {
        let (head, ()) = http::Response::builder()
            .status(503)
            .header("retry-after", "7")
            .body(())
            .unwrap()
            .into_parts();
        let Verdict::Failed(failure) = Http.classify(Outcome::Response(&head)) else {
            panic!("a 503 is a failure");
        };
        let hint = Pushback::After(Duration::from_secs(7));
        assert_eq!(failure.pushed_back(), Some(hint));
    }
}
