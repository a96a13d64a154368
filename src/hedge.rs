//! A second request for a call whose answer is late.

mod latency;

use std::{sync::Arc, time::Duration};

use latency::Latency;

/// When to send a call that is not answered yet to a second region too.
///
/// The first success counts, the other request is dropped; a hedge that fails, or is refused with a
/// `429` or the like, leaves the call to the first request. For the few calls that take much longer
/// than most, this ends the wait early ("The Tail at Scale", Dean and Barroso, 2013); until a region
/// that does not answer is found out, it keeps calls from waiting for it, as far as the budget goes.
///
/// A call is hedged at most once, while its first attempt is under way, and only if
///
/// - its request may be replayed even if it was processed ([`Replay`](crate::Replay)), and has no body
///   or one that was there at once, for a stream cannot be read twice at a time;
/// - another attempt is left, in a known region that would get the call next;
/// - the inner service is ready for it at that moment: a full one is no place for more load;
/// - the [`Budget`](crate::Budget) can pay a token for it and stay half full. Unlike that of a replay
///   the token does not come back when the hedge wins, so no more than the budget's ratio of the calls
///   are hedged, and none when many fail.
///
/// A region whose answers come too late five times in a row, and for half a second, with none in
/// between that came first, is ejected like one that does not answer. The tokens of all but the first
/// of these five come back, so that the budget does not keep such a region from being found out.
///
/// Hedges are load. Without them a fleet recovers from an overload at a higher utilisation; see
/// `docs/fleet.md`.
#[derive(Clone, Debug)]
#[must_use]
pub struct Hedge {
    delay: Delay,
}

#[derive(Clone, Debug)]
enum Delay {
    Fixed(Duration),
    /// The latency that all but some of the calls keep below.
    Measured(Arc<Latency>),
}

impl Hedge {
    /// After a fixed time without an answer, from when it is first waited for.
    ///
    /// Choose a time that nearly all calls keep below. One that is longer than the
    /// [`attempt_timeout`](crate::FailoverLayer::attempt_timeout) has no effect.
    pub fn after(delay: Duration) -> Self {
        Self {
            delay: Delay::Fixed(delay),
        }
    }

    /// After the time within which 95 of 100 calls were answered lately, measured over the layer's
    /// calls that may be hedged. None of the first 32 is.
    ///
    /// Calls of very different durations need layers of their own: among many that are quick, the slow
    /// ones would always be hedged. Clones share what is measured.
    pub fn p95() -> Self {
        Self {
            delay: Delay::Measured(Arc::default()),
        }
    }

    /// How long a call waits before it is hedged; `None` while that is not known.
    pub(crate) fn delay(&self) -> Option<Duration> {
        match &self.delay {
            Delay::Fixed(delay) => Some(*delay),
            Delay::Measured(latency) => latency.p95(),
        }
    }

    /// A call was answered. `after` is only asked if that matters.
    pub(crate) fn answered(&self, after: impl FnOnce() -> Duration) {
        if let Delay::Measured(latency) = &self.delay {
            latency.answered(after());
        }
    }

    /// A call was given up for its hedge, and nobody will know when it would have been answered.
    pub(crate) fn is_late(&self) {
        if let Delay::Measured(latency) = &self.delay {
            latency.is_late();
        }
    }
}
