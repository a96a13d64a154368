use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    sync::{Arc, OnceLock},
};

use http::Uri;

use super::{Origin, Region};
use crate::error::{InvalidRegion, RegionFault};

/// The ordered regions that serve one API, and the origins a caller may write for it.
///
/// Every region is a *home*: a request written for it is tried there first and then in the others,
/// in the set's [`Order`]. A request for an origin that is no home of the set is none of the
/// layer's business. A request without an authority has the first region as its home.
///
/// ```
/// use tower_failover::{Order, Regions};
///
/// let regions = Regions::named([
///     ("eu", "https://eu.api.example.com"),
///     ("us", "https://us.api.example.com"),
/// ])?
/// .alias("https://api.example.com")?
/// .order(Order::Spread);
/// # Ok::<(), tower_failover::error::InvalidRegion>(())
/// ```
#[derive(Clone, Debug)]
pub struct Regions {
    set: Arc<Set>,
}

/// In which order the regions other than home are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Order {
    /// As listed: write the nearest first. With many clients a dead region's whole load falls on
    /// the region listed next.
    #[default]
    Listed,
    /// Each client has an order of its own (rendezvous hash of a client id and the region), so that
    /// the clients of a dead region spread over all others.
    Spread,
}

impl Regions {
    /// Regions that are called by their origins, nearest first.
    ///
    /// # Errors
    ///
    /// When an origin is malformed, one stands twice, or there is none; see [`InvalidRegion`].
    pub fn fixed<I>(origins: I) -> Result<Self, InvalidRegion>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        Self::from_regions(
            origins
                .into_iter()
                .map(|origin| Region::unnamed(origin.as_ref())),
        )
    }

    /// Regions with names of their own, nearest first: pairs of name and origin.
    ///
    /// # Errors
    ///
    /// As [`fixed`](Self::fixed).
    pub fn named<I, N, U>(regions: I) -> Result<Self, InvalidRegion>
    where
        I: IntoIterator<Item = (N, U)>,
        N: Into<String>,
        U: AsRef<str>,
    {
        Self::from_regions(
            regions
                .into_iter()
                .map(|(name, origin)| Region::new(name, origin)),
        )
    }

    fn from_regions(
        regions: impl Iterator<Item = Result<Region, InvalidRegion>>,
    ) -> Result<Self, InvalidRegion> {
        let mut set = Set {
            places: Vec::new(),
            listed: 0,
            fallbacks: Vec::new(),
            order: Order::default(),
            client_id: process_id(),
        };
        for (entry, region) in regions.enumerate() {
            set.add(region.map_err(|error| error.at(entry))?)
                .map_err(|error| error.at(entry))?;
            set.listed += 1;
        }
        if set.listed == 0 {
            return Err(RegionFault::Empty.into());
        }
        set.arrange();
        Ok(Self { set: Arc::new(set) })
    }

    /// Makes `origin` a further home of the set, such as a name that resolves to the nearest region.
    ///
    /// It is itself tried first for the requests written for it, and for no others.
    ///
    /// # Errors
    ///
    /// When the origin is malformed or is already a home of the set.
    pub fn alias(mut self, origin: impl AsRef<str>) -> Result<Self, InvalidRegion> {
        let alias = Region::unnamed(origin.as_ref())?;
        Arc::make_mut(&mut self.set).add(alias)?;
        Ok(self)
    }

    /// Sets the order of the regions other than home.
    ///
    /// # Defaults
    ///
    /// [`Order::Listed`].
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        let set = Arc::make_mut(&mut self.set);
        set.order = order;
        set.arrange();
        self
    }

    /// Sets the id from which [`Order::Spread`] derives this client's order. Clients with the same
    /// id have the same order.
    ///
    /// # Defaults
    ///
    /// Random, one for the whole process.
    #[must_use]
    pub fn client_id(mut self, id: u64) -> Self {
        let set = Arc::make_mut(&mut self.set);
        set.client_id = id;
        set.arrange();
        self
    }

    pub(crate) fn set(&self) -> &Arc<Set> {
        &self.set
    }
}

/// The places of a set. A place is an index: regions as listed, then aliases.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    places: Vec<Region>,
    /// How many of the places are regions; the others are aliases.
    listed: usize,
    /// The regions in the order in which they stand in for home.
    fallbacks: Vec<usize>,
    order: Order,
    client_id: u64,
}

