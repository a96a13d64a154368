//! When a call asks for more regions, and how it goes on with those that were found.

use std::{sync::Arc, time::Duration};

use http::HeaderMap;
use tokio::time::Instant;

use super::{Call, Cause, Found, Search, Stop};
use crate::{
    classify::Pushback,
    client::Client,
    discovery::{self, Fetched, Flight, Known, Need, Query, View},
    time::after,
};

impl Call {
    fn search_state(&self) -> Search {
        self.past
            .as_ref()
            .map_or(Search::NotYet, |past| past.search)
    }

    pub(super) fn may_search(&self) -> bool {
        self.found.is_some() && self.search_state() == Search::NotYet
    }

    /// Why no region is left.
    pub(super) fn no_region(&self) -> Stop {
        match self.search_state() {
            Search::Failed => Stop::Discovery,
            Search::NotYet | Search::Found => Stop::Regions,
        }
    }

    /// What a list has to know because of `cause`.
    fn need(&self, cause: &Cause) -> Need<'_> {
        match cause {
            Cause::Failure(_) => Need::Another,
            Cause::WrongRegion(_) => Need::Instead(self.region().origin()),
        }
    }

    /// Whether what is known of the regions does not do. Takes up what is known by now.
    pub(super) fn has_to_search(&mut self, cause: &Cause, now: Instant) -> bool {
        let Some(Found { home, .. }) = &self.found else {
            return false;
        };
        if self.search_state() != Search::NotYet {
            return false;
        }
        let known = home.is_known(self.need(cause), now);
        let view = self.shared.directory.view_of(home, now);
        self.adopt(view);
        if known == Known::NotNow {
            self.past().search = Search::Failed;
        }
        known == Known::TooLittle
    }

    /// Whether an attempt could be made at all, so that it is worth looking for where.
    pub(super) fn can_afford(&self, cause: &Cause, now: Instant) -> Result<(), Stop> {
        let pushback = match cause {
            Cause::Failure(failure) => failure.pushed_back(),
            Cause::WrongRegion(_) => None,
        };
        let min = self.min_time_after(cause);
        if pushback == Some(Pushback::Never) {
            Err(Stop::Pushback)
        } else if self.left(now).is_some_and(|left| left <= min) {
            Err(Stop::Deadline)
        } else if self.costs(cause) && self.shared.config.budget.available() < 1.0 {
            Err(Stop::Budget)
        } else {
            Ok(())
        }
    }

    /// What discovery takes along of the request's headers.
    pub(crate) fn carried(&self, headers: &HeaderMap) -> HeaderMap {
        let key = self.shared.config.idempotency_key.as_ref();
        discovery::carried(headers, key, self.home().origin())
    }

    /// Asks for more regions because of `cause`. `headers` are those of the request that discovery
    /// takes along.
    pub(crate) fn search(
        &mut self,
        cause: &Cause,
        headers: HeaderMap,
        client: Arc<dyn Client>,
    ) -> Flight {
        let homes = self.shared.directory.homes.as_ref();
        let (Some(Found { home, .. }), Some(homes)) = (&self.found, homes) else {
            unreachable!("only where regions are discovered there is a search");
        };
        let here = self.region();
        let need = self.need(cause);
        let tried = self.tried().iter().chain([&self.place]);
        let excluded = tried.map(|&place| self.board().region(place).clone());
        let query = Query::new(home.origin().clone(), headers);
        let query = query.of_call(excluded.collect(), here.clone());
        let was_denied = self.past.as_ref().is_some_and(|past| past.was_denied);
        let (flight, is_joined) = home.search(homes, need, query, Some(client), was_denied);
        self.past().is_joined = is_joined;
        flight
    }

    /// The attempt is over, and the call waits for more regions.
    pub(crate) fn end_attempt(&mut self, now: Instant) {
        self.past().ended.get_or_insert(now);
    }

    /// For how long the call waits for more regions because of `cause`.
    pub(crate) fn search_within(&self, cause: &Cause, now: Instant) -> Duration {
        let homes = self.shared.directory.homes.as_ref();
        let patience = homes.map_or(Duration::ZERO, |homes| homes.patience());
        let min = self.min_time_after(cause);
        let left = self.left(now).map(|left| left.saturating_sub(min));
        left.map_or(patience, |left| left.min(patience))
    }

    /// The call waits for more regions beside its attempt: says for how long until it looks at the two.
    pub(crate) fn search_beside(&mut self, cause: &Cause, now: Instant) -> Duration {
        let bound = self.search_within(cause, now);
        self.past().search_until = Some(after(now, bound));
        bound / 2
    }

    /// What is left of that time.
    pub(crate) fn search_left(&self, now: Instant) -> Option<Duration> {
        let until = self.past.as_ref()?.search_until?;
        Some(until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// No regions came in that time.
    pub(crate) fn searched_in_vain(&mut self, cause: &Cause, now: Instant) {
        // At the end of its own time the call ends for that reason.
        let min = self.min_time_after(cause);
        if self.left(now).is_none_or(|left| left > min) {
            self.search_failed(now);
        }
    }

    /// Takes up what was found, or else what came from elsewhere meanwhile.
    pub(crate) fn searched(&mut self, fetched: Fetched) {
        match fetched {
            Ok(view) => {
                self.past().search = Search::Found;
                self.adopt(view);
            }
            // It was asked with another call's credentials. With this one's own there may be an answer.
            Err(error) if error.is_denied() && self.past().is_joined && !self.past().was_denied => {
                self.past().was_denied = true;
            }
            Err(_) => self.search_failed(Instant::now()),
        }
    }

    fn search_failed(&mut self, now: Instant) {
        self.past().search = Search::Failed;
        if let Some(Found { home, .. }) = &self.found {
            let view = self.shared.directory.view_of(home, now);
            self.adopt(view);
        }
    }

    /// A second region sent the call away, so the list is not to be relied on.
    pub(super) fn doubt_list(&self) {
        if let Some(found) = &self.found {
            found.home.doubt();
        }
    }

    /// Goes on with this view of the regions. Those that the call has to do with stay its own, listed
    /// or not.
    fn adopt(&mut self, view: Arc<View>) {
        let Some(found) = &self.found else {
            return;
        };
        if Arc::ptr_eq(&found.view, &view) {
            return;
        }
        debug_assert!(
            self.rival().is_none(),
            "a call that is hedged does not search"
        );
        let mut own = vec![self.home, self.place];
        if let Some(past) = &self.past {
            own.extend(&past.tried);
            own.extend(past.wishes.iter().map(|(place, _)| place));
            own.extend(past.wrong);
        }
        let old = found.view.clone();
        let view = View::including(view, &old, &own);
        let moved = |place: usize| {
            let origin = old.board.region(place).origin();
            view.board
                .place_of(origin)
                .expect("the call's own places are included")
        };
        self.home = moved(self.home);
        self.place = moved(self.place);
        if let Some(past) = &mut self.past {
            past.tried
                .iter_mut()
                .for_each(|place| *place = moved(*place));
            past.wishes
                .iter_mut()
                .for_each(|(place, _)| *place = moved(*place));
            past.wrong = past.wrong.map(moved);
        }
        if let Some(found) = &mut self.found {
            found.view = view;
        }
    }
}
