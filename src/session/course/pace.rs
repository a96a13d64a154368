use std::time::Duration;

use super::Step;
use crate::{backoff::Backoff, time::scaled};

/// The least time between two attempts, whatever draw or server made it shorter: 20 attempts a second
/// are no hot loop.
pub(in crate::session) const FLOOR: Duration = Duration::from_millis(50);

/// By how much a wait that somebody asked for may get longer at random.
const SPREAD: f64 = 0.25;

/// How long the waits are by now.
#[derive(Debug)]
pub(super) struct Pace {
    /// How many came from the backoff.
    waits: u32,
    /// Whether one more attempt may begin without a wait.
    has_credit: bool,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            waits: 0,
            has_credit: true,
        }
    }

    /// How long to wait; `wish` is what somebody asked for.
    pub(super) fn wait(
        &mut self,
        backoff: &Backoff,
        asked: Step,
        wish: Option<Duration>,
        draw: f64,
    ) -> Duration {
        // Not where a retry becomes more than that: there may be no other region.
        if wish.is_none() && asked != Step::Retry && self.has_credit {
            self.has_credit = false;
            return Duration::ZERO;
        }
        let next = self.waits.saturating_add(1);
        let computed = floored(backoff.delay(next, draw), backoff.ceiling(next));
        match wish.map(|wait| scaled(wait, 1.0 + SPREAD * draw)) {
            Some(wish) if wish >= computed => wish,
            Some(_) | None => {
                self.waits = next;
                computed
            }
        }
    }
}

/// A wait that was drawn from nothing to `most`, no shorter than the floor.
fn floored(wait: Duration, most: Duration) -> Duration {
    if wait >= FLOOR {
        wait
    } else {
        // Not just the floor, or all that drew less would come back at the same moment.
        (FLOOR + wait).min(most).max(FLOOR)
    }
}
