//! What the caller and the operator see: where an answer came from, and the events on the way.

use std::{fmt, sync::Arc, time::Duration};

use http::StatusCode;
use tracing::{debug, info, warn};

#[cfg(feature = "metrics")]
use crate::metrics;
use crate::{
    classify::{FailureKind, Reason},
    discovery::{DiscoveryError, InvalidDiscovery},
    region::{Origin, Refusal, Region},
};

pub(crate) const TARGET: &str = "tower_failover";

/// One attempt of a call: where, how it ended, and how long it took.
///
/// Shown as `eu (503)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRecord {
    region: Region,
    reason: Reason,
    elapsed: Duration,
    kind: Option<FailureKind>,
}

impl AttemptRecord {
    pub(crate) fn new(
        region: Region,
        reason: Reason,
        elapsed: Duration,
        kind: Option<FailureKind>,
    ) -> Self {
        Self {
            region,
            reason,
            elapsed,
            kind,
        }
    }

    /// Where the attempt went.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// How it ended: the status of the answer, or why there was none.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The time from sending to the response head or the error, without the wait before.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// What is known to have happened to the request, where the attempt failed.
    pub fn failure(&self) -> Option<FailureKind> {
        self.kind
    }
}

impl fmt::Display for AttemptRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.region, self.reason)
    }
}

/// Where a response came from: an extension of every response that is not the answer of home to the
/// first attempt.
///
/// ```
/// # fn log(response: &http::Response<()>) {
/// use tower_failover::Served;
///
/// if let Some(served) = response.extensions().get::<Served>() {
///     let first = &served.attempts()[0];
///     println!(
///         "moved from {} to {} after {}, {} attempts",
///         first.region(),
///         served.region(),
///         first.reason(),
///         served.attempts().len(),
///     );
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Served {
    inner: Arc<(Region, Vec<AttemptRecord>)>,
}

impl Served {
    pub(crate) fn new(region: Region, attempts: Vec<AttemptRecord>) -> Self {
        Self {
            inner: Arc::new((region, attempts)),
        }
    }

    /// The region that answered.
    pub fn region(&self) -> &Region {
        &self.inner.0
    }

    /// Every attempt of the call, the one that was answered last.
    pub fn attempts(&self) -> &[AttemptRecord] {
        &self.inner.1
    }
}

/// Which attempt a request is: an extension of the requests that inner layers see, from the second
/// attempt on.
///
/// A first attempt has no such extension unless
/// [`FailoverLayer::mark_first_attempt`](crate::FailoverLayer::mark_first_attempt) asks for it:
/// putting one into a request that has none takes three allocations, more than all else the layer
/// does for a call that succeeds at once. Read an absent one as attempt 1, at the region that the
/// request's URI names.
#[derive(Clone, Debug)]
pub struct Attempt {
    number: u32,
    region: Region,
}

impl Attempt {
    pub(crate) fn new(number: u32, region: Region) -> Self {
        Self { number, region }
    }

    /// The number of the attempt; the first is 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The region to which it goes.
    pub fn region(&self) -> &Region {
        &self.region
    }
}

/// Why a failed call was not tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stop {
    /// Failover is switched off for this call.
    Disabled,
    /// All attempts are used.
    Attempts,
    /// No untried region is left.
    Regions,
    /// The request may have been processed and is not replayable.
    NotReplayable,
    /// The request's body cannot be sent again: more of it was sent than is kept, or it failed.
    Body,
    /// The region asked not to be asked again.
    Pushback,
    /// The next attempt could not start before the call's time is over.
    Deadline,
    /// The retry budget is empty.
    Budget,
    /// No untried region is known, and discovery brought none.
    Discovery,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disabled => "failover is off for this call",
            Self::Attempts => "all attempts used",
            Self::Regions => "no region left",
            Self::NotReplayable => "not replayable once sent",
            Self::Body => "body cannot be sent again",
            Self::Pushback => "the region asked for no retry",
            Self::Deadline => "no time left",
            Self::Budget => "retry budget empty",
            Self::Discovery => "no region left, and discovery failed",
        })
    }
}

