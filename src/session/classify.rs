use std::{error::Error as StdError, fmt, time::Duration};

use super::Directive;
use crate::discovery::DiscoveryError;

/// How an attempt or a session ended: what the classifier judges.
///
/// A classifier is a pure function, so that a table of rows can test it. What it has no opinion of is
/// best [retried](super::Directive::retry), which is what the supervisor does without one.
///
/// ```
/// use std::io;
/// use tower_failover::session::{Directive, Outcome};
///
/// fn classify(outcome: Outcome<'_, io::Error, io::Result<()>>) -> Directive {
///     match outcome {
///         Outcome::ConnectFailed(error) if error.kind() == io::ErrorKind::PermissionDenied => {
///             Directive::fail()
///         }
///         Outcome::Exited { exit: Ok(()), leaving: false, .. } => Directive::finish(),
///         _ => Directive::retry(),
///     }
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome<'a, E, X> {
    /// The connector failed.
    ConnectFailed(&'a E),
    /// The attempt took longer than [`attempt_timeout`](super::Settings::attempt_timeout).
    TimedOut,
    /// There was no region to go to.
    NoRegion(&'a NoRegion),
    /// A session came to its end.
    #[non_exhaustive]
    Exited {
        /// What it ended with.
        exit: &'a X,
        /// For how long it was up.
        ran: Duration,
        /// Whether that made it a healthy run.
        healthy: bool,
        /// Whether it was about to be left for another one anyway. Then only a directive to stop
        /// counts; mind that a server which sends a session away may well close it in good order.
        leaving: bool,
    },
}

// By hand, for a copy of references needs no `Clone` of what they refer to.
impl<E, X> Clone for Outcome<'_, E, X> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E, X> Copy for Outcome<'_, E, X> {}

impl<'a, E, X> Outcome<'a, E, X> {
    /// An end of a session, for tests of classifiers.
    pub fn exited(exit: &'a X, ran: Duration, healthy: bool) -> Self {
        Self::Exited {
            exit,
            ran,
            healthy,
            leaving: false,
        }
    }
}

impl<'a, E, T> Outcome<'a, E, Result<T, E>> {
    /// What the connector failed with, or the session, where the two fail with the same type.
    pub fn error(self) -> Option<&'a E> {
        match self {
            Self::ConnectFailed(error) => Some(error),
            Self::Exited { exit, .. } => exit.as_ref().err(),
            Self::TimedOut | Self::NoRegion(_) => None,
        }
    }
}

/// Says what to do about an outcome. Every function from an [`Outcome`] to a [`Directive`] does.
pub trait Classify<E, X> {
    /// What to do about this outcome.
    fn classify(&self, outcome: Outcome<'_, E, X>) -> Directive;
}

impl<E, X, F> Classify<E, X> for F
where
    F: Fn(Outcome<'_, E, X>) -> Directive,
{
    fn classify(&self, outcome: Outcome<'_, E, X>) -> Directive {
        self(outcome)
    }
}

/// Retries, whatever it was: the classifier of a supervisor that was given none.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlwaysRetry;

impl<E, X> Classify<E, X> for AlwaysRetry {
    fn classify(&self, _: Outcome<'_, E, X>) -> Directive {
        Directive::retry()
    }
}

/// No region was there to go to: discovery failed, or its list was empty.
#[derive(Clone, Debug)]
pub struct NoRegion {
    error: Option<DiscoveryError>,
}

impl NoRegion {
    pub(super) fn because(error: Option<DiscoveryError>) -> Self {
        Self { error }
    }

    /// How discovery failed; `None` when the list was empty.
    pub fn discovery(&self) -> Option<&DiscoveryError> {
        self.error.as_ref()
    }
}

impl fmt::Display for NoRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.error {
            Some(_) => "no region is known",
            None => "the list of regions is empty",
        })
    }
}

impl StdError for NoRegion {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.error.as_ref()?)
    }
}
