//! What one call may do: the layer's settings, and what a request overrides of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::Config;

/// Which requests may be sent again once they may have been processed.
///
/// A request that certainly was not processed (the connection was refused, the server said so) is
/// sent again whatever the policy, and one that a region sent away with `421` or `451` goes to
/// another. So is one that its server declined ([`FailureKind::Declined`], which only
/// [`Grpc`](crate::classify::Grpc) finds), save by `Never`.
///
/// [`FailureKind::Declined`]: crate::classify::FailureKind::Declined
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Replay {
    /// Those with an idempotent method (RFC 9110, 9.2.2: GET, HEAD, OPTIONS, TRACE, PUT, DELETE) or an
    /// `Idempotency-Key` header.
    #[default]
    Safe,
    /// All. The API makes sure that a request that arrives twice takes effect once.
    Always,
    /// None.
    Never,
}

/// Settings for one request, from its extensions, in place of the layer's.
///
/// ```
/// use std::time::Duration;
/// use tower_failover::{Override, Replay};
///
/// let request = http::Request::post("https://eu.api.example.com/jobs")
///     .extension(
///         Override::new()
///             .replay(Replay::Always)
///             .total_timeout(Duration::from_secs(3)),
///     )
///     .body(())?;
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Override {
    enabled: Option<bool>,
    replay: Option<Replay>,
    max_attempts: Option<u32>,
    attempt_timeout: Option<Option<Duration>>,
    total_timeout: Option<Option<Duration>>,
}

impl Override {
    /// Changes nothing.
    pub const fn new() -> Self {
        Self {
            enabled: None,
            replay: None,
            max_attempts: None,
            attempt_timeout: None,
            total_timeout: None,
        }
    }

    /// Switches failover off for this request: it goes home, and a failure is final. Only a `421` or
    /// `451`, with which the region says that it did nothing, still leads to another one.
    pub const fn enabled(mut self, on: bool) -> Self {
        self.enabled = Some(on);
        self
    }

    /// As [`FailoverLayer::replay`](crate::FailoverLayer::replay).
    pub const fn replay(mut self, replay: Replay) -> Self {
        self.replay = Some(replay);
        self
    }

    /// As [`FailoverLayer::max_attempts`](crate::FailoverLayer::max_attempts).
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// As [`FailoverLayer::attempt_timeout`](crate::FailoverLayer::attempt_timeout).
    pub fn attempt_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.attempt_timeout = Some(timeout.into());
        self
    }

    /// As [`FailoverLayer::total_timeout`](crate::FailoverLayer::total_timeout).
    pub fn total_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.total_timeout = Some(timeout.into());
        self
    }
}

/// The settings of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) enabled: bool,
    pub(crate) replay: Replay,
    pub(crate) max_attempts: u32,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) total_timeout: Option<Duration>,
}

impl Policy {
    /// The policy of a request for this path.
    pub(crate) fn new(config: &Config, request: Option<&Override>, path: &str) -> Self {
        let own = request.copied().unwrap_or_default();
        let mut slow = config.slow_routes.iter();
        let slow = slow.find(|(route, _)| path.ends_with(route));
        let attempt_timeout = match (config.attempt_timeout, slow) {
            (Some(timeout), Some((_, slow))) => Some(timeout.max(*slow)),
            (timeout, _) => timeout,
        };
        Self {
            enabled: own.enabled.unwrap_or(true),
            replay: own.replay.unwrap_or(config.replay),
            max_attempts: own.max_attempts.unwrap_or(config.max_attempts).max(1),
            attempt_timeout: own.attempt_timeout.unwrap_or(attempt_timeout),
            total_timeout: own.total_timeout.unwrap_or(config.total_timeout),
        }
    }
}
