use std::fmt;

use http::StatusCode;

use super::GrpcCode;
use crate::pushback::Pushback;

/// What is known to have happened to a request that failed, and so who may send it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// No server has processed any of it: any request may be sent again.
    NeverSent,
    /// It may have been processed: only a replayable request may be sent again.
    Unknown,
    /// A server answered that it failed: only a replayable request may be sent again.
    Answered,
    /// A server answered that it did not do it, and that the client may try again: any request may be
    /// sent again, unless [`Replay::Never`](crate::Replay::Never) forbids it. Less than a proof, for
    /// whoever answers may be wrong.
    Declined,
}

/// How much a failure says against its region's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Blame {
    /// Nothing.
    None,
    /// Something, if requests for different paths fail alike; one request that always fails may be
    /// at fault itself.
    Weak,
    /// Counts; several in a row eject the region.
    Counted,
    /// Ejects the region at once.
    Eject,
}

/// A failed attempt: what happened to the request, why, and what follows for the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    kind: FailureKind,
    reason: Reason,
    blame: Blame,
    pushback: Option<Pushback>,
}

impl Failure {
    /// The request never reached a server that processed it. A region that cannot be connected to is
    /// ejected at once. One that was not asked, or that asks for a new connection
    /// ([`Reason::NotReady`], [`Reason::NotProcessed`], [`Reason::GoAway`]), is not blamed; other
    /// reasons count.
    pub const fn never_sent(reason: Reason) -> Self {
        let blame = match reason {
            Reason::Refused | Reason::Connect | Reason::ConnectTimeout => Blame::Eject,
            Reason::NotReady | Reason::NotProcessed | Reason::GoAway => Blame::None,
            _ => Blame::Counted,
        };
        Self::new(FailureKind::NeverSent, reason, blame)
    }

    /// The request was sent, or may have been, and no answer came. Counts against the region; what is
    /// not known ([`Reason::Other`]) is a weak vote.
    pub const fn unknown(reason: Reason) -> Self {
        let blame = match reason {
            Reason::GoAway => Blame::None,
            Reason::Other => Blame::Weak,
            _ => Blame::Counted,
        };
        Self::new(FailureKind::Unknown, reason, blame)
    }

    /// The region answered with this status, and that is a failure. Counts against the region for
    /// `502`, `503` and `504`; is a weak vote for any other status of 500 or above; says nothing
    /// below.
    pub const fn answered(status: StatusCode) -> Self {
        let blame = match status.as_u16() {
            502..=504 => Blame::Counted,
            500.. => Blame::Weak,
            _ => Blame::None,
        };
        Self::answered_with(Reason::Status(status)).blame(blame)
    }

    /// The region answered that it failed, and this is why. Says nothing against the region until
    /// [`blame`](Self::blame) does.
    pub const fn answered_with(reason: Reason) -> Self {
        Self::new(FailureKind::Answered, reason, Blame::None)
    }

    /// The region answered that it did not do it, and that the client may try again. Counts against the
    /// region.
    pub const fn declined(reason: Reason) -> Self {
        Self::new(FailureKind::Declined, reason, Blame::Counted)
    }

    const fn new(kind: FailureKind, reason: Reason, blame: Blame) -> Self {
        Self {
            kind,
            reason,
            blame,
            pushback: None,
        }
    }

    /// Replaces the blame that follows from the reason.
    #[must_use]
    pub const fn blame(mut self, blame: Blame) -> Self {
        self.blame = blame;
        self
    }

    /// Adds the region's wish on when to be asked again.
    #[must_use]
    pub const fn pushback(mut self, pushback: Option<Pushback>) -> Self {
        self.pushback = pushback;
        self
    }

    /// What is known to have happened to the request.
    pub const fn kind(&self) -> FailureKind {
        self.kind
    }

    /// Why it failed.
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// How much it says against the region.
    pub const fn blamed(&self) -> Blame {
        self.blame
    }

    /// The region's wish on when to be asked again.
    pub const fn pushed_back(&self) -> Option<Pushback> {
        self.pushback
    }
}

/// Why an attempt ended, in one word for people: what [`Display`](fmt::Display) shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The region answered with this status.
    Status(StatusCode),
    /// The region answered with this code of gRPC.
    Grpc(GrpcCode),
    /// The connection was refused, or there was no route.
    Refused,
    /// There was no connection for any other reason: an unknown name, a failed TLS handshake.
    Connect,
    /// There was no connection in time.
    ConnectTimeout,
    /// The inner service was not ready to send the request.
    NotReady,
    /// The server said that it did not process the request (REFUSED_STREAM), or the connection closed
    /// before it was written.
    NotProcessed,
    /// The server was closing the connection (GOAWAY). Whether it processed the request depends on
    /// when that came; see [`Http`](super::Http).
    GoAway,
    /// The connection or the stream ended before a response came.
    Reset,
    /// What came was no proper response.
    Protocol,
    /// The inner service ran into a timeout of its own.
    Timeout,
    /// The attempt took longer than the attempt timeout.
    AttemptTimeout,
    /// The call's total time was over.
    TotalTimeout,
    /// The request itself was at fault, such as a URI that the client cannot use.
    Request,
    /// The request's body failed while it was sent.
    Body,
    /// The answer to a [`Hedge`](crate::Hedge) came first.
    Overtaken,
    /// Somebody said so, by a [`Handle`](crate::Handle).
    ByHand,
    /// An error of an unknown type.
    Other,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status(status) => status.as_str(),
            Self::Grpc(code) => code.name(),
            Self::Refused => "connection refused",
            Self::Connect => "connection failed",
            Self::ConnectTimeout => "connect timeout",
            Self::NotReady => "client not ready",
            Self::NotProcessed => "not processed",
            Self::GoAway => "connection going away",
            Self::Reset => "connection reset",
            Self::Protocol => "protocol error",
            Self::Timeout => "timeout",
            Self::AttemptTimeout => "attempt timeout",
            Self::TotalTimeout => "total timeout",
            Self::Request => "invalid request",
            Self::Body => "request body failed",
            Self::Overtaken => "overtaken by a hedge",
            Self::ByHand => "by hand",
            Self::Other => "error",
        })
    }
}
