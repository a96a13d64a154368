use std::fmt;

use super::Lease;
use crate::BoxError;

/// How a watch that was up ended.
#[non_exhaustive]
pub enum Exit<T> {
    /// It has come to what it was for.
    Done {
        /// What the [protocol](super::Protocol::done) made of the last event.
        value: T,
        /// The lease, which the server may still hold for us.
        lease: Lease,
    },
    /// The stream ended, in good order.
    Ended,
    /// The stream broke off, or the server sent too much at once.
    Broken(BoxError),
    /// The [protocol](super::Protocol::done) did not understand an event.
    Malformed(BoxError),
    /// Nothing came for two and a half intervals.
    ReadTimeout,
    /// The heartbeats failed.
    Heartbeat(Lost),
}

/// What became of a lease, as its heartbeats were told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lost {
    /// 409: another holds it.
    Conflict,
    /// 410: it is dead.
    Gone,
    /// 401.
    Unauthorized,
    /// Three heartbeats in a row had no answer, or one that says nothing.
    Missed,
}

// By hand, so that what it was for may be a secret, and need not be `Debug`.
impl<T> fmt::Debug for Exit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done { .. } => f.debug_struct("Done").finish_non_exhaustive(),
            Self::Ended => f.write_str("Ended"),
            Self::Broken(error) => f.debug_tuple("Broken").field(error).finish(),
            Self::Malformed(error) => f.debug_tuple("Malformed").field(error).finish(),
            Self::ReadTimeout => f.write_str("ReadTimeout"),
            Self::Heartbeat(lost) => f.debug_tuple("Heartbeat").field(lost).finish(),
        }
    }
}
