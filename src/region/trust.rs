//! Which origins an outside list may name for a home.

use std::fmt;

use super::{
    Origin,
    pattern::{Pattern, is_address},
};

/// What a list of regions from outside may name besides hosts of home's own domain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    allowed: Vec<Pattern>,
    any: bool,
}

/// What an origin lacks to be trusted in home's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Home is `https`, the region is not.
    Scheme,
    /// One of the two is an IP address, and the hosts differ.
    Address,
    /// The hosts share no registrable domain.
    Domain,
}

impl Trust {
    /// Hosts that `pattern` matches need not be of home's domain.
    pub(crate) fn allow(&mut self, pattern: Pattern) {
        self.allowed.push(pattern);
    }

    /// Every origin will do, be it without encryption.
    pub(crate) fn allow_any(&mut self) {
        self.any = true;
    }

    /// Whether a list may name `region` for `home`. The port is free.
    pub(crate) fn check(&self, home: &Origin, region: &Origin) -> Result<(), Refusal> {
        if self.any {
            return Ok(());
        }
        if home.scheme() == "https" && region.scheme() != "https" {
            return Err(Refusal::Scheme);
        }
        let host = region.host();
        if host == home.host() || self.allowed.iter().any(|pattern| pattern.matches(host)) {
            return Ok(());
        }
        if is_address(host) || is_address(home.host()) {
            return Err(Refusal::Address);
        }
        match (registrable(home.host()), registrable(host)) {
            (Some(home), Some(region)) if home == region => Ok(()),
            _ => Err(Refusal::Domain),
        }
    }
}

/// The part of `host` that one owner registered.
fn registrable(host: &str) -> Option<psl::Domain<'_>> {
    // The list's algorithm is not made for empty labels: it finds `.com` in `a..com`.
    if host.starts_with('.') || host.contains("..") {
        return None;
    }
    psl::domain(host.as_bytes())
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "not https as home is",
            Self::Address => "another ip address",
            Self::Domain => "another domain",
        })
    }
}

#[cfg(test)]
mod tests;
