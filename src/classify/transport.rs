//! What an error says of the request: the one place that looks at types of other crates.
//!
//! Errors are told apart by type along the source chain, and in one case by text. hyper does not promise the
//! types of its sources, and a second major version of h2 in the tree would make every downcast
//! here miss; the tests in `tests/failover/transport.rs` provoke each case on a real connection, so
//! that such a change fails there. What is not recognised was perhaps sent.

use std::{error::Error as StdError, io, iter};

use super::{Blame, Failure, FailureKind, Reason, Verdict};

/// The longest source chain that is followed; real ones have six links.
const DEPTH: usize = 32;

pub(super) fn classify(error: &(dyn StdError + 'static)) -> Verdict {
    let mut facts = Facts::default();
    chain(error).for_each(|cause| facts.note(cause));
    facts.verdict()
}

fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    iter::successors(Some(error), |&error| {
        match error.downcast_ref::<io::Error>() {
            // The `source()` of an io::Error skips the error that it wraps.
            Some(io) => io.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
    .take(DEPTH)
}

/// What the links of a chain say, each for itself.
#[derive(Default)]
struct Facts {
    /// The request cannot be sent by anybody.
    unusable: bool,
    /// There was never a connection for the request.
    unconnected: bool,
    /// There was one.
    connected: bool,
    /// The client says that it never began to write the request.
    unwritten: bool,
    /// The peer says that it did not process the request.
    unprocessed: bool,
    /// The peer closes the connection.
    going: bool,
    /// Middleware refused the request before it reached the client.
    unready: bool,
    /// A channel of tonic's had it.
    channel: bool,
    /// The client may have sent the request before the one that the error speaks of.
    begun: bool,
    timed_out: bool,
    garbled: bool,
    cut: bool,
    io: Option<io::ErrorKind>,
}

impl Facts {
    fn note(&mut self, cause: &(dyn StdError + 'static)) {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            self.note_io(error);
        }
        #[cfg(feature = "hyper-util")]
        self.note_hyper(cause);
        #[cfg(feature = "reqwest")]
        self.note_reqwest(cause);
        #[cfg(feature = "tower")]
        self.note_tower(cause);
        #[cfg(feature = "tonic")]
        self.note_tonic(cause);
    }

    fn note_io(&mut self, error: &io::Error) {
        // The innermost names the reason: outer ones often say no more than "other".
        self.io = Some(error.kind());
    }

    #[cfg(feature = "hyper-util")]
    fn note_hyper(&mut self, cause: &(dyn StdError + 'static)) {
        if let Some(error) = cause.downcast_ref::<hyper_util::client::legacy::Error>() {
            // The client gives the connection to every error that occurred on one; an error without
            // a cause is its complaint about the request.
            self.unusable |= error.source().is_none();
            self.unconnected |= error.connect_info().is_none();
            self.connected |= error.connect_info().is_some();
        } else if let Some(error) = cause.downcast_ref::<hyper::Error>() {
            self.connected = true;
            // "Canceled" is what hyper calls a request that it never began to write.
            self.unwritten |= error.is_canceled();
            // hyper calls it the user's error too that the task of a connection went away under a request:
            // with the connection, while the request waited for room there, or with the runtime. That
            // has no predicate and no type, so this is the one text that is read; tests/clients has a
            // connection that ends so.
            let is_gone = error.is_user() && error.to_string() == "dispatch task is gone";
            self.unusable |= error.is_user() && !is_gone;
            self.cut |= is_gone;
            self.timed_out |= error.is_timeout();
            self.garbled |= error.is_parse();
            self.cut |= error.is_incomplete_message() || error.is_closed();
        } else if let Some(error) = cause.downcast_ref::<h2::Error>() {
            self.connected = true;
            if error.is_remote() {
                // REFUSED_STREAM says that nothing was processed (RFC 9113, 8.7). A GOAWAY says so of
                // streams above its last one, but may be reported of another: see `Http`.
                self.unprocessed |=
                    error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
                self.going |= error.is_go_away();
                self.cut |= error.is_reset();
            } else if error.is_library() {
                self.garbled = true;
            } else if error.is_reset() {
                // Neither the peer nor h2: this side gave up, for its request body failed.
                self.unusable = true;
            } else if let Some(io) = error.get_io() {
                self.note_io(io);
            }
        }
    }

    #[cfg(feature = "reqwest")]
    fn note_reqwest(&mut self, cause: &(dyn StdError + 'static)) {
        if let Some(error) = cause.downcast_ref::<::reqwest::Error>() {
            // A redirect that it does not follow further is an answer, and the same one everywhere.
            self.unusable |= error.is_builder() || error.is_redirect();
            self.unconnected |= error.is_connect() || error.is_dns();
            // Its timeouts are of a type of its own.
            self.timed_out |= error.is_timeout();
        } else {
            self.begun |= cause.is::<crate::reqwest::Begun>();
        }
    }

    #[cfg(feature = "tower")]
    fn note_tower(&mut self, cause: &(dyn StdError + 'static)) {
        use tower::{buffer, load_shed, timeout};

        self.timed_out |= cause.is::<timeout::error::Elapsed>();
        self.unready |= cause.is::<load_shed::error::Overloaded>()
            || cause.is::<buffer::error::ServiceError>()
            || cause.is::<buffer::error::Closed>();
    }

    #[cfg(feature = "tonic")]
    fn note_tonic(&mut self, cause: &(dyn StdError + 'static)) {
        use crate::tonic::{NoOrigin, NotConfigured};

        self.channel |= cause.is::<::tonic::transport::Error>();
        self.timed_out |= cause.is::<::tonic::TimeoutExpired>();
        self.unconnected |= cause.is::<::tonic::ConnectError>() || cause.is::<NotConfigured>();
        self.unusable |= cause.is::<NoOrigin>();
    }

    fn verdict(&self) -> Verdict {
        match self.of_one_send() {
            Verdict::Failed(failure) if self.begun && failure.kind() == FailureKind::NeverSent => {
                // Nor does it speak of the region then.
                Verdict::Failed(Failure::unknown(failure.reason()).blame(Blame::None))
            }
            verdict => verdict,
        }
    }

    /// The first that holds decides; each line presumes that those above it do not hold.
    fn of_one_send(&self) -> Verdict {
        use io::ErrorKind::{
            AddrNotAvailable, BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset,
            HostUnreachable, InvalidData, NetworkUnreachable, TimedOut, UnexpectedEof,
        };

        // Refused is a connection before there is one; on one, it is said of what was sent.
        let refused = self.io == Some(ConnectionRefused) && !self.connected;
        Verdict::Failed(if self.unusable {
            return Verdict::Final;
        } else if self.unready {
            Failure::never_sent(Reason::NotReady)
        } else if self.unconnected || refused {
            Failure::never_sent(match self.io {
                Some(
                    ConnectionRefused | HostUnreachable | NetworkUnreachable | AddrNotAvailable,
                ) => Reason::Refused,
                Some(TimedOut) => Reason::ConnectTimeout,
                _ if self.timed_out => Reason::ConnectTimeout,
                _ => Reason::Connect,
            })
        } else if self.unwritten {
            // The connection closed as soon as it was made, for on an older one hyper-util would have
            // tried again by itself. A channel does not, and a server may close what is idle.
            let blame = if self.channel {
                Blame::None
            } else {
                Blame::Counted
            };
            Failure::never_sent(Reason::NotProcessed).blame(blame)
        } else if self.unprocessed {
            Failure::never_sent(Reason::NotProcessed)
        } else if self.going {
            Failure::never_sent(Reason::GoAway)
        } else if self.timed_out || self.io == Some(TimedOut) {
            Failure::unknown(Reason::Timeout)
        } else if self.garbled || self.io == Some(InvalidData) {
            // With TLS 1.3 that may be how a server refuses a client's certificate: after the handshake.
            Failure::unknown(Reason::Protocol)
        } else if self.cut
            || matches!(
                self.io,
                Some(
                    ConnectionReset
                        | ConnectionAborted
                        | ConnectionRefused
                        | BrokenPipe
                        | UnexpectedEof
                )
            )
        {
            Failure::unknown(Reason::Reset)
        } else {
            Failure::unknown(Reason::Other)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Wrapped(io::Error);

    impl std::fmt::Display for Wrapped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("wrapped")
        }
    }

    impl StdError for Wrapped {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    fn failure(error: impl StdError + 'static) -> (FailureKind, Reason) {
        match classify(&error) {
            Verdict::Failed(failure) => (failure.kind(), failure.reason()),
            verdict => panic!("{verdict:?}"),
        }
    }

    #[test]
    fn a_refused_connection_is_found_below_other_errors() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let expected = (FailureKind::NeverSent, Reason::Refused);
        assert_eq!(failure(refused()), expected);
        assert_eq!(failure(Wrapped(refused())), expected);
        assert_eq!(failure(io::Error::other(Wrapped(refused()))), expected);
        // Reached only through io::Error::get_ref.
        assert_eq!(failure(io::Error::other(refused())), expected);
    }

    #[test]
    fn other_io_errors_may_have_come_after_sending() {
        for (kind, reason) in [
            (io::ErrorKind::ConnectionReset, Reason::Reset),
            (io::ErrorKind::BrokenPipe, Reason::Reset),
            (io::ErrorKind::UnexpectedEof, Reason::Reset),
            (io::ErrorKind::TimedOut, Reason::Timeout),
            (io::ErrorKind::InvalidData, Reason::Protocol),
            (io::ErrorKind::Other, Reason::Other),
        ] {
            assert_eq!(
                failure(io::Error::from(kind)),
                (FailureKind::Unknown, reason)
            );
        }
    }

    #[test]
    fn an_error_of_unknown_type_was_perhaps_sent() {
        assert_eq!(
            failure(std::fmt::Error),
            (FailureKind::Unknown, Reason::Other)
        );
    }

    #[cfg(feature = "tower")]
    #[test]
    fn what_tower_refused_was_never_sent() {
        let overloaded = tower::load_shed::error::Overloaded::new();
        assert_eq!(
            failure(overloaded),
            (FailureKind::NeverSent, Reason::NotReady)
        );
        let elapsed = tower::timeout::error::Elapsed::new();
        assert_eq!(failure(elapsed), (FailureKind::Unknown, Reason::Timeout));
    }
}
