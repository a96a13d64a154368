use tokio::time::Instant;

use super::Cause;
use crate::region::Region;

/// How a supervised session is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// What is going on.
    pub phase: Phase,
    /// Where: the region that serves, or else the one that is dialed or was last.
    pub region: Option<Region>,
    /// How many sessions came up so far. A reader who missed changes sees by it that there were some.
    pub epoch: u64,
    /// The attempts since the last healthy run.
    pub attempt: u32,
    /// What went wrong last; `None` since the last healthy run.
    pub cause: Option<Cause>,
    /// Since when the phase is what it is.
    pub since: Instant,
    /// When the next attempt begins, where one is waited for.
    pub next_at: Option<Instant>,
}

/// What a supervisor is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// There is no session; one is being brought up.
    Connecting,
    /// A session is up.
    Connected,
    /// There is no session, but [most likely](super::Directive::soft) there is one in a moment.
    Degraded,
    /// There is no session; the next attempt is waited for.
    Waiting,
    /// A session is up and about to be left; the next one is being brought up or waited for.
    Migrating,
    /// There is no session, and none is brought up until the pause ends.
    Paused,
    /// It is about to be over: the last session is being closed.
    Closing,
    /// It is over.
    Stopped,
}

/// A session that is up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Live<C> {
    /// By what the program uses it.
    pub client: C,
    /// Where it is.
    pub region: Region,
    /// Which one it is: 1 for the first that came up.
    pub epoch: u64,
}
