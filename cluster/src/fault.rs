use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::region::Protocol;

/// What a region does to the requests it receives.
///
/// A fault applies to requests whose head arrives after [`Server::set`](crate::Server::set) or
/// [`Server::set_at`](crate::Server::set_at) has returned; a request already being answered keeps the fault it met. Answers
/// carry `x-region: <name>`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// Reads the whole body and answers 200 with `x-body-len: <n>` and the text `<name>\n`. A region of a
    /// [`LiveKit`](crate::LiveKit) project answers as such instead.
    None,
    /// Refuses connections. Those that exist are closed. Cannot be inside [`Fault::First`] or [`Fault::Nth`], nor at a path.
    Refuse,
    /// Reads the whole body, then answers that status with the text `<name> <status>\n`.
    Status(u16),
    /// As [`Fault::Status`], with these headers too.
    StatusWith(u16, Vec<(&'static str, String)>),
    /// Reads the whole body, then answers exactly that status, these headers and this body.
    Answer(u16, Vec<(&'static str, String)>, Bytes),
    /// Reads the whole body, answers that status and these headers, then sends spaces for ever, as fast as the client takes
    /// them. The answer tells no length.
    Endless(u16, Vec<(&'static str, String)>),
    /// Reads the whole body, answers that status, these headers and the beginning of a body, then sends nothing more and keeps
    /// the connection open. The answer tells no length.
    Stall(u16, Vec<(&'static str, String)>, Bytes),
    /// Answers that status at once and keeps the request body open: neither reset nor closed.
    ///
    /// The rest of the body is then read at a trickle (about 3 MB/s), so that a client which closes or resets is noticed, while
    /// one that goes on uploading is not done soon. The answer has no body; over HTTP/2 its head carries END_STREAM.
    EarlyStatus(u16),
    /// Reads at least that many bytes of the body, or all of it if it is shorter, then does as [`Fault::EarlyStatus`].
    StatusAfter(usize, u16),
    /// Reads the whole request and never answers.
    BlackHole,
    /// Reads the whole body, waits, then answers as [`Fault::None`].
    Delay(Duration),
    /// Reads the request head, waits, then does as that fault, which is not [`Fault::Refuse`].
    Late(Duration, Box<Fault>),
    /// Reads the request head, then closes the connection (FIN) without an answer.
    Close,
    /// Reads the request head, then resets the connection (RST) without an answer.
    Reset,
    /// HTTP/1.1 only: reads the request head, sends half a response head, then FIN.
    HalfHead,
    /// HTTP/1.1 only: reads the request head, sends bytes that are no HTTP, then FIN.
    Garbage,
    /// Reads the whole body, answers 200 with `content-length: 100` and 10 bytes, then breaks off: FIN, or over HTTP/2
    /// RST_STREAM with INTERNAL_ERROR and the connection kept.
    CutBody,
    /// HTTP/2 only: GOAWAY (NO_ERROR) with a last stream below the request's, so that it was never processed; then FIN.
    ///
    /// The connection's other unanswered requests end with it.
    GoAway,
    /// HTTP/2 only: RST_STREAM with REFUSED_STREAM; the connection is kept.
    RefusedStream,
    /// HTTP/2 only: RST_STREAM with that code; the connection is kept.
    ResetStream(u32),
    /// The first `n` requests since it was set meet the fault, later ones [`Fault::None`].
    First(usize, Box<Fault>),
    /// The `n`-th request since it was set (the first is 1) meets the fault, all others [`Fault::None`].
    Nth(usize, Box<Fault>),
    /// Requests since it was set meet these faults in turn, over and over. Each counts only the requests that meet it. None of
    /// them is [`Fault::Refuse`].
    Turns(Vec<Fault>),
}

impl Fault {
    /// What a server of this protocol cannot do about this fault, if anything.
    pub(crate) fn objection(&self, protocol: Protocol) -> Option<String> {
        let h2_only = matches!(
            self,
            Fault::GoAway | Fault::RefusedStream | Fault::ResetStream(_)
        );
        let http1_only = matches!(self, Fault::HalfHead | Fault::Garbage);
        match (self, protocol) {
            (_, Protocol::Http1) if h2_only => Some(format!("{self:?} needs HTTP/2")),
            (_, Protocol::H2c) if http1_only => Some(format!("{self:?} needs HTTP/1.1")),
            (Fault::Nth(0, _), _) => Some("requests are counted from 1".to_owned()),
            (Fault::First(_, inner) | Fault::Nth(_, inner), _)
                if matches!(**inner, Fault::Refuse) =>
            {
                Some("a refused connection brings no request to count".to_owned())
            }
            (Fault::Late(_, inner), _) if matches!(**inner, Fault::Refuse) => {
                Some("a refused connection brings no request to answer late".to_owned())
            }
            (Fault::First(_, inner) | Fault::Nth(_, inner) | Fault::Late(_, inner), _) => {
                inner.objection(protocol)
            }
            (Fault::Turns(faults), _) if faults.is_empty() => {
                Some("without faults there are no turns".to_owned())
            }
            (Fault::Turns(faults), _)
                if faults.iter().any(|fault| matches!(fault, Fault::Refuse)) =>
            {
                Some("a refused connection brings no request to take its turn".to_owned())
            }
            (Fault::Turns(faults), _) => faults.iter().find_map(|fault| fault.objection(protocol)),
            (Fault::Status(code) | Fault::EarlyStatus(code) | Fault::StatusAfter(_, code), _) => {
                bad_status(*code)
            }
            (Fault::StatusWith(code, headers), _) => {
                bad_status(*code).or_else(|| bad_header(headers))
            }
            (
                Fault::Answer(code, headers, _)
                | Fault::Endless(code, headers)
                | Fault::Stall(code, headers, _),
                _,
            ) => bad_status(*code)
                .or_else(|| bad_header(headers))
                .or_else(|| framing_header(headers)),
            _ => None,
        }
    }

    /// What the request meets that comes after `earlier` others.
    fn for_request(&self, earlier: usize) -> Fault {
        match self {
            Fault::First(n, inner) if earlier < *n => inner.for_request(earlier),
            Fault::Nth(n, inner) if earlier + 1 == *n => inner.for_request(earlier),
            Fault::First(..) | Fault::Nth(..) => Fault::None,
            Fault::Turns(faults) => {
                let (round, turn) = (earlier / faults.len(), earlier % faults.len());
                faults[turn].for_request(round)
            }
            Fault::Late(wait, inner) => Fault::Late(*wait, Box::new(inner.for_request(earlier))),
            fault => fault.clone(),
        }
    }
}

fn bad_status(code: u16) -> Option<String> {
    match StatusCode::from_u16(code) {
        Ok(status) if !status.is_informational() => None,
        _ => Some(format!("{code} is not the status of an answer")),
    }
}

fn bad_header(headers: &[(&'static str, String)]) -> Option<String> {
    let bad = headers.iter().find(|(name, value)| {
        name.parse::<HeaderName>().is_err() || value.parse::<HeaderValue>().is_err()
    });
    bad.map(|header| format!("{header:?} is not a header"))
}

/// hyper frames the body itself, and panics when told otherwise.
fn framing_header(headers: &[(&'static str, String)]) -> Option<String> {
    let framing = headers.iter().find(|(name, _)| {
        [CONTENT_LENGTH, TRANSFER_ENCODING]
            .iter()
            .any(|header| name.eq_ignore_ascii_case(header.as_str()))
    });
    framing.map(|header| format!("{header:?} is up to the server"))
}

/// The fault in force and the number of requests that met it.
#[derive(Debug)]
pub(crate) struct Script {
    fault: Fault,
    met: usize,
}

impl Script {
    pub(crate) fn new(fault: Fault) -> Self {
        Script { fault, met: 0 }
    }

    pub(crate) fn refuses(&self) -> bool {
        matches!(self.fault, Fault::Refuse)
    }

    pub(crate) fn next(&mut self) -> Fault {
        let fault = self.fault.for_request(self.met);
        self.met += 1;
        fault
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met_by(fault: Fault, requests: usize) -> Vec<String> {
        let mut script = Script::new(fault);
        (0..requests)
            .map(|_| format!("{:?}", script.next()))
            .collect()
    }

    #[test]
    fn first_ends_after_n_requests() {
        let fault = Fault::First(2, Box::new(Fault::BlackHole));
        assert_eq!(met_by(fault, 3), ["BlackHole", "BlackHole", "None"]);
    }

    #[test]
    fn nested_first_counts_the_same_requests() {
        let fault = Fault::First(2, Box::new(Fault::First(1, Box::new(Fault::Close))));
        assert_eq!(met_by(fault, 3), ["Close", "None", "None"]);
    }

    #[test]
    fn nth_is_one_request() {
        let fault = Fault::Nth(2, Box::new(Fault::BlackHole));
        assert_eq!(met_by(fault, 4), ["None", "BlackHole", "None", "None"]);
    }

    #[test]
    fn nested_nth_counts_the_same_requests() {
        let fault = Fault::First(2, Box::new(Fault::Nth(2, Box::new(Fault::Close))));
        assert_eq!(met_by(fault, 3), ["None", "Close", "None"]);
        let fault = Fault::First(1, Box::new(Fault::Nth(2, Box::new(Fault::Close))));
        assert_eq!(met_by(fault, 3), ["None", "None", "None"]);
    }

    #[test]
    fn turns_go_round_and_each_counts_its_own_requests() {
        let fault = Fault::Turns(vec![Fault::Close, Fault::First(1, Box::new(Fault::Reset))]);
        assert_eq!(met_by(fault, 4), ["Close", "Reset", "Close", "None"]);
    }

    #[test]
    fn what_is_late_counts_the_same_requests() {
        let late = |fault| Fault::Late(Duration::from_secs(1), Box::new(fault));
        let fault = late(Fault::First(1, Box::new(Fault::Close)));
        assert_eq!(met_by(fault, 2), ["Late(1s, Close)", "Late(1s, None)"]);
    }

    #[test]
    fn faults_that_cannot_be_acted_out_are_objected_to() {
        for fault in [Fault::GoAway, Fault::RefusedStream, Fault::ResetStream(2)] {
            assert!(fault.objection(Protocol::Http1).is_some(), "{fault:?}");
            assert!(fault.objection(Protocol::H2c).is_none(), "{fault:?}");
        }
        for fault in [Fault::HalfHead, Fault::First(1, Box::new(Fault::Garbage))] {
            assert!(fault.objection(Protocol::H2c).is_some(), "{fault:?}");
            assert!(fault.objection(Protocol::Http1).is_none(), "{fault:?}");
        }
        let refuse_first = Fault::First(1, Box::new(Fault::Refuse));
        let bad_header = Fault::StatusWith(503, vec![("retry after", "1".to_owned())]);
        let length = || vec![("Content-Length", "1".to_owned())];
        for fault in [
            Fault::Nth(1, Box::new(Fault::Refuse)),
            Fault::Late(Duration::ZERO, Box::new(Fault::Refuse)),
            Fault::Late(Duration::ZERO, Box::new(Fault::Status(99))),
            Fault::Turns(Vec::new()),
            Fault::Turns(vec![Fault::None, Fault::Refuse]),
            Fault::Turns(vec![Fault::None, Fault::Status(99)]),
            Fault::Nth(0, Box::new(Fault::Close)),
            Fault::Nth(1, Box::new(Fault::GoAway)),
            Fault::Answer(99, Vec::new(), Bytes::new()),
            Fault::Answer(200, length(), Bytes::from_static(b"a")),
            Fault::Endless(103, Vec::new()),
            Fault::Endless(200, length()),
            Fault::Stall(200, vec![("a b", String::new())], Bytes::new()),
            Fault::Stall(200, length(), Bytes::new()),
            Fault::Status(99),
            Fault::EarlyStatus(103),
            refuse_first,
            bad_header,
        ] {
            assert!(fault.objection(Protocol::Http1).is_some(), "{fault:?}");
        }
        let good_header = Fault::StatusWith(503, vec![("Retry-After", "1".to_owned())]);
        assert!(good_header.objection(Protocol::Http1).is_none());
        let good_nth = Fault::Nth(1, Box::new(Fault::Stall(200, Vec::new(), Bytes::new())));
        assert!(good_nth.objection(Protocol::H2c).is_none());
    }
}
