//! Telling those who watch a layer what changes.

use std::{fmt, sync::OnceLock, time::Duration};

use tokio::sync::broadcast::{self, error::RecvError};

use crate::{
    classify::Reason,
    region::{Origin, Region},
};

/// How many changes wait for a subscriber that is slow.
const BACKLOG: usize = 64;

/// What changed of the regions of a layer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// Calls pass over this region from now on.
    #[non_exhaustive]
    Ejected {
        /// Which one.
        region: Region,
        /// What ejected it.
        reason: Reason,
        /// How long until it is probed.
        wait: Duration,
    },
    /// A call found all regions of its home ejected: those of that home follow the order again. Not told
    /// of regions that are ejected by hand.
    #[non_exhaustive]
    AllEjected {
        /// Which one.
        home: Origin,
    },
    /// This region is back: its calls return over the ramp, or at once where there is none and where it
    /// was taken back by hand.
    #[non_exhaustive]
    Restored {
        /// Which one.
        region: Region,
    },
    /// A home has a new list of regions.
    #[non_exhaustive]
    Refreshed {
        /// Which one.
        home: Origin,
        /// How many there are.
        regions: usize,
    },
    /// So many changes were lost, because the subscriber did not look for too long. How the regions
    /// are is told by [`Handle::regions`](crate::Handle::regions).
    Missed(u64),
}

/// The changes of a layer's regions from [`Handle::subscribe`](crate::Handle::subscribe) on.
///
/// Up to 64 of them wait to be received. What threads change at the same moment may be told in either
/// order; how a region is now is told by [`Handle::regions`](crate::Handle::regions).
pub struct Changes {
    receiver: broadcast::Receiver<Change>,
}

impl Changes {
    /// Waits for the next change; `None` when layer, services and handles are gone.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn recv(&mut self) -> Option<Change> {
        match self.receiver.recv().await {
            Ok(change) => Some(change),
            Err(RecvError::Lagged(missed)) => Some(Change::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}

/// Whom to tell; nobody, and nothing is kept, until somebody subscribes.
#[derive(Debug, Default)]
pub(crate) struct Announcer {
    sender: OnceLock<broadcast::Sender<Change>>,
}

impl Announcer {
    pub(crate) fn subscribe(&self) -> Changes {
        let sender = self.sender.get_or_init(|| broadcast::Sender::new(BACKLOG));
        Changes {
            receiver: sender.subscribe(),
        }
    }

    /// Not to be called under a lock: it wakes those who wait.
    pub(crate) fn tell(&self, change: impl FnOnce() -> Change) {
        if let Some(sender) = self.sender.get() {
            // There may be nobody left to hear it.
            let _ = sender.send(change());
        }
    }
}
