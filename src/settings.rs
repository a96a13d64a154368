//! What can be set from outside of the program: in files, by flags and environment variables.

#[cfg(feature = "clap")]
mod args;
mod budget;
#[cfg(feature = "clap")]
pub(crate) mod flags;
mod health;
mod hedge;
pub(crate) mod number;
pub(crate) mod text;

use std::time::Duration;

use http::HeaderName;
use serde::{Deserialize, Serialize};

use self::{budget::BudgetSettings, health::HealthSettings, hedge::HedgeSetting};
use crate::{
    backoff::{Backoff, Partial},
    config::Config,
    policy::Replay,
};

/// Settings of a [`FailoverLayer`](crate::FailoverLayer), as an operator sets them.
///
/// Those that are set take the place of the layer's own by
/// [`FailoverLayer::settings`](crate::FailoverLayer::settings); the rest stays as it is there.
/// [`or`](Self::or) puts settings of several sources together. Regions, the classifier and what else
/// belongs to the code is not among them.
///
/// # In files
///
/// The settings are read and written by serde, here with all there are and their defaults:
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let settings: tower_failover::Settings = toml::from_str(
///     r#"
///     max_attempts = 3
///     attempt_timeout = "5s"       # "0s" is none, here and in the next line
///     total_timeout = "0s"
///     min_attempt_time = "0s"
///     replay = "safe"              # or "always", "never"
///     max_replay_body = 1048576    # bytes
///     ## idempotency_key = "idempotency-key", by default none is added
///     retry_same_region = false
///     hedge = "off"                # or "p95", or a time such as "50ms"
///
///     [backoff]
///     base = "100ms"
///     cap = "2s"                   # no less than the base, if only that is set
///     factor = 2.0
///     jitter = "full"              # or "equal", "none"
///
///     [budget]
///     ratio = 0.1
///     ## cap = 100, by default it follows the rate of calls
///     unlimited = false            # with true, nothing else of the budget counts
///
///     [health]
///     off = false                  # with true, nothing else of the health counts
///     consecutive = 2
///     ramp = "10s"
///     probe = "HEAD /"
///     probe_min = "2s"
///     probe_max = "15s"            # no less than the minimum, if only that is set
///     "#,
/// )?;
/// # let regions = tower_failover::Regions::fixed(["https://eu.api.example.com"])?;
/// let layer = tower_failover::FailoverLayer::new(regions).settings(settings);
/// # Ok(())
/// # }
/// ```
///
/// A name that is not known is refused, save where the settings are part of another table by
/// `#[serde(flatten)]`, in which serde reads over it. A value that no setting can have is refused too: a
/// duration without a unit, unless it is `"0"`, a factor below 1, a probe without a path. Other values are
/// read as the setters of the layer read them.
///
/// # As flags
///
/// With the feature `clap` the settings are `clap::Args`. `max_attempts` is the flag
/// `--failover-max-attempts` and the environment variable `FAILOVER_MAX_ATTEMPTS`, `backoff.base` is
/// `--failover-backoff-base` and `FAILOVER_BACKOFF_BASE`, and so on. A switch is on alone, and off with
/// `=false`, which needs the `=`. A variable that is there but empty is read as an empty value, which no
/// setting has.
///
/// No flag has a default. What is given neither as a flag nor in the environment is not set, and leaves
/// alone what a file says, by [`or`](Self::or) as well as by clap's `update_from`. A flag wins over the
/// environment, and both win over the file. An example stands with the implementation of `Args`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[must_use]
pub struct Settings {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    /// Zero is none.
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    attempt_timeout: Option<Duration>,
    /// Zero is none.
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    total_timeout: Option<Duration>,
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    min_attempt_time: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<Replay>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_replay_body: Option<usize>,
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<HeaderName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_same_region: Option<bool>,
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    hedge: Option<HedgeSetting>,
    #[serde(skip_serializing_if = "Partial::is_empty")]
    backoff: Partial,
    #[serde(skip_serializing_if = "BudgetSettings::is_empty")]
    budget: BudgetSettings,
    #[serde(skip_serializing_if = "HealthSettings::is_empty")]
    health: HealthSettings,
}

impl Settings {
    /// Sets nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`FailoverLayer::max_attempts`](crate::FailoverLayer::max_attempts).
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// As [`FailoverLayer::attempt_timeout`](crate::FailoverLayer::attempt_timeout); zero is none.
    pub fn attempt_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.attempt_timeout = Some(timeout.into().unwrap_or_default());
        self
    }

    /// As [`FailoverLayer::total_timeout`](crate::FailoverLayer::total_timeout); zero is none.
    pub fn total_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.total_timeout = Some(timeout.into().unwrap_or_default());
        self
    }

    /// As [`FailoverLayer::min_attempt_time`](crate::FailoverLayer::min_attempt_time).
    pub fn min_attempt_time(mut self, time: Duration) -> Self {
        self.min_attempt_time = Some(time);
        self
    }

    /// As [`FailoverLayer::backoff`](crate::FailoverLayer::backoff).
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff.into();
        self
    }

    /// As [`FailoverLayer::replay`](crate::FailoverLayer::replay).
    pub fn replay(mut self, replay: Replay) -> Self {
        self.replay = Some(replay);
        self
    }

    /// As [`FailoverLayer::max_replay_body`](crate::FailoverLayer::max_replay_body).
    pub fn max_replay_body(mut self, bytes: usize) -> Self {
        self.max_replay_body = Some(bytes);
        self
    }

    /// As [`FailoverLayer::idempotency_key`](crate::FailoverLayer::idempotency_key).
    pub fn idempotency_key(mut self, header: HeaderName) -> Self {
        self.idempotency_key = Some(header);
        self
    }

    /// As [`FailoverLayer::retry_same_region`](crate::FailoverLayer::retry_same_region).
    pub fn retry_same_region(mut self, on: bool) -> Self {
        self.retry_same_region = Some(on);
        self
    }

    /// These settings, and the others where these say nothing.
    pub fn or(self, other: Self) -> Self {
        Self {
            max_attempts: self.max_attempts.or(other.max_attempts),
            attempt_timeout: self.attempt_timeout.or(other.attempt_timeout),
            total_timeout: self.total_timeout.or(other.total_timeout),
            min_attempt_time: self.min_attempt_time.or(other.min_attempt_time),
            replay: self.replay.or(other.replay),
            max_replay_body: self.max_replay_body.or(other.max_replay_body),
            idempotency_key: self.idempotency_key.or(other.idempotency_key),
            retry_same_region: self.retry_same_region.or(other.retry_same_region),
            hedge: self.hedge.or(other.hedge),
            backoff: self.backoff.or(other.backoff),
            budget: self.budget.or(other.budget),
            health: self.health.or(other.health),
        }
    }

    /// Sets in the configuration what is set here.
    pub(crate) fn apply(self, config: &mut Config) {
        let set = |target: &mut Option<Duration>, time: Option<Duration>| {
            if let Some(time) = time {
                *target = Some(time).filter(|time| !time.is_zero());
            }
        };
        set(&mut config.attempt_timeout, self.attempt_timeout);
        set(&mut config.total_timeout, self.total_timeout);
        if let Some(attempts) = self.max_attempts {
            config.max_attempts = attempts;
        }
        if let Some(time) = self.min_attempt_time {
            config.min_attempt_time = time;
        }
        if let Some(replay) = self.replay {
            config.replay = replay;
        }
        if let Some(bytes) = self.max_replay_body {
            config.max_replay_body = bytes;
        }
        if let Some(header) = self.idempotency_key {
            config.idempotency_key = Some(header);
        }
        if let Some(on) = self.retry_same_region {
            config.retry_same_region = on;
        }
        if let Some(hedge) = self.hedge {
            config.hedge = hedge.hedge();
        }
        config.backoff = self.backoff.over(config.backoff);
        self.budget.apply(&mut config.budget);
        self.health.apply(&mut config.health);
    }
}
