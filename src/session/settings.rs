#[cfg(feature = "clap")]
mod args;
mod error;
mod forgive;
mod limits;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use self::limits::Limits;
pub use self::{error::InvalidSettings, forgive::Forgive};
use crate::{
    backoff::{Backoff, Partial},
    settings::text,
};

/// What a session's supervisor goes by.
///
/// Each setting is as its setter says, or its default where it was not set.
/// [`or`](Self::or) puts settings of several sources together.
///
/// # Defaults
///
/// Waits of 1 s doubling up to 30 s, full jitter; a run of 10 s is a healthy one; 30 s for an attempt;
/// 3 attempts with one target, no limit to all of them; never given up. The reasons stand with the
/// setters.
///
/// # In files
///
/// The settings are read and written by serde under the names of their setters. A time is a text such
/// as `"250ms"`. A name that is not known is refused, save where the settings are
/// [flattened](crate::Settings#in-files). Here with all there are and their defaults:
///
/// ```
/// let settings: tower_failover::session::Settings = toml::from_str(
///     r#"
///     healthy_after = "10s"
///     attempt_timeout = "30s"      # and never more than a third of give_up_after
///     give_up_after = "0s"         # never
///     per_target_attempts = 3      # 0 is no limit, here and in the next line
///     total_attempts = 0
///     resume_window = "0s"         # for ever
///     exclusion_ttl = "60s"
///     forgive = "on-healthy"       # or "on-connect"
///     drain = "10s"
///     close_timeout = "5s"
///
///     [backoff]
///     base = "1s"
///     cap = "30s"                  # no less than the base, if only that is set
///     factor = 2.0
///     jitter = "full"              # or "equal", "none"
///     "#,
/// )?;
/// let settings = settings.validate()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # As flags
///
/// With the feature `clap` they are `clap::Args`: `give_up_after` is the flag
/// `--session-give-up-after` and the environment variable `FAILOVER_SESSION_GIVE_UP_AFTER`, and
/// `backoff.base` is `--session-backoff-base`. See [`Settings`](crate::Settings#as-flags) of the layer
/// for how they meet those of a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[must_use]
pub struct Settings {
    #[serde(skip_serializing_if = "Partial::is_empty")]
    backoff: Partial,
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    healthy_after: Option<Duration>,
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    attempt_timeout: Option<Duration>,
    /// Zero is none; so with the others that are documented so.
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    give_up_after: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_target_attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_attempts: Option<u32>,
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    resume_window: Option<Duration>,
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    exclusion_ttl: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forgive: Option<Forgive>,
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    drain: Option<Duration>,
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    close_timeout: Option<Duration>,
}

