use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Backoff, Jitter};
use crate::settings::{number::Factor, text};

/// What was set of a [`Backoff`]. The rest is as the place has it where it is used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Partial {
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    pub(crate) base: Option<Duration>,
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    pub(crate) cap: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) factor: Option<Factor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jitter: Option<Jitter>,
}

impl Partial {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            base: self.base.or(other.base),
            cap: self.cap.or(other.cap),
            factor: self.factor.or(other.factor),
            jitter: self.jitter.or(other.jitter),
        }
    }

    /// What was set, over what holds otherwise.
    pub(crate) fn over(&self, other: Backoff) -> Backoff {
        let base = self.base.unwrap_or(other.base);
        // Who sets a longer base alone means it, and would not get it under the cap that stands here.
        let least = self.base.unwrap_or_default();
        Backoff {
            base,
            cap: self.cap.unwrap_or(other.cap.max(least)),
            factor: self.factor.map_or(other.factor, f64::from),
            jitter: self.jitter.unwrap_or(other.jitter),
        }
    }
}

impl From<Partial> for Backoff {
    fn from(set: Partial) -> Self {
        set.over(Self::default())
    }
}

impl From<Backoff> for Partial {
    fn from(backoff: Backoff) -> Self {
        Self {
            base: Some(backoff.base),
            cap: Some(backoff.cap),
            // No factor is less than 1.
            factor: backoff.factor.try_into().ok(),
            jitter: Some(backoff.jitter),
        }
    }
}
