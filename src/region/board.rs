use std::{sync::Arc, time::Duration};

use http::Uri;
use tokio::time::Instant;

use super::{Failed, Health, Memory, Origin, Region, set::Set};

/// A region set together with what is remembered of its places.
///
/// Which place is next follows from the set's order and the outcomes so far; there is no stored
/// "current region" that could drift from them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board {
    set: Set,
    /// One for each place of the set.
    memories: Vec<Arc<Memory>>,
}

impl Board {
    /// A board of this set; `memory` knows what is remembered of an origin so far.
    pub(crate) fn new(set: Set, memory: impl Fn(&Origin) -> Arc<Memory>) -> Self {
        let memories = set
            .places()
            .iter()
            .map(|region| memory(region.origin()))
            .collect();
        Self { set, memories }
    }

    /// This board, with these places of another one too: as places that a call can refer to, not as
    /// regions to choose.
    pub(crate) fn including(
        mut self,
        other: &Self,
        places: impl IntoIterator<Item = usize>,
    ) -> Self {
        for place in places {
            // What is there already need not be added.
            if self.set.add_alias(other.region(place).clone()).is_ok() {
                self.memories.push(other.memories[place].clone());
            }
        }
        self
    }

    pub(crate) fn home_of(&self, uri: &Uri) -> Option<usize> {
        self.set.home_of(uri)
    }

    pub(crate) fn place_of(&self, origin: &Origin) -> Option<usize> {
        self.set.place_of(origin)
    }

    pub(crate) fn region(&self, place: usize) -> &Region {
        self.set.place(place)
    }

    /// How many places there are.
    pub(crate) fn len(&self) -> usize {
        self.memories.len()
    }

    /// The regions as listed.
    pub(crate) fn regions(&self) -> &[Region] {
        self.set.regions()
    }

    /// The regions that may serve a request of this home, those first that have nothing against
    /// them.
    pub(crate) fn by_health(&self, home: usize) -> Vec<&Region> {
        let mut places: Vec<_> = self.set.candidates(home).collect();
        places.sort_by_key(|&place| !self.is_clean(place));
        places.into_iter().map(|place| self.region(place)).collect()
    }

    /// What is remembered of this origin.
    pub(crate) fn memory_of(&self, origin: &Origin) -> Option<&Arc<Memory>> {
        Some(&self.memories[self.place_of(origin)?])
    }

    /// Whether a request of this home may go to a place other than those of `but`.
    pub(crate) fn has_other(&self, home: usize, but: impl Fn(usize) -> bool) -> bool {
        self.set.candidates(home).any(|place| !but(place))
    }

    pub(crate) fn choices(&self, home: usize) -> usize {
        self.set.choices(home)
    }

    /// Whether nothing is held against this place.
    pub(crate) fn is_clean(&self, place: usize) -> bool {
        self.memories[place].is_clean()
    }

    /// Where attempt 1 goes: home, unless it is out and another region is not. Says when that was
    /// decided, if there was anything to decide.
    pub(crate) fn first(&self, health: &Health, home: usize) -> (usize, Option<Instant>) {
        if self.memories[home].is_clean() || health.is_off() {
            return (home, None);
        }
        let now = Instant::now();
        let place = self
            .set
            .candidates(home)
            .find(|&place| self.memories[place].enter(health, now));
        (place.unwrap_or(home), Some(now))
    }

    /// Where to go after the `tried` places failed: the first that is untried and not out; if all
    /// that are untried are out, the first of them, for a dead end is worse than a try.
    pub(crate) fn next(
        &self,
        health: &Health,
        home: usize,
        tried: &[usize],
        now: Instant,
    ) -> Option<usize> {
        let untried = || self.set.candidates(home).filter(|p| !tried.contains(p));
        untried()
            .find(|&place| self.memories[place].is_open(health, now))
            .or_else(|| untried().next())
    }

    /// Another attempt does go to this place.
    pub(crate) fn enter(&self, health: &Health, place: usize, now: Instant) {
        self.memories[place].enter(health, now);
    }

    /// Where to go when no place is untried but the same may be asked again: of those that are not
    /// out the one that was asked least often, the first in order among equals. Not the one `but`.
    pub(crate) fn again(
        &self,
        health: &Health,
        home: usize,
        tried: &[usize],
        but: Option<usize>,
        now: Instant,
    ) -> Option<usize> {
        let asked = |place: usize| tried.iter().filter(|p| **p == place).count();
        self.set
            .candidates(home)
            .filter(|place| Some(*place) != but)
            .min_by_key(|&place| (!self.memories[place].is_open(health, now), asked(place)))
    }

    pub(crate) fn answered(&self, place: usize, success: bool, sent: Option<Instant>) -> bool {
        self.memories[place].answered(success, sent)
    }

    pub(crate) fn failed(
        &self,
        health: &Health,
        place: usize,
        failure: &Failed,
        now: Instant,
    ) -> Option<Duration> {
        self.memories[place].failed(health, failure, now)
    }

    pub(crate) fn rest(
        &self,
        health: &Health,
        place: usize,
        wish: Duration,
        now: Instant,
    ) -> Option<Duration> {
        self.memories[place].rest(health, wish, now)
    }
}
