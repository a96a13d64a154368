use std::{collections::HashSet, time::Duration};

use super::{Discovery, RegionList, document, freshness::Freshness};
use crate::{
    region::{Origin, Refusal, Region},
    report,
    time::scaled,
};

/// A list of which only what is trusted is left.
#[derive(Debug)]
pub(super) struct Usable {
    pub(super) regions: Vec<Region>,
    /// How long it may be used; `None` is by those alone who wait for it.
    pub(super) ttl: Option<Duration>,
}

impl Usable {
    /// Checks a list that was found for `home`. `freshness` is what came with it, `malformed` how
    /// many entries were none.
    pub(super) fn new(
        regions: Vec<Region>,
        freshness: Option<Freshness>,
        malformed: usize,
        home: &Origin,
        discovery: &Discovery,
    ) -> Self {
        let ttl = match freshness {
            Some(Freshness::NoStore) => None,
            Some(Freshness::For(ttl)) => Some(ttl),
            None => Some(discovery.default_ttl),
        };
        let spread = |ttl: Duration| scaled(ttl, 1.0 - fastrand::f64() / 10.0);
        Self {
            regions: trusted(regions, malformed, home, discovery),
            ttl: ttl.map(|ttl| spread(ttl.min(discovery.max_ttl))),
        }
    }

    pub(super) fn from_list(list: RegionList, home: &Origin, discovery: &Discovery) -> Self {
        let (regions, ttl) = list.into_parts();
        Self::new(regions, ttl.map(Freshness::For), 0, home, discovery)
    }
}

/// The regions that may be called for `home`, each origin once. Says what was refused, once for all.
pub(super) fn trusted(
    regions: Vec<Region>,
    malformed: usize,
    home: &Origin,
    discovery: &Discovery,
) -> Vec<Region> {
    let mut seen = HashSet::new();
    let mut refused: Vec<Refusal> = Vec::new();
    let mut trusted = Vec::new();
    for region in regions {
        match discovery.trust.check(home, region.origin()) {
            Ok(()) if trusted.len() == document::MAX_REGIONS => break,
            Ok(()) if seen.insert(region.origin().clone()) => trusted.push(region),
            Ok(()) => {}
            Err(refusal) => refused.push(refusal),
        }
    }
    if malformed > 0 || !refused.is_empty() {
        report::region_refused(home, refused.len() + malformed, refused.first());
    }
    trusted
}
