//! Whether one more attempt is affordable.

mod atomic;
mod bucket;
mod rate;

#[cfg(all(test, failover_loom))]
mod model;
#[cfg(all(test, not(failover_loom)))]
mod tests;

use std::{fmt, sync::Arc};

pub(crate) use bucket::Withdrawal;
use bucket::{Bucket, CEILING, Leave, TOKEN};

/// Tokens that replays spend and answered calls refill.
///
/// An answered call that did not fail deposits `ratio` of a token. A replay withdraws one token, and
/// gets it back when it succeeds in the other region. There is no allowance per second: when every
/// region fails nothing is deposited, so a total outage stops being amplified after a handful of
/// replays, while one dead region out of three costs nothing, for its replays succeed.
///
/// An answer that takes longer than the
/// [attempt timeout](crate::FailoverLayer::attempt_timeout) is no success in this sense: it deposits
/// nothing and brings nothing back. Where all regions are overloaded, replays would otherwise pay for
/// each other and keep them so.
///
/// When the bucket is empty the outcome at hand is returned. That has a price: where half of *all*
/// calls fail in *every* region, success falls from the 87 % that three attempts would reach to
/// about 56 %, once the tokens of the start are spent. And a client that has had no answers yet can
/// replay five calls at once, no more, even if the other regions are well; one that runs alone may
/// want a larger [`cap`](Self::cap), or [`unlimited`](Self::unlimited).
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

impl Default for Budget {
    fn default() -> Self {
        Self::new(0.1)
    }
}

impl Budget {
    /// A budget to which each answered call adds `ratio` of a token: 0.1 allows one failed replay for
    /// ten answered calls. Rounded to thousandths; negative ratios and NaN read as 0.
    pub fn new(ratio: f64) -> Self {
        Self::holding(Bucket::new(thousandths(ratio), None))
    }

    /// The same budget with this ratio, read as by [`new`](Self::new), and tokens of its own.
    pub(crate) fn ratio(self, ratio: f64) -> Self {
        match self.bucket {
            Some(bucket) => Self::holding(bucket.with_ratio(thousandths(ratio))),
            None => self,
        }
    }

    pub(crate) fn is_unlimited(&self) -> bool {
        self.bucket.is_none()
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
            Some(bucket) => Self::holding(bucket.with_cap(u64::from(tokens) * TOKEN)),
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
            Some(bucket) => bucket.tokens() as f64 / TOKEN as f64,
            None => f64::INFINITY,
        }
    }

    fn holding(bucket: Bucket) -> Self {
        Self {
            bucket: Some(Arc::new(bucket)),
        }
    }

    /// Notes that a call begins.
    pub(crate) fn called(&self) {
        if let Some(bucket) = &self.bucket {
            bucket.count();
        }
    }

    /// Adds the share of an answered call.
    pub(crate) fn deposit(&self) {
        if let Some(bucket) = &self.bucket {
            bucket.deposit();
        }
    }

    /// Takes a token for a replay, or `None` when there is not a whole one.
    pub(crate) fn withdraw(&self) -> Option<Withdrawal> {
        self.take(Leave::Nothing)
    }

    /// Takes a token for what a call can go without, or `None` unless at least half of the cap stays
    /// for replays.
    pub(crate) fn withdraw_spare(&self) -> Option<Withdrawal> {
        self.take(Leave::HalfTheCap)
    }

    fn take(&self, leave: Leave) -> Option<Withdrawal> {
        if let Some(bucket) = &self.bucket {
            if !bucket.withdraw(leave) {
                return None;
            }
        }
        Some(Withdrawal::from(self.bucket.clone()))
    }
}

fn thousandths(ratio: f64) -> u64 {
    // A float cast saturates, and takes NaN and negatives to 0.
    let ratio = (ratio * TOKEN as f64).round() as u64;
    ratio.min(CEILING)
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("available", &self.available())
            .finish()
    }
}
