use std::time::Duration;

use http::StatusCode;

use super::{ConnectError, ConnectErrorKind, Exit, Lost};
use crate::session::{Directive, Outcome};

/// What follows from how a watch failed or ended: [`Policy::classify`] with the default waits.
///
/// To have an opinion of one's own on some outcome, wrap it.
///
/// ```
/// use http::StatusCode;
/// use tower_failover::session::{Directive, Outcome};
/// use tower_failover::session::watch::{self, ConnectError, ConnectErrorKind, Exit};
///
/// fn classify(outcome: Outcome<'_, ConnectError, Exit<String>>) -> Directive {
///     match outcome {
///         Outcome::ConnectFailed(error)
///             if *error.kind() == ConnectErrorKind::Status(StatusCode::FORBIDDEN) =>
///         {
///             Directive::fail()
///         }
///         outcome => watch::classify(outcome),
///     }
/// }
/// ```
pub fn classify<T>(outcome: Outcome<'_, ConnectError, Exit<T>>) -> Directive {
    Policy::default().classify(outcome)
}

/// How long to wait where a watch knows it better than a backoff.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Policy {
    conflict: Duration,
    content_type: Duration,
    max_retry_after: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            conflict: Duration::from_secs(30),
            content_type: Duration::from_secs(30),
            max_retry_after: Duration::from_secs(300),
        }
    }
}

impl Policy {
    /// Sets how long to wait when another holds the lease.
    ///
    /// # Defaults
    ///
    /// 30 s, in which a lease that nobody keeps any more has most likely died.
    pub fn conflict(mut self, wait: Duration) -> Self {
        self.conflict = wait;
        self
    }

    /// Sets how long to wait when something else than a watch answers, such as a captive portal, or a
    /// proxy that compresses.
    ///
    /// # Defaults
    ///
    /// 30 s: somebody has to log in, or to mend a proxy.
    pub fn content_type(mut self, wait: Duration) -> Self {
        self.content_type = wait;
        self
    }

    /// Sets for how long a server may send a watch away by `Retry-After`; what it says beyond is read as
    /// this.
    ///
    /// # Defaults
    ///
    /// 5 minutes: a slip in a server's configuration does not put a fleet to sleep for days.
    pub fn max_retry_after(mut self, wait: Duration) -> Self {
        self.max_retry_after = wait;
        self
    }

    /// What follows from how a watch failed or ended.
    ///
    /// | outcome | directive | lease |
    /// |---|---|---|
    /// | 401, no request | fail | |
    /// | 409 | retry after `Retry-After`, or 30 s | dropped |
    /// | an answer that is no event stream, or an encoded one | retry after `Retry-After`, or 30 s | kept |
    /// | 410 | retry, not before `Retry-After` | dropped |
    /// | any other failure to connect | retry, not before `Retry-After` | kept |
    /// | the stream ended, was silent, or heartbeats were missed | resume, softly | kept |
    /// | the stream broke off or was malformed | resume, softly, if it was healthy; else retry | kept |
    /// | 409 to a heartbeat | retry after 30 s, whatever its `Retry-After` says | dropped |
    /// | 410 to a heartbeat | resume, softly | dropped |
    /// | 401 to a heartbeat | fail | |
    /// | it has come to what it was for | finish | |
    pub fn classify<T>(&self, outcome: Outcome<'_, ConnectError, Exit<T>>) -> Directive {
        match outcome {
            Outcome::ConnectFailed(error) => self.connect_failed(error),
            Outcome::Exited { exit, healthy, .. } => self.exited(exit, healthy),
            Outcome::TimedOut | Outcome::NoRegion(_) => Directive::retry(),
        }
    }

    fn connect_failed(&self, error: &ConnectError) -> Directive {
        let told = error.retry_after();
        let told = told.map(|wait| wait.min(self.max_retry_after));
        match error.kind() {
            ConnectErrorKind::Unauthorized | ConnectErrorKind::Request => Directive::fail(),
            ConnectErrorKind::Conflict => Directive::retry()
                .after(told.unwrap_or(self.conflict))
                .drop_resume(),
            ConnectErrorKind::ContentType | ConnectErrorKind::Encoded => {
                Directive::retry().after(told.unwrap_or(self.content_type))
            }
            ConnectErrorKind::Status(StatusCode::GONE) => {
                Directive::retry().after(told).drop_resume()
            }
            ConnectErrorKind::Status(_)
            | ConnectErrorKind::Ended
            | ConnectErrorKind::Broken
            | ConnectErrorKind::Malformed
            | ConnectErrorKind::Client => Directive::retry().after(told),
        }
    }

    fn exited<T>(&self, exit: &Exit<T>, healthy: bool) -> Directive {
        match exit {
            Exit::Done { .. } => Directive::finish(),
            Exit::Ended => Directive::resume().soft().because("stream ended"),
            Exit::ReadTimeout => Directive::resume().soft().because("silence"),
            Exit::Broken(_) | Exit::Malformed(_) => match healthy {
                true => Directive::resume().soft(),
                false => Directive::retry(),
            }
            .because("stream broken"),
            Exit::Heartbeat(Lost::Missed) => {
                Directive::resume().soft().because("heartbeats missed")
            }
            Exit::Heartbeat(Lost::Gone) => Directive::resume()
                .drop_resume()
                .soft()
                .because("lease gone"),
            Exit::Heartbeat(Lost::Conflict) => Directive::retry()
                .after(self.conflict)
                .drop_resume()
                .because("lease conflict"),
            Exit::Heartbeat(Lost::Unauthorized) => Directive::fail().because("unauthorized"),
        }
    }
}
