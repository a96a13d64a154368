use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// By which factor an answer that came later than the estimate raises it, less one. An earlier one
/// lowers it by a nineteenth of that: where 5 of 100 come later, the two cancel out. The estimate then
/// varies by about a tenth; a tenfold drop of the latency takes it some 450 answers to follow, a rise
/// some 24 late ones.
const STEP: f64 = 0.095;
/// What an earlier answer takes away.
const STEP_DOWN: f64 = STEP / 19.0;
/// How many answers it takes until the estimate counts for something.
const FEW: u64 = 32;
/// How many times the first answer's latency the estimate begins with: rather too high.
const FIRST: f64 = 3.0;

/// The estimate is in nanoseconds, and leaves room for the count: 52 days.
const COUNT_SHIFT: u32 = 52;
const MAX_NANOS: u64 = (1 << COUNT_SHIFT) - 1;

/// The running 95th percentile of latencies.
///
/// A stochastic approximation: an answer moves the estimate by a fixed share, up or down, and only
/// whether it came later counts. So a call that was given up after that time tells as much as one
/// that was answered. One word, no lock, and what is long ago is forgotten.
#[derive(Debug, Default)]
pub(super) struct Latency {
    /// The number of answers up to [`FEW`], then the estimate.
    state: AtomicU64,
}

impl Latency {
    pub(super) fn p95(&self) -> Option<Duration> {
        let (count, nanos) = unpacked(self.state.load(Ordering::Relaxed));
        (count >= FEW).then(|| Duration::from_nanos(nanos))
    }

    pub(super) fn answered(&self, after: Duration) {
        let after = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        self.update(|count, estimate| match count {
            0 => after as f64 * FIRST,
            _ if after as f64 > estimate => estimate * (1.0 + STEP),
            _ => estimate * (1.0 - STEP_DOWN),
        });
    }

    /// One more took longer than the estimate.
    pub(super) fn is_late(&self) {
        self.update(|_, estimate| estimate * (1.0 + STEP));
    }

    fn update(&self, next: impl Fn(u64, f64) -> f64) {
        let moved = |state| {
            let (count, nanos) = unpacked(state);
            let nanos = next(count, nanos as f64) as u64;
            // Never so low that a step would be lost to rounding.
            let nanos = nanos.clamp(1000, MAX_NANOS);
            Some((count + 1).min(FEW) << COUNT_SHIFT | nanos)
        };
        let _ = self
            .state
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, moved);
    }
}

fn unpacked(state: u64) -> (u64, u64) {
    (state >> COUNT_SHIFT, state & MAX_NANOS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: f64 = 1e-3;

    /// Latencies of mostly `typical`, with a long tail.
    fn feed(latency: &Latency, typical: f64, answers: usize, rng: &mut fastrand::Rng) -> Vec<f64> {
        let draw = |rng: &mut fastrand::Rng| typical * (1.0 - rng.f64()).powf(-0.5);
        let drawn: Vec<_> = (0..answers).map(|_| draw(rng)).collect();
        for &seconds in &drawn {
            latency.answered(Duration::from_secs_f64(seconds));
        }
        drawn
    }

    fn estimate(latency: &Latency) -> f64 {
        latency.p95().unwrap().as_secs_f64()
    }

    #[test]
    fn the_estimate_is_near_the_percentile_and_follows_it() {
        let mut rng = fastrand::Rng::with_seed(7);
        let latency = Latency::default();
        for typical in [20.0 * MS, 200.0 * MS, 5.0 * MS] {
            feed(&latency, typical, 3000, &mut rng);
            let mut later = 0;
            for _ in 0..20_000 {
                let before = estimate(&latency);
                later += usize::from(feed(&latency, typical, 1, &mut rng)[0] > before);
            }
            // 1000 expected, were the draws independent of the estimate.
            assert!((900..1100).contains(&later), "{typical}: {later}");
            // The 95th percentile of this distribution is the 4.47-fold.
            let ratio = estimate(&latency) / (4.47 * typical);
            assert!((0.6..1.7).contains(&ratio), "{typical}: {ratio}");
        }
    }

    #[test]
    fn nothing_is_known_after_few_answers() {
        let latency = Latency::default();
        for _ in 0..FEW {
            assert_eq!(latency.p95(), None);
            latency.answered(Duration::from_millis(10));
        }
        let first = latency.p95().unwrap();
        assert!(first > Duration::from_millis(25), "{first:?}");
    }

    #[test]
    fn calls_that_are_given_up_count_as_late() {
        let latency = Latency::default();
        (0..100).for_each(|_| latency.answered(Duration::from_millis(10)));
        let before = latency.p95().unwrap();
        (0..10).for_each(|_| latency.is_late());
        assert!(latency.p95().unwrap() > before * 2);
    }

    #[test]
    fn no_latency_is_too_long_or_too_short() {
        let latency = Latency::default();
        for after in [Duration::MAX, Duration::ZERO] {
            (0..10_000).for_each(|_| latency.answered(after));
            latency.p95().unwrap();
        }
        assert!(latency.p95().unwrap() < Duration::from_millis(1));
        (0..10_000).for_each(|_| latency.is_late());
        assert!(latency.p95().unwrap() > Duration::from_secs(24 * 3600));
    }
}
