//! Whether one more attempt is affordable.

mod rate;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rate::Rate;
use tokio::time::Instant;

/// One token, in the thousandths in which the bucket counts.
const TOKEN: u64 = 1000;
/// What a bucket starts with, and the least it may hold where the cap follows the rate of calls.
const FLOOR: u64 = 5 * TOKEN;
/// The most a bucket holds where the cap follows the rate of calls.
const CEILING: u64 = 100 * TOKEN;

/// Tokens that replays spend and answered calls refill.
///
/// An answered call that did not fail deposits `ratio` of a token. A replay withdraws one token, and
/// gets it back when it succeeds in the other region. There is no allowance per second: when every
/// region fails nothing is deposited, so a total outage stops being amplified after a handful of
/// replays, while one dead region out of three costs nothing, for its replays succeed.
///
/// When the bucket is empty the outcome at hand is returned. That has a price: where half of *all*
/// calls fail in *every* region, success falls from the 87 % that three attempts would reach to
/// about 62 %. And a client that has had no answers yet can replay five calls at once, no more, even
/// if the other regions are well; one that runs alone may want a larger [`cap`](Self::cap), or
/// [`unlimited`](Self::unlimited).
///
/// Clones share the tokens; a layer and all its clones use one bucket.
///
/// # Defaults
///
/// A ratio of 0.1, as in Google's SRE book and gRPC's retry throttling; 5 tokens to start with; a
/// cap of 0.6 s of the measured rate of calls, at least 5 and at most 100 tokens.
#[derive(Clone)]
#[must_use]
pub struct Budget {
    /// `None` is without limit.
    bucket: Option<Arc<Bucket>>,
}

struct Bucket {
    tokens: AtomicU64,
    ratio: u64,
    /// `None` follows the rate of calls.
    cap: Option<u64>,
    rate: Rate,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(0.1)
    }
}

impl Budget {
    /// A budget to which each answered call adds `ratio` of a token: 0.1 allows one failed replay for
    /// ten answered calls. Rounded to thousandths; negative ratios and NaN read as 0.
    pub fn new(ratio: f64) -> Self {
        // A float cast saturates, and takes NaN and negatives to 0.
        let ratio = (ratio * TOKEN as f64).round() as u64;
        Self::with(ratio.min(CEILING), None)
    }

    /// Sets the most tokens the bucket holds, and so how many replays may fail at once.
    ///
    /// Starts a bucket of its own, with 5 tokens or the cap if that is less. With a cap of 0 no
    /// request is ever replayed. No effect on [`unlimited`](Self::unlimited).
    ///
    /// # Defaults
    ///
    /// 0.6 s of the measured rate of calls, at least 5 and at most 100.
    pub fn cap(self, tokens: u32) -> Self {
        match self.bucket {
            Some(bucket) => Self::with(bucket.ratio, Some(u64::from(tokens) * TOKEN)),
            None => self,
        }
    }

    /// No limit: every replay that the other rules allow is made.
    ///
    /// For tests, and for clients whose servers protect themselves. In a total outage such a client
    /// sends `max_attempts` times its load.
    pub fn unlimited() -> Self {
        Self { bucket: None }
    }

    /// The tokens at hand; infinite where there is no limit.
    pub fn available(&self) -> f64 {
        match &self.bucket {
            Some(bucket) => {
                let tokens = bucket.tokens.load(Ordering::Relaxed);
                tokens.min(bucket.cap.unwrap_or_else(|| bucket.rate.cap())) as f64 / TOKEN as f64
            }
            None => f64::INFINITY,
        }
    }

    fn with(ratio: u64, cap: Option<u64>) -> Self {
        Self {
            bucket: Some(Arc::new(Bucket {
                tokens: AtomicU64::new(cap.map_or(FLOOR, |cap| cap.min(FLOOR))),
                ratio,
                cap,
                rate: Rate::new(),
            })),
        }
    }

    /// Notes that a call begins.
    pub(crate) fn called(&self) {
        if let Some(bucket) = &self.bucket {
            if bucket.cap.is_none() {
                bucket.rate.count();
            }
        }
    }

    /// Adds the share of an answered call.
    pub(crate) fn deposit(&self) {
        if let Some(bucket) = &self.bucket {
            bucket.add(bucket.ratio);
        }
    }

    /// Takes a token for a replay, or `None` when there is not a whole one.
    pub(crate) fn withdraw(&self) -> Option<Withdrawal> {
        if let Some(bucket) = &self.bucket {
            let cap = bucket
                .cap
                .unwrap_or_else(|| bucket.rate.measure(Instant::now()));
            // What is above the cap as it is now goes with the first withdrawal: only here does it
            // matter how much there is.
            bucket
                .tokens
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| {
                    tokens.min(cap).checked_sub(TOKEN)
                })
                .ok()?;
        }
        Some(Withdrawal {
            bucket: self.bucket.clone(),
            sent: false,
        })
    }
}

impl Bucket {
    fn add(&self, amount: u64) {
        let cap = self.cap.unwrap_or(CEILING);
        // A full bucket, the usual case, is only read.
        let _ = self
            .tokens
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| {
                (tokens < cap).then(|| tokens.saturating_add(amount).min(cap))
            });
    }
}

