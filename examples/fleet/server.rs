//! The servers of a region: one queue, first in, first out.

/// Who would wait for longer, in milliseconds, is turned away.
const MAX_WAIT: f64 = 10_000.0;

/// What turning a request away costs, as a share of serving it.
const REFUSAL: f64 = 0.1;

/// A queue that is charged when a request arrives, so that a caller who no longer waits for the answer
/// takes nothing off it.
#[derive(Debug)]
pub(crate) struct Server {
    /// How long one request takes, in milliseconds.
    service: f64,
    /// When the last request that was taken is done.
    free_at: f64,
}

impl Server {
    /// A server with a capacity in requests per second.
    pub(crate) fn new(capacity: f64) -> Self {
        Self {
            service: 1000.0 / capacity,
            free_at: 0.0,
        }
    }

    /// Takes a request of this cost, where a call's is 1, while this share of the capacity is there;
    /// says how long it is here, or `None` when it is turned away.
    pub(crate) fn take(&mut self, now: u64, cost: f64, share: f64) -> Option<f64> {
        let now = now as f64;
        let service = self.service * cost / share;
        let begin = self.free_at.max(now);
        if begin - now > MAX_WAIT {
            self.free_at += REFUSAL * service;
            return None;
        }
        self.free_at = begin + service;
        Some(self.free_at - now)
    }
}
