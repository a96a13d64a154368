use std::{fmt, time::Duration};

use tokio::time::Instant;

use crate::{
    classify::Reason,
    region::{Glance, Region, Standing},
};

/// How a region is, at the moment it was asked for.
///
/// Shown as `eu: ejected for 3.2 s (503), next probe in 1.1 s`.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionStatus {
    region: Region,
    state: RegionState,
    since: Option<Duration>,
    reason: Option<Reason>,
    next_probe: Option<Duration>,
}

/// Whether calls go to a region.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum RegionState {
    /// All that would.
    Healthy,
    /// A share of those that would, for it was out until lately.
    #[non_exhaustive]
    Ramping {
        /// Between 0 and 1.
        share: f64,
    },
    /// None, unless all regions are out.
    Ejected,
}

impl RegionStatus {
    pub(super) fn new(region: Region, glance: &Glance, now: Instant) -> Self {
        Self {
            region,
            state: match glance.standing {
                Standing::In => RegionState::Healthy,
                Standing::Partly(share) => RegionState::Ramping { share },
                Standing::Out => RegionState::Ejected,
            },
            since: glance
                .since
                .map(|since| now.saturating_duration_since(since)),
            reason: glance.reason,
            next_probe: glance
                .next_probe
                .map(|next| next.saturating_duration_since(now)),
        }
    }

    /// A region of which nothing is known.
    pub(super) fn unknown(region: Region) -> Self {
        Self {
            region,
            state: RegionState::Healthy,
            since: None,
            reason: None,
            next_probe: None,
        }
    }

    /// Which region it is.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Whether calls go there.
    pub fn state(&self) -> RegionState {
        self.state
    }

    /// How long ago it was ejected, or else how long ago it was last restored; `None` if neither has
    /// happened.
    pub fn since(&self) -> Option<Duration> {
        self.since
    }

    /// Why it is ejected.
    pub fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// How long until it is probed, while it is ejected; zero while a probe is under way, or waits for a
    /// token of the budget or for a call that brings a client.
    pub fn next_probe(&self) -> Option<Duration> {
        self.next_probe
    }
}

impl fmt::Display for RegionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.region)?;
        match self.state {
            RegionState::Healthy => f.write_str("healthy")?,
            RegionState::Ramping { share } => write!(f, "ramping, {:.0} %", share * 100.0)?,
            RegionState::Ejected => f.write_str("ejected")?,
        }
        if let Some(since) = self.since {
            write!(f, " for {:.1} s", since.as_secs_f64())?;
        }
        if let Some(reason) = self.reason {
            write!(f, " ({reason})")?;
        }
        if let Some(next) = self.next_probe {
            write!(f, ", next probe in {:.1} s", next.as_secs_f64())?;
        }
        Ok(())
    }
}