/// A token taken for a replay. It goes back into the bucket if the replay is never sent, and if it
/// succeeds.
#[derive(Debug)]
pub(crate) struct Withdrawal {
    bucket: Option<Arc<Bucket>>,
    sent: bool,
}

impl Withdrawal {
    /// The replay is on its way: from here on the token is gone unless it is refunded.
    pub(crate) fn sent(&mut self) {
        self.sent = true;
    }

    pub(crate) fn is_sent(&self) -> bool {
        self.sent
    }

    /// The replay succeeded.
    pub(crate) fn refund(mut self) {
        self.sent = false;
    }
}

impl Drop for Withdrawal {
    fn drop(&mut self) {
        if let (Some(bucket), false) = (&self.bucket, self.sent) {
            bucket.add(TOKEN);
        }
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("available", &self.available())
            .finish()
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn fail(budget: &Budget) -> bool {
        budget.withdraw().map(|mut token| token.sent()).is_some()
    }

    #[test]
    fn a_bucket_starts_with_five_tokens_and_is_never_overdrawn() {
        let budget = Budget::default();
        assert_eq!((0..20).filter(|_| fail(&budget)).count(), 5);
        assert_eq!(budget.available(), 0.0);
    }

    #[test]
    fn answered_calls_pay_for_replays() {
        let budget = Budget::new(0.1).cap(1);
        assert!(fail(&budget));
        for _ in 0..9 {
            budget.deposit();
        }
        assert!(!fail(&budget), "nine tenths are no token");
        budget.deposit();
        assert!(fail(&budget));
    }

    #[test]
    fn a_token_that_was_not_used_or_bought_a_success_comes_back() {
        let budget = Budget::default().cap(1);
        drop(budget.withdraw().unwrap());
        assert_eq!(budget.available(), 1.0);
        let mut token = budget.withdraw().unwrap();
        token.sent();
        token.refund();
        assert_eq!(budget.available(), 1.0);
    }

    #[test]
    fn ratios_are_exact_to_a_thousandth_and_odd_ones_are_zero() {
        for (ratio, deposit) in [
            (0.7, 0.7),
            (0.0, 0.0),
            (-3.0, 0.0),
            (f64::NAN, 0.0),
            (2.5, 2.5),
        ] {
            let budget = Budget::new(ratio).cap(3);
            while fail(&budget) {}
            budget.deposit();
            assert_eq!(budget.available(), deposit, "{ratio}");
        }
        let budget = Budget::new(f64::INFINITY).cap(3);
        budget.deposit();
        assert_eq!(budget.available(), 3.0);
    }

    #[test]
    fn the_bucket_does_not_overflow_its_cap() {
        let budget = Budget::new(1.0).cap(7);
        (0..20).for_each(|_| budget.deposit());
        assert_eq!(budget.available(), 7.0);
        assert_eq!(Budget::default().cap(0).available(), 0.0);
        assert!(Budget::default().cap(0).withdraw().is_none());
    }

    #[test]
    fn without_limit_there_is_always_a_token() {
        let budget = Budget::unlimited().cap(1);
        assert!((0..1000).all(|_| fail(&budget)));
        assert_eq!(budget.available(), f64::INFINITY);
    }

    async fn calls(budget: &Budget, per_second: u32, seconds: u32) {
        for _ in 0..per_second * seconds {
            budget.called();
            budget.deposit();
            tokio::time::sleep(Duration::from_secs(1) / per_second).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_cap_follows_the_rate_of_calls() {
        // The floor, 0.6 s of traffic within what a sample is off, the ceiling.
        for (per_second, cap) in [(1, 5..=5), (50, 29..=31), (1000, 100..=100)] {
            let budget = Budget::new(0.5);
            calls(&budget, per_second, 60).await;
            drop(budget.withdraw());
            let available = budget.available().round() as u32;
            assert!(cap.contains(&available), "{per_second}: {available}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_past_does_not_lower_the_cap() {
        let budget = Budget::new(0.5);
        tokio::time::sleep(Duration::from_secs(36_000)).await;
        calls(&budget, 100, 10).await;
        drop(budget.withdraw());
        assert!((58.0..=62.0).contains(&budget.available()), "{budget:?}");
    }

    #[test]
    fn a_burst_counts_as_the_calls_of_a_second() {
        let budget = Budget::new(0.5);
        (0..100).for_each(|_| budget.called());
        (0..100).for_each(|_| budget.deposit());
        assert_eq!(budget.available(), 38.4, "as of the 64th");
        drop(budget.withdraw());
        assert_eq!(budget.available(), 55.0);
        drop(budget.withdraw());
        assert_eq!(budget.available(), 55.0, "counted once");
    }

    #[test]
    fn tokens_are_exact_under_threads() {
        let budget = Budget::new(0.1).cap(100);
        while fail(&budget) {}
        let won = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        (0..5000)
                            .filter(|_| {
                                budget.deposit();
                                fail(&budget)
                            })
                            .count()
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|t| t.join().unwrap())
                .sum::<usize>()
        });
        // 20 000 deposits of a tenth are 2000 tokens: spent, or still there. Deposits meet a full
        // bucket at no time, for every thread withdraws whenever it can.
        assert_eq!(won as f64 + budget.available(), 2000.0);
    }
}
