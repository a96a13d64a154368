//! Which place is next: regions, the sets they form and what is remembered of them.

mod arrangement;
mod board;
mod health;
mod origin;
mod pattern;
mod set;
mod trust;

use std::{fmt, sync::Arc};

pub(crate) use arrangement::Arrangement;
pub use arrangement::Order;
pub(crate) use board::Board;
pub use health::Health;
pub(crate) use health::{Failed, Memory};
pub use origin::Origin;
pub(crate) use origin::http_url;
pub use pattern::InvalidPattern;
pub(crate) use pattern::Pattern;
pub(crate) use set::Set;
pub(crate) use trust::{Refusal, Trust};

use crate::error::InvalidRegion;

/// A named origin in which the same API is served.
///
/// Cloning is cheap. Two regions are equal when name and origin are; within a set an origin stands
/// only once.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Region {
    inner: Arc<Inner>,
}

#[derive(PartialEq, Eq, Hash)]
struct Inner {
    name: Option<Box<str>>,
    origin: Origin,
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

    /// The name that was given.
    pub(crate) fn own_name(&self) -> Option<&str> {
        self.inner.name.as_deref()
    }

    fn from_parts(name: Option<Box<str>>, origin: Origin) -> Self {
        Self {
            inner: Arc::new(Inner { name, origin }),
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
