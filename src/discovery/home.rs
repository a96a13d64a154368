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
    Discovery, DiscoveryError, Flight, Homes, Known, Need, Query, RegionList, View,
    cache::{Asker, Cache, Ticket},
    error::Fault,
    fetch,
    usable::Usable,
};
use crate::{
    changes::Change,
    client::Client,
    region::{Origin, Region},
    report,
    time::after,
};

/// What is known of one home: its list of regions, how old that is, and who is asking for another.
pub(crate) struct Home {
    region: Region,
    /// What calls see. It changes when a list comes or goes.
    view: ArcSwap<View>,
    /// When it was last used, by the clock of [`Homes`].
    pub(super) used: AtomicU64,
    cache: Mutex<Cache>,
}

impl Home {
    pub(super) fn new(region: Region, view: View) -> Self {
        Self {
            region,
            view: ArcSwap::from_pointee(view),
            used: AtomicU64::new(0),
            cache: Mutex::default(),
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

    fn lock(&self) -> MutexGuard<'_, Cache> {
        // No foreign code runs under this lock, neither a service of the user's nor a subscriber to
        // events: they may call back. So a poisoned cache is still whole.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what is known of the regions does.
    pub(crate) fn is_known(&self, need: Need<'_>, now: Instant) -> Known {
        self.lock().is_known(need, now)
    }

    /// Joins the fetch that is under way, or begins one, unless what is known does by now. Says whether
    /// it is another's. Who was denied the list because of another's credentials `insists`: on a fetch
    /// with its own.
    pub(crate) fn search(
        self: &Arc<Self>,
        homes: &Arc<Homes>,
        need: Need<'_>,
        query: Query,
        client: Option<Arc<dyn Client>>,
        insists: bool,
    ) -> (Flight, bool) {
        let (now, asker) = (Instant::now(), Asker::of(&query, need));
        let mut cache = self.lock();
        if let Need::Newer = need {
            cache.expire(now);
        }
        // Since the caller looked, a fetch may have ended, or a list have come.
        let known = match cache.is_known(need, now) {
            Known::TooLittle => None,
            Known::Enough => Some(Ok(self.view())),
            Known::NotNow => Some(Err(DiscoveryError::of(self.origin(), Fault::NotNow))),
        };
        if let Some(known) = known {
            return (ready(known).boxed().shared(), false);
        }
        let joined = cache.join(asker, insists, homes.discovery.timeout, now);
        if joined.is_none() && cache.is_denied(asker, need, now) {
            let error = DiscoveryError::of(self.origin(), Fault::NotNow);
            return (ready(Err(error)).boxed().shared(), false);
        }
        let (flight, is_joined) = match joined {
            Some(flight) => (flight, true),
            None => {
                let ticket = cache.begin(asker, need);
                let (homes, home) = (homes.clone(), self.clone());
                let fetch = fetch::fetch(homes, home, query, client, ticket);
                let flight = fetch.boxed().shared();
                cache.began(ticket, &flight, now);
                (flight, false)
            }
        };
        cache.note(need);
        (flight, is_joined)
    }

    /// From now on the list is of use only when no other can be had.
    pub(crate) fn expire(&self, now: Instant) {
        self.lock().expire(now);
    }

    /// The list led a call that one region had sent away to another one that did the same: the next
    /// time it does not do.
    pub(crate) fn doubt(&self) {
        self.lock().doubt();
    }

    /// A fetch brought a list. One that is newer stays.
    pub(super) fn found(&self, homes: &Homes, fetch: Ticket, list: Usable) -> Arc<View> {
        let (regions, ttl) = (list.regions.len(), list.ttl);
        let view = {
            let mut cache = self.lock();
            if !cache.found(fetch) {
                return self.view();
            }
            self.install(&mut cache, homes, list)
        };
        self.tell_refreshed(homes, regions, ttl);
        view
    }

    /// A fetch brought a list to a session that does without some regions: it is no list for others.
    pub(super) fn found_for_one(&self, homes: &Homes, fetch: Ticket, list: Usable) -> Arc<View> {
        self.lock().ended(fetch);
        Arc::new(homes.view_of(&self.region, list.regions, None))
    }

    /// Somebody who knows brings a list.
    pub(crate) fn push(&self, homes: &Homes, list: RegionList) -> Result<(), DiscoveryError> {
        let list = Usable::from_list(list, self.origin(), &homes.discovery);
        let list = list.map_err(|fault| DiscoveryError::of(self.origin(), fault))?;
        let (regions, ttl) = (list.regions.len(), list.ttl);
        {
            let mut cache = self.lock();
            cache.pushed();
            self.install(&mut cache, homes, list);
        }
        self.tell_refreshed(homes, regions, ttl);
        Ok(())
    }

    fn tell_refreshed(&self, homes: &Homes, regions: usize, ttl: Option<Duration>) {
        report::regions_refreshed(self.origin(), regions, ttl);
        homes.announcer.tell(|| Change::Refreshed {
            home: self.origin().clone(),
            regions,
        });
    }

    fn install(&self, cache: &mut Cache, homes: &Homes, list: Usable) -> Arc<View> {
        let now = Instant::now();
        let fresh_until = list.ttl.map(|ttl| after(now, ttl));
        let forgotten_at = fresh_until.map(|until| after(until, homes.discovery.max_stale));
        let view = Arc::new(homes.view_of(&self.region, list.regions, forgotten_at));
        cache.keep(now, fresh_until);
        self.view.store(match fresh_until {
            Some(_) => view.clone(),
            // It may be used by those who wait for it, and not be kept. How its regions are is no part
            // of it.
            None => Arc::new(self.alone(homes).with_health_of(&view)),
        });
        view
    }

    /// A list from an earlier process, which came this long ago.
    pub(super) fn restore(&self, homes: &Homes, regions: Vec<Region>, age: Duration) {
        let max_stale = homes.discovery.max_stale;
        let now = Instant::now();
        let mut cache = self.lock();
        let is_known = cache.age(now).is_some() && !self.peek().is_forgotten(now);
        if is_known || age >= max_stale {
            return;
        }
        cache.restore(now, age);
        let forgotten_at = Some(after(now, max_stale - age));
        let view = homes.view_of(&self.region, regions, forgotten_at);
        self.view.store(Arc::new(view));
    }

    /// Gives the list up if it is too old for any use.
    pub(crate) fn forget_outdated(&self, homes: &Homes, now: Instant) {
        if self.peek().is_forgotten(now) {
            let mut cache = self.lock();
            if self.peek().is_forgotten(now) {
                cache.forget();
                self.view.store(Arc::new(self.alone(homes)));
            }
        }
    }

    /// What is known without a list.
    fn alone(&self, homes: &Homes) -> View {
        homes.view_of(&self.region, Vec::new(), None)
    }

    /// A fetch failed that a call needed, or was given up when it had taken too long: says for how
    /// long discovery is left alone.
    pub(super) fn failed(&self, discovery: &Discovery, fetch: Ticket) -> Option<Duration> {
        let (wait, until) = discovery.pause();
        self.lock().failed(fetch, until).then_some(wait)
    }

    /// A fetch that a call needed was denied: says for how long it is not made again with the same
    /// credentials.
    pub(super) fn denied(&self, discovery: &Discovery, fetch: Ticket) -> Duration {
        let (wait, until) = discovery.pause();
        self.lock().denied(fetch, until, Instant::now());
        wait
    }

    /// A fetch failed that no call needed, or was given up at once: no reason not to try again.
    pub(super) fn failed_in_vain(&self, fetch: Ticket) {
        self.lock().ended(fetch);
    }

    /// The list as it is known, and its age.
    pub(super) fn list(&self, now: Instant) -> Option<(Vec<Region>, Duration)> {
        let cache = self.lock();
        let view = self.peek();
        let age = cache.age(now).filter(|_| !view.is_forgotten(now))?;
        Some((view.board.regions().to_vec(), age))
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home")
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}
