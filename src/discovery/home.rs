use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::{ArcSwap, Guard};
use futures_util::future::{FutureExt, ready};
use tokio::time::Instant;

use super::{
    Client, Discovery, DiscoveryError, Flight, Homes, Query, RegionList, fetch, flight::WeakFlight,
    usable::Usable,
};
use crate::{
    region::{Board, Origin, Region},
    report,
    time::{after, scaled},
};

/// What is known of one home: its list of regions, how old that is, and who is asking for another.
pub(crate) struct Home {
    region: Region,
    /// What calls see. It changes when a list comes or goes.
    view: ArcSwap<View>,
    /// When it was last used, by the clock of [`Homes`].
    pub(super) used: AtomicU64,
    state: Mutex<State>,
}

/// The regions of a home as they were known at one time.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) board: Board,
    /// The place of home itself.
    pub(crate) home: usize,
    /// When the list is too old for any use.
    forgotten_at: Option<Instant>,
}

impl View {
    pub(super) fn new(board: Board, home: usize, forgotten_at: Option<Instant>) -> Self {
        Self {
            board,
            home,
            forgotten_at,
        }
    }

    /// This view, in which a call can also refer to its `own` places in another one.
    pub(crate) fn including(view: Arc<Self>, other: &Self, own: &[usize]) -> Arc<Self> {
        let is_there = |&place: &usize| {
            let origin = other.board.region(place).origin();
            view.board.place_of(origin).is_some()
        };
        if own.iter().all(is_there) {
            return view;
        }
        let board = view.board.clone();
        Arc::new(Self {
            board: board.including(&other.board, own.iter().copied()),
            ..*view
        })
    }

    /// This view, which remembers how all places of another one are.
    fn with_health_of(&self, other: &Self) -> Self {
        let all = 0..other.board.len();
        Self {
            board: self.board.clone().including(&other.board, all),
            ..*self
        }
    }

    pub(crate) fn is_forgotten(&self, now: Instant) -> bool {
        self.forgotten_at.is_some_and(|at| now >= at)
    }
}

/// Why a list is needed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need<'a> {
    /// A region failed.
    Another,
    /// This one says that others serve the request.
    Instead(&'a Origin),
}

/// Whether what is known of the regions of a home does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Enough,
    /// The list has to be asked for.
    TooLittle,
    /// It would have to be, but that failed a moment ago.
    NotNow,
}

#[derive(Default)]
struct State {
    list: Option<List>,
    /// After a failure, when discovery is tried again.
    quiet_until: Option<Instant>,
    flight: Option<UnderWay>,
    /// How many fetches there were.
    flights: u64,
    /// The regions that sent calls away since the flight was begun.
    wrong: Vec<Origin>,
    /// The fetch that brought the present list.
    latest: u64,
    /// How many lists came without a fetch. One that was begun before the last of them is outdated.
    pushed: u64,
}

/// The latest fetch, if it has not ended.
struct UnderWay {
    flight: WeakFlight,
    number: u64,
    begun: Instant,
    /// Whether it asks with no headers of anybody's.
    is_bare: bool,
}

#[derive(Debug)]
struct List {
    came_at: Instant,
    /// How old it was then.
    age: Duration,
    fresh_until: Instant,
    /// Regions that had sent calls away before this list came, which therefore knows of it.
    wrong: Vec<Origin>,
}

/// Which fetch it is, and how many lists had come without one when it was begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    number: u64,
    pushed: u64,
}

impl State {
    fn end(&mut self, fetch: Ticket) {
        self.flight.take_if(|flight| flight.number == fetch.number);
    }

    fn is_known(&self, need: Need<'_>, now: Instant) -> Known {
        let fresh = self.list.as_ref().filter(|list| now < list.fresh_until);
        let does = match need {
            Need::Another => fresh.is_some(),
            Need::Instead(of) => fresh.is_some_and(|list| list.wrong.contains(of)),
        };
        if does {
            Known::Enough
        } else if self.quiet_until.is_some_and(|until| now < until) {
            Known::NotNow
        } else {
            Known::TooLittle
        }
    }
}

