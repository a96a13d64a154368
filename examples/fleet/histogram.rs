//! Latencies, in whole milliseconds as the clock counts them.

/// Calls end before this.
const BOUND: usize = 4096;

#[derive(Clone, Debug, Hash)]
pub(crate) struct Histogram {
    counts: Vec<u32>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; BOUND],
        }
    }
}

impl Histogram {
    pub(crate) fn add(&mut self, millis: u64) {
        let place = usize::try_from(millis).unwrap_or(BOUND).min(BOUND - 1);
        self.counts[place] += 1;
    }

    pub(crate) fn merge<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        for one in all {
            for (sum, count) in sum.counts.iter_mut().zip(&one.counts) {
                *sum += count;
            }
        }
        sum
    }

    /// The latency that this share of all calls does not exceed.
    pub(crate) fn quantile(&self, share: f64) -> usize {
        let all: u64 = self.counts.iter().map(|&count| u64::from(count)).sum();
        let rank = (all as f64 * share).ceil() as u64;
        let mut seen = 0;
        let at = |&count: &u32| {
            seen += u64::from(count);
            seen >= rank
        };
        self.counts.iter().position(at).unwrap_or(0)
    }

    pub(crate) fn max(&self) -> usize {
        self.counts
            .iter()
            .rposition(|&count| count > 0)
            .unwrap_or(0)
    }
}
