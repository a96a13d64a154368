use tokio::time::Instant;

use super::{
    atomic::{AtomicU64, Ordering},
    bucket::{CEILING, FLOOR, TOKEN},
};

/// The cap in seconds of traffic.
const WINDOW: f64 = 0.6;

/// Every how many calls the clock is read. The rates that matter, at which the cap is above its
/// floor, reach that in less than eight seconds.
const SAMPLE: u64 = 64;

/// How many calls there are a second, measured now and then and when a replay asks. No lock, for all
/// calls pass here; two measurements at the same moment are as good as one.
pub(super) struct Rate {
    begin: Instant,
    calls: AtomicU64,
    /// When the calls began to be counted, in nanoseconds after `begin`.
    since: AtomicU64,
    /// The cap that follows from the last measurement, 0 before the first.
    cap: AtomicU64,
    /// That of the count before, which stands when the last one fell below half of it. Callers who wait for
    /// a region that does not answer make no calls: just when replays are needed the rate falls, and the
    /// tokens must not go with it.
    before: AtomicU64,
}

impl Rate {
    pub(super) fn new() -> Self {
        Self {
            begin: Instant::now(),
            calls: AtomicU64::new(0),
            since: AtomicU64::new(0),
            cap: AtomicU64::new(0),
            before: AtomicU64::new(0),
        }
    }

    pub(super) fn count(&self) {
        if self.calls.fetch_add(1, Ordering::Relaxed) % SAMPLE == SAMPLE - 1 {
            self.measure(Instant::now());
        }
    }

    pub(super) fn cap(&self) -> u64 {
        let cap = self.cap.load(Ordering::Relaxed);
        let before = self.before.load(Ordering::Relaxed);
        if cap < before / 2 { before } else { cap }.max(FLOOR)
    }

    /// The cap for the rate of calls, since the count began or in the count before. A count goes on for at least a second, and
    /// what was called in less than that counts as the calls of a second.
    pub(super) fn measure(&self, now: Instant) -> u64 {
        let now = now.saturating_duration_since(self.begin).as_nanos();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        let since = self.since.load(Ordering::Relaxed);
        let seconds = now.saturating_sub(since) as f64 / 1e9;
        let cap = |calls: u64| {
            let cap = (calls as f64 / seconds.max(1.0) * WINDOW * TOKEN as f64) as u64;
            cap.min(CEILING)
        };
        if seconds < 1.0 {
            let calls = self.calls.load(Ordering::Relaxed);
            self.cap.fetch_max(cap(calls), Ordering::Relaxed);
        } else if self
            .since
            .compare_exchange(since, now, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
        {
            // Takes what is there, not what was there a moment ago: a thread that was held up here
            // for a second finds that another has taken it.
            let calls = self.calls.swap(0, Ordering::Relaxed);
            // A store would do, but loom may order one before what it replaces (tokio-rs/loom#389).
            let before = self.cap.swap(cap(calls), Ordering::Relaxed);
            self.before.swap(before, Ordering::Relaxed);
        }
        self.cap()
    }
}