impl Set {
    fn add(&mut self, region: Region) -> Result<(), InvalidRegion> {
        if self.find(region.origin()).is_some() {
            return Err(RegionFault::Duplicate.into());
        }
        self.places.push(region);
        Ok(())
    }

    fn arrange(&mut self) {
        self.fallbacks = (0..self.listed).collect();
        if self.order == Order::Spread {
            let (places, id) = (&self.places, self.client_id);
            self.fallbacks
                .sort_by_key(|&place| std::cmp::Reverse(score(id, places[place].origin())));
        }
    }

    fn find(&self, origin: &Origin) -> Option<usize> {
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
            (None, None) if uri.path() != "*" => Some(0),
            // An authority alone (CONNECT) asks for a tunnel to that very host.
            _ => None,
        }
    }

    pub(crate) fn place(&self, place: usize) -> &Region {
        &self.places[place]
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
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

/// Highest-random-weight score (rendezvous hashing): each client ranks the regions differently, and
/// a region that joins or leaves does not change the order of the others.
fn score(client_id: u64, origin: &Origin) -> u64 {
    // FNV-1a over the canonical text, then the finaliser of SplitMix64. Stable across builds, so
    // that a fixed client id means the same order on every machine.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ client_id;
    for byte in origin.as_str().bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

fn process_id() -> u64 {
    static ID: OnceLock<u64> = OnceLock::new();
    *ID.get_or_init(|| RandomState::new().hash_one("tower-failover"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(regions: &Regions, home: usize) -> Vec<usize> {
        regions.set().candidates(home).collect()
    }

    #[test]
    fn home_comes_first_and_each_place_once() {
        let regions = Regions::fixed(["http://a", "http://b", "http://c"]).unwrap();
        assert_eq!(candidates(&regions, 0), [0, 1, 2]);
        assert_eq!(candidates(&regions, 2), [2, 0, 1]);
    }

    #[test]
    fn an_alias_is_a_home_but_nobodys_fallback() {
        let regions = Regions::fixed(["http://a", "http://b"])
            .unwrap()
            .alias("http://any")
            .unwrap();
        let set = regions.set();
        let home = set.home_of(&Uri::from_static("http://any/x")).unwrap();
        assert_eq!(candidates(&regions, home), [2, 0, 1]);
        assert_eq!(candidates(&regions, 0), [0, 1]);
        assert_eq!((set.choices(home), set.choices(0)), (3, 2));
    }

    #[test]
    fn only_requests_for_the_set_have_a_home() {
        let regions = Regions::fixed(["http://a", "http://b"]).unwrap();
        let home = |uri| regions.set().home_of(&Uri::from_static(uri));
        assert_eq!(home("http://B:80/"), Some(1));
        assert_eq!(home("/path?q"), Some(0));
        assert_eq!(home("https://a/"), None);
        assert_eq!(home("http://c/"), None);
        assert_eq!(home("a:80"), None, "CONNECT's form");
        assert_eq!(home("*"), None);
    }

    #[test]
    fn duplicates_and_the_empty_list_are_refused() {
        let error = Regions::fixed(["https://h", "https://g", "https://H:443"]).unwrap_err();
        assert_eq!(error, InvalidRegion::from(RegionFault::Duplicate).at(2));
        let error = Regions::fixed([""; 0]).unwrap_err();
        assert_eq!(error, RegionFault::Empty.into());
        let regions = Regions::fixed(["https://h"]).unwrap();
        assert!(regions.alias("https://h").is_err());
    }

    #[test]
    fn spread_gives_clients_different_orders_and_uses_all_fallbacks_alike() {
        let regions = Regions::fixed(["http://a", "http://b", "http://c", "http://d"])
            .unwrap()
            .order(Order::Spread);
        let mut first = [0; 4];
        for id in 0..3000 {
            let order = candidates(&regions.clone().client_id(id), 0);
            assert_eq!(order[0], 0);
            first[order[1]] += 1;
        }
        // Three fallbacks, 1000 expected each; six standard deviations are 155.
        assert!(
            first[1..].iter().all(|n| (845..=1155).contains(n)),
            "{first:?}"
        );
    }

    #[test]
    fn the_order_of_setters_does_not_matter() {
        let regions = Regions::fixed(["http://a", "http://b", "http://c", "http://d"]).unwrap();
        for id in 0..20 {
            let one = regions.clone().order(Order::Spread).client_id(id);
            let two = regions.clone().client_id(id).order(Order::Spread);
            assert_eq!(candidates(&one, 0), candidates(&two, 0));
        }
    }
}