/// An attempt is on its way.
pub(crate) fn attempt(_number: u32) {
    #[cfg(feature = "metrics")]
    metrics::attempt(_number);
}

/// What is left in the budget.
pub(crate) fn budget(_tokens: impl FnOnce() -> f64) {
    #[cfg(feature = "metrics")]
    metrics::budget(_tokens());
}

pub(crate) fn attempt_failed(number: u32, region: &Region, reason: Reason, elapsed: Duration) {
    #[cfg(feature = "metrics")]
    metrics::attempt_failed(region, reason);
    debug!(
        target: TARGET,
        attempt = number,
        %region,
        %reason,
        elapsed_ms = millis(elapsed),
        "attempt failed"
    );
}

pub(crate) fn failing_over(
    number: u32,
    from: &Region,
    to: &Region,
    reason: Reason,
    wait: Duration,
) {
    #[cfg(feature = "metrics")]
    metrics::failing_over(from, to, reason);
    debug!(
        target: TARGET,
        attempt = number,
        %from,
        %to,
        %reason,
        delay_ms = millis(wait),
        "failing over"
    );
}

pub(crate) fn hedging(number: u32, from: &Region, to: &Region) {
    #[cfg(feature = "metrics")]
    metrics::hedging(to);
    debug!(target: TARGET, attempt = number, %from, %to, "hedging");
}

pub(crate) fn overtaken(region: &Region, by: &Region) {
    #[cfg(feature = "metrics")]
    metrics::overtaken(region);
    debug!(target: TARGET, %region, %by, "overtaken");
}

pub(crate) fn not_replayed(region: &Region, why: Stop) {
    #[cfg(feature = "metrics")]
    metrics::not_replayed(region, why);
    debug!(target: TARGET, %region, %why, "not replayed");
}

pub(crate) fn region_ejected(region: &Region, reason: Reason, wait: Duration) {
    #[cfg(feature = "metrics")]
    metrics::region_ejected(region, reason);
    info!(
        target: TARGET,
        %region,
        %reason,
        retry_ms = millis(wait),
        "region ejected"
    );
}

pub(crate) fn all_out(home: &Origin) {
    warn!(target: TARGET, %home, "all regions ejected");
}

pub(crate) fn region_restored(region: &Region) {
    #[cfg(feature = "metrics")]
    metrics::region_restored(region);
    info!(target: TARGET, %region, "region restored");
}

pub(crate) fn probed(region: &Region, status: Option<StatusCode>) {
    #[cfg(feature = "metrics")]
    metrics::probed(region, status);
    let status = status.map(|status| status.as_u16());
    debug!(target: TARGET, %region, status, "region probed");
}

pub(crate) fn probe_refused() {
    warn!(target: TARGET, "setting of a probe refused");
}

pub(crate) fn regions_refreshed(home: &Origin, regions: usize, ttl: Option<Duration>) {
    #[cfg(feature = "metrics")]
    metrics::discovery("refreshed");
    info!(
        target: TARGET,
        %home,
        regions,
        ttl_ms = millis(ttl.unwrap_or_default()),
        "regions refreshed"
    );
}

pub(crate) fn discovery_failed(error: &DiscoveryError, wait: Option<Duration>) {
    #[cfg(feature = "metrics")]
    metrics::discovery("failed");
    info!(target: TARGET, %error, retry_ms = wait.map(millis), "discovery failed");
}

pub(crate) fn region_refused(home: &Origin, refused: usize, first: Option<&Refusal>) {
    #[cfg(feature = "metrics")]
    metrics::regions_refused(refused);
    match first {
        Some(reason) => warn!(target: TARGET, %home, refused, %reason, "region refused"),
        None => warn!(target: TARGET, %home, refused, reason = "malformed", "region refused"),
    }
}

pub(crate) fn discovery_refused(error: &InvalidDiscovery) {
    warn!(target: TARGET, %error, "setting of a discovery refused");
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
