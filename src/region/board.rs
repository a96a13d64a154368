use std::{sync::Arc, time::Duration};

use http::Uri;
use tokio::time::Instant;

use super::{Failed, Health, Region, Regions, health::Memory, set::Set};

/// A region set together with what one layer remembers of its places.
///
/// Which place is next follows from the set's order and the outcomes so far; there is no stored
/// "current region" that could drift from them.
#[derive(Debug)]
pub(crate) struct Board {
    set: Arc<Set>,
    /// One for each place of the set.
    memories: Box<[Memory]>,
}

impl Board {
    pub(crate) fn new(regions: &Regions) -> Self {
        let set = regions.set().clone();
        let memories = (0..set.len()).map(|_| Memory::default()).collect();
        Self { set, memories }
    }

    pub(crate) fn home_of(&self, uri: &Uri) -> Option<usize> {
        self.set.home_of(uri)
    }

    pub(crate) fn region(&self, place: usize) -> &Region {
        self.set.place(place)
    }

    pub(crate) fn choices(&self, home: usize) -> usize {
        self.set.choices(home)
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
