//! What was measured, and what follows from it.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use crate::{
    client::End,
    script::{DISTANCES, Phase},
};

/// One call: when it was due, after the start of the run, and how it went.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) at: Duration,
    pub(crate) took: Duration,
    pub(crate) end: End,
    pub(crate) attempts: u32,
}

/// The calls of one client, in the order in which they ended.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) client: &'static str,
    samples: Mutex<Vec<Sample>>,
}

impl Track {
    pub(crate) fn new(client: &'static str) -> Arc<Self> {
        Arc::new(Track {
            client,
            samples: Mutex::default(),
        })
    }

    pub(crate) fn add(&self, sample: Sample) {
        self.samples().push(sample);
    }

    /// Those that ended after the first `seen`.
    pub(crate) fn ended_after(&self, seen: usize) -> Vec<Sample> {
        self.samples().iter().skip(seen).cloned().collect()
    }

    /// Those that were due in that time.
    pub(crate) fn due(&self, from: Duration, to: Duration) -> Stats {
        let samples = self.samples();
        Stats::of(samples.iter().filter(|call| (from..to).contains(&call.at)))
    }

    fn samples(&self) -> MutexGuard<'_, Vec<Sample>> {
        self.samples
            .lock()
            .expect("no holder of the samples panics")
    }
}

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Outage {
    pub(crate) phases: Vec<(Phase, Duration, Duration)>,
    pub(crate) tracks: Vec<Arc<Track>>,
}

impl Outage {
    /// Each phase lasts until the next begins, the last until `end`.
    pub(crate) fn new(
        begins: Vec<(Phase, Duration)>,
        end: Duration,
        tracks: Vec<Arc<Track>>,
    ) -> Self {
        let ends = begins.iter().skip(1).map(|next| next.1).chain([end]);
        let phases = begins.iter().zip(ends);
        Outage {
            phases: phases
                .map(|(&(phase, from), to)| (phase, from, to))
                .collect(),
            tracks,
        }
    }

    /// # Panics
    /// When no client has that name.
    pub(crate) fn track(&self, client: &str) -> &Track {
        let track = self.tracks.iter().find(|track| track.client == client);
        track.expect("every client has a track")
    }
}

/// Some calls, summed up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) calls: usize,
    pub(crate) lost: usize,
    /// Those of the lost for which the retry budget was empty.
    pub(crate) lost_for_budget: usize,
    attempts: usize,
    answered_by: [usize; DISTANCES.len()],
    /// Of the answered calls, sorted.
    latencies: Vec<Duration>,
}

impl Stats {
    pub(crate) fn of<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Self {
        let mut stats = Stats::default();
        for sample in samples {
            stats.calls += 1;
            stats.attempts += sample.attempts as usize;
            match sample.end {
                End::Answered(region) => {
                    stats.answered_by[region] += 1;
                    stats.latencies.push(sample.took);
                }
                End::Lost => stats.lost += 1,
                End::LostForBudget => {
                    stats.lost += 1;
                    stats.lost_for_budget += 1;
                }
            }
        }
        stats.latencies.sort_unstable();
        stats
    }

    /// The share of calls that were answered well, in percent.
    pub(crate) fn success(&self) -> f64 {
        percent(self.calls - self.lost, self.calls)
    }

    /// The latency that so many percent of the answered calls did not exceed; `None` without any.
    pub(crate) fn latency(&self, percentile: usize) -> Option<Duration> {
        let rank = (self.latencies.len() * percentile).div_ceil(100);
        self.latencies.get(rank.checked_sub(1)?).copied()
    }

    pub(crate) fn attempts_per_call(&self) -> f64 {
        self.attempts as f64 / self.calls as f64
    }

    /// The share of the answers that the region gave, in percent.
    pub(crate) fn share(&self, region: usize) -> f64 {
        percent(self.answered_by[region], self.latencies.len())
    }
}

/// Not a number if there is nothing to be a part of.
fn percent(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64 * 100.0
}
