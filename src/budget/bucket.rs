//! The tokens, in one atomic. Each change is one compare-exchange of the whole truth, so no order of
//! threads can overdraw, overfill, lose or mint; being alone, it needs no ordering with other memory.

use std::{fmt, sync::Arc};

use tokio::time::Instant;

use super::{
    atomic::{AtomicU64, Ordering},
    rate::Rate,
};

/// One token, in the thousandths in which the bucket counts.
pub(super) const TOKEN: u64 = 1000;
/// What a bucket starts with, and the least it may hold where the cap follows the rate of calls.
pub(super) const FLOOR: u64 = 5 * TOKEN;
/// The most a bucket holds where the cap follows the rate of calls.
pub(super) const CEILING: u64 = 100 * TOKEN;

pub(super) struct Bucket {
    pub(super) tokens: AtomicU64,
    ratio: u64,
    /// `None` follows the rate of calls.
    cap: Option<u64>,
    rate: Rate,
}

/// What has to be in the bucket once a token is taken.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leave {
    Nothing,
    HalfTheCap,
}

impl Bucket {
    pub(super) fn new(ratio: u64, cap: Option<u64>) -> Self {
        Self {
            tokens: AtomicU64::new(cap.map_or(FLOOR, |cap| cap.min(FLOOR))),
            ratio,
            cap,
            rate: Rate::new(),
        }
    }

    /// The same settings with this cap, and tokens of its own.
    pub(super) fn with_cap(&self, cap: u64) -> Self {
        Self::new(self.ratio, Some(cap))
    }

    /// The same settings with this ratio, and tokens of its own.
    pub(super) fn with_ratio(&self, ratio: u64) -> Self {
        Self::new(ratio, self.cap)
    }

    pub(super) fn tokens(&self) -> u64 {
        let cap = self.cap.unwrap_or_else(|| self.rate.cap());
        self.tokens.load(Ordering::Relaxed).min(cap)
    }

    /// Notes that a call begins.
    pub(super) fn count(&self) {
        if self.cap.is_none() {
            self.rate.count();
        }
    }

    /// Adds the share of an answered call.
    pub(super) fn deposit(&self) {
        self.add(self.ratio);
    }

    fn add(&self, amount: u64) {
        let cap = self.cap.unwrap_or_else(|| self.rate.cap());
        // A full bucket, the usual case, is only read.
        let _ = self
            .tokens
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| {
                (tokens < cap).then(|| tokens.saturating_add(amount).min(cap))
            });
    }

    /// Takes a token, if there is a whole one and that much is left.
    pub(super) fn withdraw(&self, leave: Leave) -> bool {
        let cap = self
            .cap
            .unwrap_or_else(|| self.rate.measure(Instant::now()));
        let left = match leave {
            Leave::Nothing => 0,
            Leave::HalfTheCap => cap.div_ceil(2),
        };
        // What is above the cap as it is now goes with the first withdrawal: only here does it
        // matter how much there is.
        self.tokens
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| {
                let after = tokens.min(cap).checked_sub(TOKEN)?;
                (after >= left).then_some(after)
            })
            .is_ok()
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}

/// A token taken for a replay. It goes back into the bucket if the replay is never sent, and if it
/// succeeds.
#[derive(Debug)]
pub(crate) struct Withdrawal {
    /// `None` is without limit.
    bucket: Option<Arc<Bucket>>,
    sent: bool,
}

impl Withdrawal {
    /// A token that was taken from this bucket.
    pub(super) fn from(bucket: Option<Arc<Bucket>>) -> Self {
        Self {
            bucket,
            sent: false,
        }
    }

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
