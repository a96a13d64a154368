mod score;

use std::cmp::Reverse;

use http::Uri;

use self::score::Score;
use super::{Arrangement, Order, Origin, Region, nearest_first};
use crate::error::{InvalidRegion, RegionFault};

/// The places of a set. A place is an index: regions as listed, then aliases, which are homes but
/// stand in for no other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Set {
    places: Vec<Region>,
    /// How many of the places are regions; the others are aliases.
    listed: usize,
    /// The regions in the order in which they stand in for home.
    fallbacks: Vec<usize>,
}

impl Set {
    /// The set of these regions.
    pub(crate) fn new(
        regions: impl IntoIterator<Item = Region>,
        arrangement: Arrangement,
    ) -> Result<Self, InvalidRegion> {
        let mut set = Self::default();
        for (entry, region) in regions.into_iter().enumerate() {
            set.add_region(region).map_err(|error| error.at(entry))?;
        }
        set.arrange(arrangement);
        Ok(set)
    }

    /// Adds a region, before any alias and before the set is arranged.
    pub(crate) fn add_region(&mut self, region: Region) -> Result<(), InvalidRegion> {
        debug_assert_eq!(self.listed, self.places.len(), "aliases come last");
        self.add_alias(region)?;
        self.listed += 1;
        Ok(())
    }

    /// Adds a place that is no region of the set.
    pub(crate) fn add_alias(&mut self, region: Region) -> Result<(), InvalidRegion> {
        if self.place_of(region.origin()).is_some() {
            return Err(RegionFault::Duplicate.into());
        }
        self.places.push(region);
        Ok(())
    }

    /// Puts the regions into another order.
    pub(crate) fn arrange(&mut self, arrangement: Arrangement) {
        let (places, client_id) = (&self.places, arrangement.client_id);
        let mut fallbacks: Vec<_> = (0..self.listed).collect();
        match arrangement.order {
            Order::Listed => {
                nearest_first(&mut fallbacks, |&place| places[place].get_distance());
            }
            Order::Spread => {
                fallbacks
                    .sort_by_cached_key(|&place| Reverse(Score::new(client_id, &places[place])));
            }
        }
        self.fallbacks = fallbacks;
    }

    /// The place at this origin.
    pub(crate) fn place_of(&self, origin: &Origin) -> Option<usize> {
        self.places.iter().position(|p| p.origin() == origin)
    }

    /// The home of a request, or `None` when the set does not serve it.
    pub(crate) fn home_of(&self, uri: &Uri) -> Option<usize> {
        match (uri.scheme(), uri.authority()) {
            (Some(scheme), Some(authority)) => self
                .places
                .iter()
                .position(|place| place.origin().is_of(scheme, authority)),
            // `*` asks about a server, not a resource; it cannot be aimed by its URI.
            (None, None) if uri.path() != "*" && self.listed > 0 => Some(0),
            // An authority alone (CONNECT) asks for a tunnel to that very host.
            _ => None,
        }
    }

    pub(crate) fn place(&self, place: usize) -> &Region {
        &self.places[place]
    }

    pub(crate) fn places(&self) -> &[Region] {
        &self.places
    }

    /// The regions as listed, without aliases.
    pub(crate) fn regions(&self) -> &[Region] {
        &self.places[..self.listed]
    }

    /// All places that may serve a request of this home, in the order in which to try them.
    pub(crate) fn candidates(&self, home: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::once(home).chain(self.fallbacks.iter().copied().filter(move |&p| p != home))
    }

    /// How many places there are for a request of this home, home included.
    pub(crate) fn choices(&self, home: usize) -> usize {
        self.listed + usize::from(home >= self.listed)
    }
}

#[cfg(test)]
mod tests;
