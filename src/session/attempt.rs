use std::{fmt, sync::Arc};

use tokio::time::Instant;

use super::Cause;
use crate::region::Region;

/// One attempt to bring a session up: what the connector is called with.
///
/// `R` is the token by which a session resumes an earlier one, as the sessions themselves
/// [tell](super::Event::Resume) it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Attempt<R = ()> {
    /// Where to connect to.
    pub region: Region,
    /// Which attempt it is since the last healthy run, from 1.
    pub number: u32,
    /// The epoch that the session has if it comes up: 1 for the first one, and one more for each.
    pub epoch: u64,
    /// What the attempt is for.
    pub step: Step,
    /// What made it necessary; `None` for the very first.
    pub cause: Option<Cause>,
    /// The token that a session told last, unless it was dropped.
    pub resume: Option<R>,
    /// Where the last session is or was; before there was one, the region of the attempt before.
    pub previous: Option<Region>,
    /// The regions that are not to be used, for a server that chooses another one itself.
    pub excluded: Arc<[Region]>,
    /// When the supervisor gives the attempt up, by dropping the connector's future.
    pub deadline: Instant,
}

/// What an attempt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Step {
    /// The first session of the supervisor.
    First,
    /// The same region again, where the session should go on.
    Resume,
    /// The same region again, after a wait.
    Retry,
    /// Another region, where the session should go on.
    Migrate,
    /// A new beginning.
    Rejoin,
}

impl<R> Attempt<R> {
    /// A first attempt in this region, for tests of connectors.
    pub fn first(region: Region, deadline: Instant) -> Self {
        Self {
            region,
            number: 1,
            epoch: 1,
            step: Step::First,
            cause: None,
            resume: None,
            previous: None,
            excluded: Arc::default(),
            deadline,
        }
    }
}

impl<R> fmt::Debug for Attempt<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("region", &self.region)
            .field("number", &self.number)
            .field("epoch", &self.epoch)
            .field("step", &self.step)
            .field("cause", &self.cause)
            // A token may be all that is needed to take the session over.
            .field("resumes", &self.resume.is_some())
            .field("previous", &self.previous)
            .field("excluded", &self.excluded)
            .field("deadline", &self.deadline)
            .finish()
    }
}
