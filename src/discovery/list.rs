use std::time::Duration;

use crate::region::Region;

/// The regions of a home, nearest first: what a discovery service answers, or what a server pushes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct RegionList {
    regions: Vec<Region>,
    ttl: Option<Duration>,
}

impl RegionList {
    /// A list of these regions. No more than 32 are used, and each origin once.
    pub fn new(regions: Vec<Region>) -> Self {
        Self { regions, ttl: None }
    }

    /// Sets how long the list may be used; zero is for the calls at hand alone, though it still
    /// serves when no other can be had.
    ///
    /// # Defaults
    ///
    /// [`Discovery::default_ttl`](crate::Discovery::default_ttl).
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// The regions, nearest first.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    pub(super) fn into_parts(self) -> (Vec<Region>, Option<Duration>) {
        (self.regions, self.ttl)
    }
}
