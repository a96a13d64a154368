use std::time::Duration;

use crate::region::Region;

/// The regions of a home: what a discovery service answers, or what a server pushes.
///
/// The nearest is listed first, or each has a [distance](Region::distance); [`Order`](crate::Order) says
/// which counts. Two lists are equal when their regions and times are, whatever distances and weights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct RegionList {
    regions: Vec<Region>,
    ttl: Option<Duration>,
}

impl RegionList {
    /// A list of these regions. Each origin is used once, and of more than 32 the nearest 32: by their
    /// distances if all that are trusted have one, else the first.
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

    /// The regions, in the order given.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    pub(super) fn into_parts(self) -> (Vec<Region>, Option<Duration>) {
        (self.regions, self.ttl)
    }
}
