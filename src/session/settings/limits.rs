use std::{num::NonZeroU32, time::Duration};

use super::{Forgive, InvalidSettings, Settings};
use crate::backoff::Backoff;

/// The settings with all defaults in place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limits {
    pub(crate) backoff: Backoff,
    pub(crate) healthy_after: Duration,
    pub(crate) attempt_timeout: Duration,
    pub(crate) give_up_after: Option<Duration>,
    pub(crate) per_target_attempts: Option<NonZeroU32>,
    pub(crate) total_attempts: Option<NonZeroU32>,
    pub(crate) resume_window: Option<Duration>,
    pub(crate) exclusion_ttl: Duration,
    pub(crate) forgive: Forgive,
    pub(crate) drain: Duration,
    pub(crate) close_timeout: Duration,
}

impl Settings {
    pub(crate) fn limits(&self) -> Result<Limits, InvalidSettings> {
        let backoff = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(30));
        let backoff = self.backoff.over(backoff);
        let unpaced = "a target that fails would be dialed without pause";
        not_zero("backoff.base", backoff.base(), unpaced)?;
        not_zero("backoff.cap", backoff.cap(), unpaced)?;

        let give_up_after = some(self.give_up_after);
        let attempt_timeout = self.attempt_timeout.unwrap_or(Duration::from_secs(30));
        let attempt_timeout = not_zero(
            "attempt_timeout",
            attempt_timeout,
            "no attempt would have time to succeed",
        )?;
        let healthy_after = self.healthy_after.unwrap_or(Duration::from_secs(10));
        let exclusion_ttl = self.exclusion_ttl.unwrap_or(Duration::from_secs(60));
        Ok(Limits {
            backoff,
            healthy_after: not_zero(
                "healthy_after",
                healthy_after,
                "every session would count as healthy",
            )?,
            attempt_timeout: attempt_timeout.min(share(give_up_after)),
            give_up_after,
            per_target_attempts: NonZeroU32::new(self.per_target_attempts.unwrap_or(3)),
            total_attempts: self.total_attempts.and_then(NonZeroU32::new),
            resume_window: some(self.resume_window),
            exclusion_ttl: not_zero(
                "exclusion_ttl",
                exclusion_ttl,
                "no target would stay excluded",
            )?,
            forgive: self.forgive.unwrap_or_default(),
            drain: self.drain.unwrap_or(Duration::from_secs(10)),
            close_timeout: self.close_timeout.unwrap_or(Duration::from_secs(5)),
        })
    }
}

/// The time, unless it is the zero that stands for none.
fn some(time: Option<Duration>) -> Option<Duration> {
    time.filter(|time| !time.is_zero())
}

/// How long an attempt may take at most, so that three fit into the window, however short.
fn share(window: Option<Duration>) -> Duration {
    window.map_or(Duration::MAX, |window| {
        // What a timer can tell from nothing.
        (window / 3).max(Duration::from_millis(1))
    })
}

fn not_zero(
    field: &'static str,
    time: Duration,
    consequence: &'static str,
) -> Result<Duration, InvalidSettings> {
    if time.is_zero() {
        return Err(InvalidSettings::zero(field, consequence));
    }
    Ok(time)
}
