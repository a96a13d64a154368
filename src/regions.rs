//! What serves which home: the regions that a user names, or lets be discovered.

mod directory;

use std::sync::Arc;

pub(crate) use directory::{Directory, Scope};

use crate::{
    discovery::Discovery,
    error::{InvalidRegion, RegionFault},
    region::{Arrangement, Order, Region, Set},
};

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
    source: Source,
    arrangement: Arrangement,
}

#[derive(Clone, Debug)]
enum Source {
    Fixed(Arc<Set>),
    Discovered(Arc<Discovery>),
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
        Self::from_results(
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
        Self::from_results(
            regions
                .into_iter()
                .map(|(name, origin)| Region::new(name, origin)),
        )
    }

    /// These regions, nearest first, with the weights and distances that they have.
    ///
    /// # Errors
    ///
    /// As [`fixed`](Self::fixed).
    pub fn of(regions: impl IntoIterator<Item = Region>) -> Result<Self, InvalidRegion> {
        Self::from_results(regions.into_iter().map(Ok))
    }

    fn from_results(
        regions: impl Iterator<Item = Result<Region, InvalidRegion>>,
    ) -> Result<Self, InvalidRegion> {
        let arrangement = Arrangement::default();
        let regions = regions
            .enumerate()
            .map(|(entry, region)| region.map_err(|error| error.at(entry)))
            .collect::<Result<Vec<_>, _>>()?;
        if regions.is_empty() {
            return Err(RegionFault::Empty.into());
        }
        Ok(Self {
            source: Source::Fixed(Arc::new(Set::new(regions, arrangement)?)),
            arrangement,
        })
    }

    /// Regions that are asked for when they are needed.
    ///
    /// Every origin that the discovery serves is a home of its own, with its own list. A request
    /// without an authority has no home, and is passed on untouched.
    #[must_use]
    pub fn discover(discovery: Discovery) -> Self {
        Self {
            source: Source::Discovered(Arc::new(discovery)),
            arrangement: Arrangement::default(),
        }
    }

    /// Makes `origin` a further home of the set, such as a name that resolves to the nearest region.
    ///
    /// It is itself tried first for the requests written for it, and for no others.
    ///
    /// # Errors
    ///
    /// When the origin is malformed or is already a home of the set, and for regions that are
    /// discovered: there each home has a list of its own.
    pub fn alias(mut self, origin: impl AsRef<str>) -> Result<Self, InvalidRegion> {
        let Source::Fixed(set) = &mut self.source else {
            return Err(RegionFault::NotFixed.into());
        };
        Arc::make_mut(set).add_alias(Region::unnamed(origin.as_ref())?)?;
        Ok(self)
    }

    /// Sets the order of the regions other than home.
    ///
    /// # Defaults
    ///
    /// [`Order::Listed`].
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.arrangement.order = order;
        self.arrange()
    }

    /// Sets the id from which [`Order::Spread`] derives this client's order. Clients with the same
    /// id have the same order.
    ///
    /// # Defaults
    ///
    /// Random, one for the whole process.
    #[must_use]
    pub fn client_id(mut self, id: u64) -> Self {
        self.arrangement.client_id = id;
        self.arrange()
    }

    fn arrange(mut self) -> Self {
        if let Source::Fixed(set) = &mut self.source {
            Arc::make_mut(set).arrange(self.arrangement);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::*;

    fn set(regions: &Regions) -> &Set {
        match &regions.source {
            Source::Fixed(set) => set,
            Source::Discovered(_) => panic!("not fixed"),
        }
    }

    fn candidates(regions: &Regions, home: usize) -> Vec<usize> {
        set(regions).candidates(home).collect()
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
        let set = set(&regions);
        let home = set.home_of(&Uri::from_static("http://any/x")).unwrap();
        assert_eq!(candidates(&regions, home), [2, 0, 1]);
        assert_eq!(candidates(&regions, 0), [0, 1]);
        assert_eq!((set.choices(home), set.choices(0)), (3, 2));
    }

    #[test]
    fn only_requests_for_the_set_have_a_home() {
        let regions = Regions::fixed(["http://a", "http://b"]).unwrap();
        let home = |uri| set(&regions).home_of(&Uri::from_static(uri));
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
    fn regions_go_by_the_distances_and_weights_that_they_have() {
        let region = |name: &str| Region::new(name, format!("http://{name}")).unwrap();
        let of = |regions: [Region; 3]| Regions::of(regions).unwrap();
        let listed = of([
            region("a").distance(0),
            region("b").distance(9),
            region("c").distance(3),
        ]);
        assert_eq!(candidates(&listed, 0), [0, 2, 1]);
        let spread = of([region("a"), region("b").weight(0), region("c")]).order(Order::Spread);
        for id in 0..20 {
            assert_eq!(candidates(&spread.clone().client_id(id), 0), [0, 2, 1]);
        }
        let error = Regions::of([region("a"), region("a")]).unwrap_err();
        assert_eq!(error, InvalidRegion::from(RegionFault::Duplicate).at(1));
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
