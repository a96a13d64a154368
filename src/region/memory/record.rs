use std::time::Duration;

use tokio::time::Instant;

use super::{OVERTAKEN, SILENCE, Standing};
use crate::{
    classify::{Blame, Reason},
    region::Health,
    time::after,
};

/// What is known of a region, save for how it stands.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// How many counted failures followed each other.
    pub(super) failures: u32,
    /// How many answers came later than that to a hedge, with none in between that came first.
    pub(super) overtaken: u32,
    /// When the first of these was sent.
    pub(super) silent_since: Option<Instant>,
    /// The route of the last weak vote.
    pub(super) weak: Option<u64>,
    pub(super) ejection: Option<Ejection>,
    /// When the region was last back after an ejection.
    pub(super) restored: Option<Instant>,
    /// How many calls succeeded there since, and how many failed, while it was on the ramp.
    pub(super) succeeded_since: u32,
    pub(super) failed_since: u32,
    /// Whether it was taken back by hand.
    pub(super) is_forgiven: bool,
    /// How many ejections and probes failed since it was last well for long, and so how far the wait
    /// has grown.
    pub(super) failed: u32,
}

#[derive(Debug)]
pub(super) struct Ejection {
    pub(super) since: Instant,
    pub(super) reason: Reason,
    pub(super) next_probe: Instant,
    /// How many probes were sent.
    pub(super) probes: u32,
}

/// A failed attempt, as far as health is concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed {
    pub(crate) blame: Blame,
    pub(crate) reason: Reason,
    pub(crate) route: u64,
    pub(crate) sent: Option<Instant>,
}

impl Failed {
    /// Whether the attempt was sent before this.
    pub(super) fn is_from_before(&self, time: Option<Instant>) -> bool {
        matches!((self.sent, time), (Some(sent), Some(time)) if sent < time)
    }
}

impl Record {
    /// How often the region has failed lately, if it has.
    pub(super) fn same_trouble(&self, health: &Health, now: Instant) -> Option<u32> {
        let back = self.restored.filter(|_| !self.is_forgiven)?;
        (now < after(back, health.trial())).then_some(self.failed)
    }

    /// Whether the region's answers have come later than those to hedges for long enough.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        let is_long = |since| now >= after(since, SILENCE);
        self.overtaken >= OVERTAKEN && self.silent_since.is_some_and(is_long)
    }
}

/// What somebody who looks at a region sees of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glance {
    pub(crate) standing: Standing,
    /// Since when it is out, or back.
    pub(crate) since: Option<Instant>,
    /// Why it is out.
    pub(crate) reason: Option<Reason>,
    pub(crate) next_probe: Option<Instant>,
}

/// What follows from an answer that came later than that to a hedge.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Overtaken {
    /// How long until the first probe, if the region is out by that.
    pub(crate) ejected: Option<Duration>,
    /// Whether it adds to what is known, so that the budget must not keep it from being found out: one
    /// of the few that eject a region, save the first.
    pub(crate) is_telling: bool,
    /// Whether it is the first since an answer of the region's came first.
    pub(crate) is_first: bool,
}
