//! What is wrong with a region, and when.

/// How many regions there are.
pub(crate) const REGIONS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// It takes requests and never answers.
    BlackHole,
    /// It answers 503 at once.
    Refusal,
    /// It has this share of its capacity.
    Capacity(f64),
    /// It answers this share of its requests with 503, after the same work.
    Errors(f64),
    /// It is a black hole for this many seconds, then well for as many, and so on.
    Flapping(u64),
}

/// A fault of some regions from one second of a run to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outage {
    pub(crate) fault: Fault,
    pub(crate) regions: &'static [usize],
    pub(crate) from: u64,
    pub(crate) until: u64,
}

impl Outage {
    pub(crate) const fn new(fault: Fault, regions: &'static [usize]) -> Self {
        Self {
            fault,
            regions,
            from: 60,
            until: 180,
        }
    }

    pub(crate) const fn until(mut self, second: u64) -> Self {
        self.until = second;
        self
    }

    /// What is wrong with a region at this millisecond.
    pub(crate) fn of(&self, region: usize, now: u64) -> Option<Fault> {
        let is_on = (self.from * 1000..self.until * 1000).contains(&now);
        if !is_on || !self.regions.contains(&region) {
            return None;
        }
        match self.fault {
            Fault::Flapping(seconds) => {
                let turn = (now - self.from * 1000) / (seconds * 1000);
                (turn % 2 == 0).then_some(Fault::BlackHole)
            }
            fault => Some(fault),
        }
    }
}
