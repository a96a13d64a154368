use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, Hash, Hasher},
    sync::OnceLock,
};

use http::{
    HeaderMap,
    header::{AUTHORIZATION, COOKIE},
};

use crate::region::{Origin, Region};

/// What a discovery service is told of whom it finds regions for.
#[derive(Clone)]
pub struct Query {
    home: Origin,
    headers: HeaderMap,
    excluded: Vec<Region>,
    from: Option<Region>,
}

impl Query {
    pub(crate) fn new(home: Origin, headers: HeaderMap) -> Self {
        Self {
            home,
            headers,
            excluded: Vec::new(),
            from: None,
        }
    }

    /// Adds what the call knows that made the query necessary.
    pub(crate) fn of_call(mut self, excluded: Vec<Region>, from: Region) -> Self {
        self.excluded = excluded;
        self.from = Some(from);
        self
    }

    /// Adds what the session knows that looks for a region.
    pub(crate) fn of_session(mut self, excluded: Vec<Region>, from: Option<Region>) -> Self {
        self.excluded = excluded;
        self.from = from;
        self
    }

    /// The origin whose regions are asked for.
    pub fn home(&self) -> &Origin {
        &self.home
    }

    /// The headers of the call that made the query necessary, or of the refresh, `Authorization`
    /// included, without those that speak of its body, connection or conditions.
    ///
    /// Calls with other headers may wait for the same answer, and later ones will use it.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A hash of what identifies the caller: credentials, cookies, and what is marked as sensitive.
    pub(super) fn credentials(&self) -> u64 {
        let mut hasher = hashes().build_hasher();
        for (name, value) in &self.headers {
            if *name == AUTHORIZATION || *name == COOKIE || value.is_sensitive() {
                name.hash(&mut hasher);
                value.hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    /// A hash of the regions that are excluded, if any are.
    pub(super) fn exclusions(&self) -> Option<u64> {
        let origins = self.excluded.iter().map(|region| region.origin().as_str());
        let mut origins: Vec<_> = origins.collect();
        origins.sort_unstable();
        (!origins.is_empty()).then(|| hashes().hash_one(origins))
    }

    /// Regions that the call, or the session, does not use again. A list without them is a better answer,
    /// but not a requirement. What is answered to a session that excludes some is for no other.
    pub fn excluded(&self) -> &[Region] {
        &self.excluded
    }

    /// The region that the call, or the session, is about to leave.
    pub fn migrating_from(&self) -> Option<&Region> {
        self.from.as_ref()
    }
}

fn hashes() -> &'static RandomState {
    static HASHES: OnceLock<RandomState> = OnceLock::new();
    HASHES.get_or_init(RandomState::new)
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query")
            .field("home", &self.home)
            .field("excluded", &self.excluded)
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}