impl Settings {
    /// Sets nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the waits before later attempts.
    ///
    /// In files it has the fields `base`, `cap`, `factor` and `jitter`, each of which can be set alone;
    /// a `cap` that is not set is then no less than the `base`.
    ///
    /// # Defaults
    ///
    /// 1 s doubling up to 30 s, full jitter: a restart is over in the first waits, and a fleet that is
    /// cut off returns spread over them. A base or cap of zero is refused: it is a loop without pause.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff.into();
        self
    }

    /// Sets how long a session has to run to count as healthy. Only such a run resets waits and
    /// counters.
    ///
    /// # Defaults
    ///
    /// 10 s: a server that accepts and closes within that is met by growing waits. Zero is refused: all
    /// runs would be healthy.
    pub fn healthy_after(mut self, run: Duration) -> Self {
        self.healthy_after = Some(run);
        self
    }

    /// Sets how long one attempt to connect may take. It is never more than a third of
    /// [`give_up_after`](Self::give_up_after), so that a server that never answers leaves time for others.
    ///
    /// # Defaults
    ///
    /// 30 s: more than any handshake takes that is going to succeed. Zero is refused: no attempt would.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// Sets how long after the first failure the supervisor gives up. Zero is never. The last attempt
    /// begins within that time, and while a session serves on that is to be left nothing is given up.
    ///
    /// # Defaults
    ///
    /// Never: whoever watches the session knows what it is worth.
    pub fn give_up_after(mut self, window: impl Into<Option<Duration>>) -> Self {
        self.give_up_after = Some(window.into().unwrap_or_default());
        self
    }

    /// Sets how many attempts in a row one target gets before another is tried; 0 is no limit.
    ///
    /// Targets that never answer take an [`attempt_timeout`](Self::attempt_timeout) each time: where
    /// several may do that and [`give_up_after`](Self::give_up_after) is short, set 1.
    ///
    /// # Defaults
    ///
    /// 3: one may be chance, and a third in the same place finds out nothing new.
    pub fn per_target_attempts(mut self, attempts: u32) -> Self {
        self.per_target_attempts = Some(attempts);
        self
    }

    /// Sets how many attempts in a row are made with all targets together; 0 is no limit.
    ///
    /// # Defaults
    ///
    /// No limit: time is what a caller can weigh, by [`give_up_after`](Self::give_up_after).
    pub fn total_attempts(mut self, attempts: u32) -> Self {
        self.total_attempts = Some(attempts);
        self
    }

    /// Sets for how long after the end of its session a resume token is of use. Zero is for ever.
    ///
    /// An attempt that would begin later is a [new beginning](super::Directive::rejoin), unless its
    /// directive says what becomes of the token.
    ///
    /// # Defaults
    ///
    /// For ever: the server says when it no longer knows it.
    pub fn resume_window(mut self, window: impl Into<Option<Duration>>) -> Self {
        self.resume_window = Some(window.into().unwrap_or_default());
        self
    }

    /// Sets for how long an excluded target is left alone at most.
    ///
    /// # Defaults
    ///
    /// 60 s: most restarts and bursts are over then. Zero is refused: nothing would be excluded.
    pub fn exclusion_ttl(mut self, ttl: Duration) -> Self {
        self.exclusion_ttl = Some(ttl);
        self
    }

    /// Sets when exclusions are cleared.
    ///
    /// # Defaults
    ///
    /// [`Forgive::OnHealthy`]: a session that breaks at once says nothing good of the others.
    pub fn forgive(mut self, when: Forgive) -> Self {
        self.forgive = Some(when);
        self
    }

    /// Sets how long a session that is to be replaced may serve on while its successor is dialed. With
    /// zero it does not.
    ///
    /// # Defaults
    ///
    /// 10 s: a dial and its handshake, and little enough for a server that wants to be gone.
    pub fn drain(mut self, time: Duration) -> Self {
        self.drain = Some(time);
        self
    }

    /// Sets how long a graceful close may take. With zero a session is dropped at once.
    ///
    /// # Defaults
    ///
    /// 5 s: enough for a farewell to cross, and short of what makes a shutdown hang.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = Some(timeout);
        self
    }

    /// These settings, and the others where these say nothing.
    pub fn or(self, other: Self) -> Self {
        Self {
            backoff: self.backoff.or(other.backoff),
            healthy_after: self.healthy_after.or(other.healthy_after),
            attempt_timeout: self.attempt_timeout.or(other.attempt_timeout),
            give_up_after: self.give_up_after.or(other.give_up_after),
            per_target_attempts: self.per_target_attempts.or(other.per_target_attempts),
            total_attempts: self.total_attempts.or(other.total_attempts),
            resume_window: self.resume_window.or(other.resume_window),
            exclusion_ttl: self.exclusion_ttl.or(other.exclusion_ttl),
            forgive: self.forgive.or(other.forgive),
            drain: self.drain.or(other.drain),
            close_timeout: self.close_timeout.or(other.close_timeout),
        }
    }

    /// Returns the settings if a supervisor can go by them.
    ///
    /// # Errors
    ///
    /// When a time is zero that may not be.
    pub fn validate(self) -> Result<Self, InvalidSettings> {
        self.limits().map(|_| self)
    }
}

#[cfg(test)]
mod tests;
