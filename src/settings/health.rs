use std::time::Duration;

use http::{Method, uri::PathAndQuery};
use serde::{Deserialize, Serialize};

use super::text::{self, Text};
use crate::region::Health;

/// What was set of a [`Health`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HealthSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) off: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) consecutive: Option<u32>,
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    pub(super) ramp: Option<Duration>,
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    pub(super) probe: Option<Probe>,
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    pub(super) probe_min: Option<Duration>,
    #[serde(with = "text", skip_serializing_if = "Option::is_none")]
    pub(super) probe_max: Option<Duration>,
}

impl HealthSettings {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self {
            off: self.off.or(other.off),
            consecutive: self.consecutive.or(other.consecutive),
            ramp: self.ramp.or(other.ramp),
            probe: self.probe.or(other.probe),
            probe_min: self.probe_min.or(other.probe_min),
            probe_max: self.probe_max.or(other.probe_max),
        }
    }

    pub(super) fn apply(&self, health: &mut Health) {
        let mut set = match self.off {
            Some(true) => Health::off(),
            Some(false) if health.is_off() => Health::default(),
            _ => health.clone(),
        };
        if let Some(failures) = self.consecutive {
            set = set.consecutive(failures);
        }
        if let Some(ramp) = self.ramp {
            set = set.ramp(ramp);
        }
        if let Some(Probe { method, path }) = &self.probe {
            set = set.probe(method.clone(), path.as_str());
        }
        if let Some((min, max)) = set.probe_waits() {
            // As with a backoff: who sets a longer minimum alone means it.
            let max = max.max(self.probe_min.unwrap_or_default());
            set = set.probe_every(self.probe_min.unwrap_or(min), self.probe_max.unwrap_or(max));
        }
        *health = set;
    }
}

/// A request that can be sent as a probe, such as `HEAD /`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Probe {
    method: Method,
    path: PathAndQuery,
}

impl Text for Probe {
    const NAME: &'static str = "request";
    const EXAMPLE: &'static str = "\"GET /healthz\"";

    fn read(text: &str) -> Result<Self, String> {
        let (method, path) = text.split_once(' ').ok_or("no path")?;
        // Methods are case-sensitive, and a server knows none of a lower-case name.
        let method = method.to_ascii_uppercase().parse();
        let method = method.map_err(|_| "no such method")?;
        if method == Method::CONNECT {
            return Err("CONNECT asks for a tunnel".to_owned());
        }
        let path = Some(path.trim_start()).filter(|path| path.starts_with('/'));
        let path = path.ok_or("the path begins with a slash")?;
        let path = path.parse().map_err(|_| "the path is not a URI's")?;
        Ok(Self { method, path })
    }

    fn write(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}
