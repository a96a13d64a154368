use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

use super::Cause;
use crate::region::Region;

/// How a supervisor came to a good end.
#[derive(Debug)]
#[non_exhaustive]
pub enum Closed<X> {
    /// The program [shut it down](super::Handle::shutdown).
    Shutdown,
    /// The classifier took the end of a session for the end of all.
    Exited(Arc<X>),
    /// An attempt that failed, an advice or a [kick](super::Handle::kick) settled the matter.
    Settled,
}

// By hand, for the exit is shared.
impl<X> Clone for Closed<X> {
    fn clone(&self) -> Self {
        match self {
            Self::Shutdown => Self::Shutdown,
            Self::Exited(exit) => Self::Exited(exit.clone()),
            Self::Settled => Self::Settled,
        }
    }
}

/// Why a supervisor gave up.
///
/// Its [`source`](StdError::source) is what the connector last failed with, if it was that.
#[derive(Clone, Debug)]
pub struct Error {
    pub(super) kind: ErrorKind,
    pub(super) cause: Option<Cause>,
    pub(super) attempts: u32,
    pub(super) tried: Vec<Region>,
    pub(super) elapsed: Duration,
}

/// What made a supervisor give up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A [directive](super::Directive::fail) said that there is no use in going on.
    Failed,
    /// No session was healthy for [`give_up_after`](super::Settings::give_up_after).
    GaveUp,
    /// There were [`total_attempts`](super::Settings::total_attempts) without a healthy session.
    Attempts,
    /// The supervisor's task was ended from outside: its runtime was shut down, or the connector, a
    /// session or the classifier panicked.
    Aborted,
    /// It came to a good end, and whoever waits for a session waits in vain.
    Closed,
}

impl Error {
    pub(super) fn without_attempt(kind: ErrorKind) -> Self {
        Self {
            kind,
            cause: None,
            attempts: 0,
            tried: Vec::new(),
            elapsed: Duration::ZERO,
        }
    }

    /// What made the supervisor give up.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The last thing that went wrong.
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// How many attempts there were since the last healthy run.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The regions that they went to, in the order of the first attempt in each.
    pub fn tried(&self) -> &[Region] {
        &self.tried
    }

    /// The time since the first failure of the outage, without what was spent
    /// [paused](super::Handle::pause).
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ErrorKind::Failed => "the session cannot go on",
            ErrorKind::GaveUp => "no session came up in time",
            ErrorKind::Attempts => "no session came up in the attempts allowed",
            ErrorKind::Aborted => "the supervisor was ended from outside",
            ErrorKind::Closed => "there are no more sessions",
        })?;
        if self.attempts > 0 {
            let seconds = self.elapsed.as_secs_f64();
            write!(f, ", after {} attempts in {seconds:.1} s", self.attempts)?;
        }
        for (n, region) in self.tried.iter().enumerate() {
            let before = if n == 0 { " in " } else { ", " };
            write!(f, "{before}{region}")?;
        }
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_ref()?.error()
    }
}
