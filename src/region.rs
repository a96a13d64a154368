//! Which place is next: regions, the sets they form and what is remembered of them.

mod arrangement;
mod board;
mod health;
mod memory;
mod origin;
mod pattern;
mod set;
mod trust;

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

pub use arrangement::Order;
pub(crate) use arrangement::{Arrangement, nearest_first};
pub(crate) use board::Board;
pub use health::{Health, InvalidProbe};
pub(crate) use memory::{Failed, Glance, Memory, Standing};
pub use origin::Origin;
pub(crate) use origin::http_url;
pub use pattern::InvalidPattern;
pub(crate) use pattern::Pattern;
pub(crate) use set::Set;
pub(crate) use trust::{Refusal, Trust};

use crate::error::InvalidRegion;

/// A named origin in which the same API is served.
///
/// Cloning is cheap. Two regions are equal when name and origin are, whatever their distances and
/// weights; within a set an origin stands only once.
///
/// ```
/// use tower_failover::Region;
///
/// let region = Region::new("eu", "https://eu.api.example.com")?.distance(120).weight(3);
/// assert_eq!(region.get_distance(), Some(120));
/// # Ok::<(), tower_failover::error::InvalidRegion>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Region {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    name: Option<Box<str>>,
    origin: Origin,
    distance: Option<u64>,
    weight: Option<u32>,
}

impl Region {
    /// A region called `name` at `origin`, as in `Region::new("eu", "https://eu.api.example.com")`.
    ///
    /// # Errors
    ///
    /// When `origin` is anything but `http` or `https`, a host and at most a port; see
    /// [`InvalidRegion`].
    pub fn new(name: impl Into<String>, origin: impl AsRef<str>) -> Result<Self, InvalidRegion> {
        Ok(Self::from_parts(
            Some(name.into().into()),
            Origin::parse(origin.as_ref())?,
        ))
    }

    /// A region that is called by its origin.
    pub(crate) fn unnamed(origin: &str) -> Result<Self, InvalidRegion> {
        Ok(Self::from_parts(None, Origin::parse(origin)?))
    }

    /// A region that is called by this origin.
    pub(crate) fn at(origin: Origin) -> Self {
        Self::from_parts(None, origin)
    }

    /// Sets how far away the region is. The unit is the list's own: what counts is which of its
    /// regions is nearer.
    ///
    /// [`Order::Listed`] goes by it where all regions in use have one, [`Order::Spread`] never does.
    ///
    /// # Defaults
    ///
    /// None: it is not known, which is neither near nor far.
    #[must_use]
    pub fn distance(mut self, distance: u64) -> Self {
        self.inner_mut().distance = Some(distance);
        self
    }

    /// Sets how many clients prefer the region under [`Order::Spread`], relative to the others: with
    /// 2 and 1, two of three clients prefer the first. With 0 it comes after all that have more, as a
    /// last resort.
    ///
    /// # Defaults
    ///
    /// None, which counts as 1, as with nginx and HAProxy.
    #[must_use]
    pub fn weight(mut self, weight: u32) -> Self {
        self.inner_mut().weight = Some(weight);
        self
    }

    /// The region with this distance and this weight.
    pub(crate) fn measured(mut self, distance: Option<u64>, weight: Option<u32>) -> Self {
        let inner = self.inner_mut();
        (inner.distance, inner.weight) = (distance, weight);
        self
    }

    /// The region, called by its origin.
    pub(crate) fn without_name(mut self) -> Self {
        self.inner_mut().name = None;
        self
    }

    /// What no clone shares.
    fn inner_mut(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.inner)
    }

    /// The name that was given.
    pub(crate) fn own_name(&self) -> Option<&str> {
        self.inner.name.as_deref()
    }

    fn from_parts(name: Option<Box<str>>, origin: Origin) -> Self {
        Self {
            inner: Arc::new(Inner {
                name,
                origin,
                distance: None,
                weight: None,
            }),
        }
    }

    /// The name; the origin where none was given.
    pub fn name(&self) -> &str {
        match &self.inner.name {
            Some(name) => name,
            None => self.inner.origin.as_str(),
        }
    }

    /// Where the region is.
    pub fn origin(&self) -> &Origin {
        &self.inner.origin
    }

    // With `get_`, as with `std::process::Command`: the noun alone is the setter, as in all of the crate.

    /// How far away it is, if that is known.
    pub fn get_distance(&self) -> Option<u64> {
        self.inner.distance
    }

    /// Its weight, if it has one.
    pub fn get_weight(&self) -> Option<u32> {
        self.inner.weight
    }
}

impl Inner {
    /// What tells regions apart. The rest is what a list says of them, and changes with it.
    fn identity(&self) -> (Option<&str>, &Origin) {
        (self.name.as_deref(), &self.origin)
    }
}

impl PartialEq for Inner {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Inner {}

impl Hash for Inner {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner.name {
            Some(name) => write!(f, "{name} ({})", self.inner.origin),
            None => fmt::Display::fmt(&self.inner.origin, f),
        }
    }
}

#[cfg(test)]
mod tests;