impl Home {
    pub(super) fn new(region: Region, view: View) -> Self {
        Self {
            region,
            view: ArcSwap::from_pointee(view),
            used: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    pub(crate) fn origin(&self) -> &Origin {
        self.region.origin()
    }

    pub(crate) fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    pub(super) fn peek(&self) -> Guard<Arc<View>> {
        self.view.load()
    }

    pub(super) fn touch(&self, clock: &AtomicU64) {
        // The home that is used again and again writes nothing.
        let used = self.used.load(Ordering::Relaxed);
        if used != clock.load(Ordering::Relaxed) {
            let now = clock.fetch_add(1, Ordering::Relaxed) + 1;
            self.used.store(now, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No foreign code runs under this lock, neither a service of the user's nor a subscriber to
        // events: they may call back. So a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what is known of the regions does.
    pub(crate) fn is_known(&self, need: Need<'_>, now: Instant) -> Known {
        self.lock().is_known(need, now)
    }

    /// Joins the fetch that is under way, or begins one, unless what is known does by now.
    pub(crate) fn search(
        self: &Arc<Self>,
        homes: &Arc<Homes>,
        need: Need<'_>,
        query: Query,
        client: Option<Arc<dyn Client>>,
    ) -> Flight {
        let now = Instant::now();
        let mut state = self.lock();
        // Since the caller looked, a fetch may have ended, or a list have come.
        let known = match state.is_known(need, now) {
            Known::TooLittle => None,
            Known::Enough => Some(Ok(self.view())),
            Known::NotNow => Some(Err(DiscoveryError::not_now(self.origin().clone()))),
        };
        if let Some(known) = known {
            return ready(known).boxed().shared();
        }
        let is_bare = query.headers().is_empty();
        let joined = state.flight.as_ref().filter(|under_way| {
            // What is denied to who shows no credentials is not denied to who does. And a fetch that
            // nobody has polled for longer than it may take is not worth waiting for.
            (is_bare || !under_way.is_bare)
                && now.saturating_duration_since(under_way.begun) < homes.discovery.timeout
        });
        let flight = match joined.and_then(|under_way| under_way.flight.upgrade()) {
            Some(flight) => flight,
            None => {
                state.flights += 1;
                let ticket = Ticket {
                    number: state.flights,
                    pushed: state.pushed,
                };
                let (homes, home) = (homes.clone(), self.clone());
                let fetch = fetch::fetch(homes, home, query, client, ticket);
                let flight = fetch.boxed().shared();
                state.flight = flight.downgrade().map(|flight| UnderWay {
                    flight,
                    number: ticket.number,
                    begun: now,
                    is_bare,
                });
                state.wrong.clear();
                flight
            }
        };
        match need {
            Need::Instead(of) if !state.wrong.contains(of) => state.wrong.push(of.clone()),
            Need::Instead(_) | Need::Another => {}
        }
        flight
    }

    /// From now on the list is of use only when no other can be had.
    pub(crate) fn expire(&self, now: Instant) {
        let mut state = self.lock();
        state.quiet_until = None;
        if let Some(list) = &mut state.list {
            list.fresh_until = list.fresh_until.min(now);
        }
    }

    /// The list led a call that one region had sent away to another one that did the same: the next
    /// time it does not do.
    pub(crate) fn doubt(&self) {
        if let Some(list) = &mut self.lock().list {
            list.wrong.clear();
        }
    }

    /// A fetch brought a list. One that is newer stays.
    pub(super) fn found(&self, homes: &Homes, fetch: Ticket, list: Usable) -> Arc<View> {
        let (regions, ttl) = (list.regions.len(), list.ttl);
        let view = {
            let mut state = self.lock();
            state.end(fetch);
            if state.pushed != fetch.pushed || state.latest > fetch.number {
                return self.view();
            }
            state.latest = fetch.number;
            self.install(&mut state, homes, list)
        };
        report::regions_refreshed(self.origin(), regions, ttl);
        view
    }

    /// Somebody who knows brings a list.
    pub(crate) fn push(&self, homes: &Homes, list: RegionList) {
        let list = Usable::from_list(list, self.origin(), &homes.discovery);
        let (regions, ttl) = (list.regions.len(), list.ttl);
        {
            let mut state = self.lock();
            state.pushed += 1;
            self.install(&mut state, homes, list);
        }
        report::regions_refreshed(self.origin(), regions, ttl);
    }

    /// A list from an earlier process, which came this long ago.
    pub(super) fn restored(&self, homes: &Homes, regions: Vec<Region>, age: Duration) {
        let mut state = self.lock();
        let max_stale = homes.discovery.max_stale;
        let now = Instant::now();
        let is_known = state.list.is_some() && !self.peek().is_forgotten(now);
        if is_known || age >= max_stale {
            return;
        }
        let forgotten_at = Some(after(now, max_stale - age));
        state.list = Some(List {
            came_at: now,
            age,
            fresh_until: now,
            wrong: Vec::new(),
        });
        let view = homes.view_of(&self.region, regions, forgotten_at);
        self.view.store(Arc::new(view));
    }

    fn install(&self, state: &mut State, homes: &Homes, list: Usable) -> Arc<View> {
        let now = Instant::now();
        state.quiet_until = None;
        let wrong = std::mem::take(&mut state.wrong);
        let fresh_until = list.ttl.map(|ttl| after(now, ttl));
        let forgotten_at = fresh_until.map(|until| after(until, homes.discovery.max_stale));
        let view = Arc::new(homes.view_of(&self.region, list.regions, forgotten_at));
        match fresh_until {
            Some(fresh_until) => {
                state.list = Some(List {
                    came_at: now,
                    age: Duration::ZERO,
                    fresh_until,
                    wrong,
                });
                self.view.store(view.clone());
            }
            // It may be used by those who wait for it, and not be kept. How its regions are is no part
            // of it.
            None => {
                self.forget_list(state, homes);
                let alone = View::with_health_of(&self.peek(), &view);
                self.view.store(Arc::new(alone));
            }
        }
        view
    }

    /// Gives the list up if it is too old for any use.
    pub(crate) fn forget_outdated(&self, homes: &Homes, now: Instant) {
        if self.peek().is_forgotten(now) {
            let mut state = self.lock();
            if self.peek().is_forgotten(now) {
                self.forget_list(&mut state, homes);
            }
        }
    }

    fn forget_list(&self, state: &mut State, homes: &Homes) {
        state.list = None;
        let alone = homes.view_of(&self.region, Vec::new(), None);
        self.view.store(Arc::new(alone));
    }

    /// A fetch failed that a call needed, or was given up when it had taken too long: says for how
    /// long discovery is left alone.
    pub(super) fn failed(&self, discovery: &Discovery, fetch: Ticket) -> Option<Duration> {
        let mut state = self.lock();
        state.end(fetch);
        if state.pushed != fetch.pushed || state.flights != fetch.number {
            // It says nothing of the list that came meanwhile, or of the fetch that was begun.
            return None;
        }
        let wait = scaled(discovery.negative_ttl, 0.5 + fastrand::f64());
        state.quiet_until = Some(after(Instant::now(), wait));
        Some(wait)
    }

    /// A fetch failed that no call needed, which is no reason not to try when one does.
    pub(super) fn failed_in_vain(&self, fetch: Ticket) {
        self.lock().end(fetch);
    }

    /// The list as it is known, and its age.
    pub(super) fn list(&self, now: Instant) -> Option<(Vec<Region>, Duration)> {
        let state = self.lock();
        let view = self.peek();
        let list = state.list.as_ref().filter(|_| !view.is_forgotten(now))?;
        let age = now.saturating_duration_since(list.came_at);
        Some((view.board.regions().to_vec(), list.age.saturating_add(age)))
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home")
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}
