//! What a run came to, and how to ask for it.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    ops::Range,
};

use super::{
    call_log::{CallLog, Second},
    events::Change,
    fault::REGIONS,
    histogram::Histogram,
    scenarios::Scenario,
};

/// Seconds of a run.
pub(crate) type Window = Range<usize>;

/// Before the fault, without the first seconds.
pub(crate) const BEFORE: Window = 20..60;
pub(crate) const FAULT: Window = 60..180;
/// The first seconds of the fault.
pub(crate) const ONSET: Window = 60..70;
/// The fault without its first seconds.
pub(crate) const STEADY: Window = 70..180;
/// The fault when all clients have long known of it.
pub(crate) const SETTLED: Window = 90..180;
pub(crate) const AFTER: Window = 180..300;

#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) scenario: Scenario,
    pub(crate) seconds: Vec<Second>,
    pub(crate) returns: Vec<(u32, u32)>,
    pub(crate) most_probes: u8,
    pub(crate) changes: Vec<Change>,
}

impl Outcome {
    pub(crate) fn new(scenario: Scenario, log: CallLog, changes: Vec<Change>) -> Self {
        Self {
            scenario,
            seconds: log.seconds,
            returns: log.returns.to_vec(),
            most_probes: log.most_probes,
            changes,
        }
    }

    fn sum(&self, window: Window, count: impl Fn(&Second) -> u32) -> f64 {
        self.seconds[window]
            .iter()
            .map(|s| f64::from(count(s)))
            .sum()
    }

    /// The calls that began in a window.
    pub(crate) fn calls(&self, window: Window) -> f64 {
        self.sum(window, |second| second.calls.iter().sum())
    }

    /// The share of them that succeeded, in percent.
    pub(crate) fn success(&self, window: Window) -> f64 {
        100.0 * self.sum(window.clone(), |second| second.succeeded) / self.calls(window)
    }

    /// Attempts per call.
    pub(crate) fn amplification(&self, window: Window) -> f64 {
        self.attempts(window.clone(), 0..REGIONS) / self.calls(window)
    }

    /// The attempts at these regions.
    pub(crate) fn attempts(&self, window: Window, regions: Range<usize>) -> f64 {
        self.sum(window, |second| {
            second.attempts[regions.clone()].iter().sum()
        })
    }

    /// Probes per second, of all regions.
    pub(crate) fn probes(&self, window: Window) -> f64 {
        self.sum(window.clone(), |second| second.probes.iter().sum()) / window.len() as f64
    }

    /// Requests for the list per second, and the most in one second.
    pub(crate) fn lookups(&self, window: Window) -> (f64, f64) {
        let one = |second: &Second| second.lookups.iter().sum::<u32>();
        let most = self.seconds[window.clone()].iter().map(one).max();
        let mean = self.sum(window.clone(), one) / window.len() as f64;
        (mean, f64::from(most.unwrap_or(0)))
    }

    /// The requests for the list per second that go to other regions than the one at fault.
    pub(crate) fn lookups_elsewhere(&self, window: Window) -> f64 {
        let elsewhere = |second: &Second| second.lookups[1..].iter().sum::<u32>();
        self.sum(window.clone(), elsewhere) / window.len() as f64
    }

    /// The most requests for the list per second that one region got in a second.
    pub(crate) fn lookups_at_one(&self, window: Window) -> f64 {
        let at = |region: usize| self.sum(window.clone(), |s| s.lookups[region]);
        (0..REGIONS).map(at).fold(0.0, f64::max) / window.len() as f64
    }

    /// A latency in milliseconds.
    pub(crate) fn quantile(&self, window: Window, share: f64) -> f64 {
        let seconds = self.seconds[window].iter();
        Histogram::merge(seconds.map(|second| &second.latencies)).quantile(share) as f64
    }

    pub(crate) fn slowest(&self) -> usize {
        let all = self.seconds.iter().map(|second| second.latencies.max());
        all.max().unwrap_or(0)
    }

    /// The share of a home's callers' calls whose first attempts go home, in percent.
    pub(crate) fn at_home(&self, window: Window, home: usize) -> f64 {
        let at_home = self.sum(window.clone(), |second| second.at_home[home]);
        100.0 * at_home / self.sum(window, |second| second.calls[home])
    }

    /// The load of the busier of the last two regions over the mean of the two.
    pub(crate) fn skew(&self, window: Window) -> f64 {
        let [one, two] = [1, 2].map(|region| self.attempts(window.clone(), region..region + 1));
        one.max(two) * 2.0 / (one + two)
    }

    /// The most that a survivor got in one second, as a share of what it can serve.
    pub(crate) fn peak(&self, window: Window) -> f64 {
        let seconds = self.seconds[window].iter();
        let most = seconds.map(|second| second.attempts[1].max(second.attempts[2]));
        f64::from(most.max().unwrap_or(0)) / self.scenario.capacity
    }

    /// The first second from this one on that begins five in which all is well, or as good as.
    pub(crate) fn recovered(&self, from: usize) -> Option<usize> {
        (from..self.seconds.len() - 5).find(|&second| self.success(second..second + 5) >= 99.9)
    }

    /// How many seconds after the fault's begin the clients of home 0 ejected it: the mean, the
    /// standard deviation, and how many did.
    pub(crate) fn detected(&self) -> (f64, f64, f64) {
        let from = FAULT.start as u64 * 1000;
        let mut first = BTreeMap::new();
        let out = |c: &&Change| !c.is_back && c.region == 0 && c.millis >= from;
        for change in self.changes.iter().filter(out) {
            if self.scenario.homes.of(change.client) == 0 {
                let seconds = (change.millis - from) as f64 / 1000.0;
                first.entry(change.client).or_insert(seconds);
            }
        }
        let count = first.len() as f64;
        let mean = first.values().sum::<f64>() / count;
        let spread = first
            .values()
            .map(|seconds| (seconds - mean).powi(2))
            .sum::<f64>();
        (mean, (spread / count).sqrt(), count)
    }

    /// How often one client lost one region: the mean over those that lost it, and the most.
    pub(crate) fn ejections(&self) -> (f64, usize) {
        let mut counts = BTreeMap::<_, usize>::new();
        for change in self.changes.iter().filter(|change| !change.is_back) {
            *counts.entry((change.client, change.region)).or_default() += 1;
        }
        let all: usize = counts.values().sum();
        let most = counts.values().max().copied().unwrap_or(0);
        (all as f64 / counts.len() as f64, most)
    }

    /// Everything that was counted, in one number.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.seconds, &self.returns, &self.changes).hash(&mut hasher);
        hasher.finish()
    }
}

#[derive(Debug)]
pub(crate) struct Outcomes {
    all: Vec<Outcome>,
}

impl Outcomes {
    pub(crate) fn new(all: impl Iterator<Item = Outcome>) -> Self {
        Self { all: all.collect() }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Outcome> {
        self.all.iter()
    }

    /// The scenario of this name, if it was run.
    pub(crate) fn get(&self, name: &str) -> Option<&Outcome> {
        self.iter().find(|outcome| outcome.scenario.name == name)
    }
}
