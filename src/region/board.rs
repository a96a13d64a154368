use std::{sync::Arc, time::Duration};

use http::Uri;
use tokio::time::Instant;

use super::{Failed, Health, Memory, Origin, Region, memory::Standing, set::Set};

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

    /// The places that may serve a request of this home, home first, then in the set's order.
    pub(crate) fn candidates(&self, home: usize) -> impl Iterator<Item = usize> + '_ {
        self.set.candidates(home)
    }

    /// The regions that may serve a request of this home, those first that have nothing against
    /// them.
    pub(crate) fn by_health(&self, home: usize) -> Vec<&Region> {
        let mut places: Vec<_> = self.set.candidates(home).collect();
        places.sort_by_key(|&place| !self.is_clear(place));
        places.into_iter().map(|place| self.region(place)).collect()
    }

    /// All places, with what is remembered of them.
    pub(crate) fn memories(&self) -> impl Iterator<Item = (&Region, &Arc<Memory>)> {
        self.set.places().iter().zip(&self.memories)
    }

    pub(crate) fn memory(&self, place: usize) -> &Memory {
        &self.memories[place]
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
    pub(crate) fn is_clear(&self, place: usize) -> bool {
        self.memories[place].is_clear()
    }

    /// Whether calls pass over this place.
    pub(crate) fn is_out(&self, health: &Health, place: usize, now: Instant) -> bool {
        self.memories[place].standing(health, now) == Standing::Out
    }

    /// Where attempt 1 goes: home, unless it is out and another region is not. Says when that was
    /// decided, if there was anything to decide.
    pub(crate) fn first(&self, health: &Health, home: usize) -> (usize, Option<Instant>) {
        if self.is_clear(home) {
            return (home, None);
        }
        let now = Instant::now();
        let place = self.choose(self.set.candidates(home), health, now);
        (place.unwrap_or(home), Some(now))
    }

    /// Where to go after the `tried` places failed. Not to one that is out, unless all are.
    pub(crate) fn next(
        &self,
        health: &Health,
        home: usize,
        tried: &[usize],
        now: Instant,
    ) -> Option<usize> {
        let untried = self.set.candidates(home).filter(|p| !tried.contains(p));
        let place = self.choose(untried, health, now)?;
        let is_dead_end = self.is_out(health, place, now) && !self.is_all_out(health, home, now);
        (!is_dead_end).then_some(place)
    }

    /// Where a second request goes beside the one to `place`: to a region that would get it anyway.
    pub(crate) fn second(
        &self,
        health: &Health,
        home: usize,
        place: usize,
        now: Instant,
    ) -> Option<usize> {
        let others = self.set.candidates(home).filter(|&other| other != place);
        self.pick(others, health, now).ok()
    }

    /// The first of the candidates that is in; one that is on its ramp is so for its share of the
    /// calls. Where none is, the first on its ramp; where all are out the first of all, for a dead end
    /// is worse than a try.
    fn choose(
        &self,
        candidates: impl Iterator<Item = usize>,
        health: &Health,
        now: Instant,
    ) -> Option<usize> {
        match self.pick(candidates, health, now) {
            Ok(place) => Some(place),
            Err(last_resort) => last_resort,
        }
    }

    /// The first of the candidates that is in, or else the last resort.
    fn pick(
        &self,
        candidates: impl Iterator<Item = usize>,
        health: &Health,
        now: Instant,
    ) -> Result<usize, Option<usize>> {
        let (mut ramping, mut first) = (None, None);
        let mut chance = None;
        for place in candidates {
            match self.memories[place].standing(health, now) {
                Standing::In => return Ok(place),
                Standing::Partly(share) => {
                    if *chance.get_or_insert_with(fastrand::f64) < share {
                        return Ok(place);
                    }
                    ramping = ramping.or(Some(place));
                }
                Standing::Out => {}
            }
            first = first.or(Some(place));
        }
        Err(ramping.or(first))
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
            .min_by_key(|&place| (self.is_out(health, place, now), asked(place)))
    }

    pub(crate) fn answered(
        &self,
        health: &Health,
        place: usize,
        success: bool,
        sent: Option<Instant>,
    ) -> bool {
        self.memories[place].answered(health, success, sent)
    }

    /// Whether all places that may serve a request of this home are out.
    pub(crate) fn is_all_out(&self, health: &Health, home: usize, now: Instant) -> bool {
        let mut candidates = self.set.candidates(home);
        candidates.all(|place| self.is_out(health, place, now))
    }

    pub(crate) fn failed(
        &self,
        health: &Health,
        home: usize,
        place: usize,
        failure: &Failed,
        now: Instant,
    ) -> Option<Duration> {
        let all_out = self.is_all_out(health, home, now);
        self.memories[place].failed(health, failure, all_out, now)
    }

    pub(crate) fn rest(
        &self,
        health: &Health,
        place: usize,
        wish: Duration,
        failure: &Failed,
        now: Instant,
    ) -> Option<Duration> {
        self.memories[place].rest(health, wish, failure, now)
    }
}
