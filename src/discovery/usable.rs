use std::{collections::HashSet, time::Duration};

use super::{Discovery, RegionList, document, error::Fault, freshness::Freshness};
use crate::{
    region::{Origin, Refusal, Region, nearest_first},
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
    /// many entries were none. An empty list is one; a list without one good entry is not.
    pub(super) fn new(
        regions: Vec<Region>,
        freshness: Option<Freshness>,
        malformed: usize,
        home: &Origin,
        discovery: &Discovery,
    ) -> Result<Self, Fault> {
        let is_empty = regions.is_empty() && malformed == 0;
        let regions = trusted(regions, malformed, home, discovery);
        if regions.is_empty() && !is_empty {
            // A mistake in the list, or somebody else's: no reason to forget a good one.
            return Err(Fault::Unusable);
        }
        let ttl = match freshness {
            Some(Freshness::NoStore) => None,
            Some(Freshness::For(ttl)) => Some(ttl),
            None => Some(discovery.default_ttl),
        };
        let spread = |ttl: Duration| scaled(ttl, 1.0 - fastrand::f64() / 10.0);
        Ok(Self {
            regions,
            ttl: ttl.map(|ttl| spread(ttl.min(discovery.max_ttl))),
        })
    }

    pub(super) fn from_list(
        list: RegionList,
        home: &Origin,
        discovery: &Discovery,
    ) -> Result<Self, Fault> {
        let (regions, ttl) = list.into_parts();
        Self::new(regions, ttl.map(Freshness::For), 0, home, discovery)
    }
}

/// The regions that may be called for `home`, each origin once, and the nearest if they are too many.
/// Says what was refused, once for all.
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
            Ok(()) if seen.insert(region.origin().clone()) => trusted.push(region),
            Ok(()) => {}
            Err(refusal) => refused.push(refusal),
        }
    }
    if malformed > 0 || !refused.is_empty() {
        report::region_refused(home, refused.len() + malformed, refused.first());
    }
    if discovery.keeps_order {
        // Here and wherever they are ordered from now on.
        let unmeasured = |region: Region| {
            let weight = region.get_weight();
            region.measured(None, weight)
        };
        trusted = trusted.into_iter().map(unmeasured).collect();
    }
    nearest_first(&mut trusted, Region::get_distance);
    trusted.truncate(document::MAX_REGIONS);
    trusted.into_iter().map(named).collect()
}

/// The region, by its origin where its name is none to show.
fn named(region: Region) -> Region {
    match region.own_name() {
        Some(name) if !document::is_name(name) => region.without_name(),
        _ => region,
    }
}
