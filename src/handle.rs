//! Looking at a running layer, and steering it.

mod refresh;
mod status;

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use http::HeaderMap;
use tokio::time::Instant;

pub use refresh::Refresh;
pub use status::{RegionState, RegionStatus};

use crate::{
    budget::Budget,
    changes::Changes,
    classify::Reason,
    config::Shared,
    discovery::{self, DiscoveryError, Home, Homes, Need, Query, RegionList, Snapshot},
    probe::Prober,
    region::{self, Board, Health, Origin, Region},
    regions::Directory,
};

/// A view of a running layer from outside: how its regions are, and where they come from.
///
/// It belongs to a layer, all its clones and all services made by them, with the settings of the layer
/// it was taken from. It does not keep them alive: with the last of them probes end. A home is named
/// by its origin; with `ws` and `wss` for `http` and `https`, as servers that push lists write it.
#[derive(Clone)]
pub struct Handle {
    directory: Arc<Directory>,
    prober: Weak<Prober>,
    health: Health,
    budget: Budget,
}

impl Handle {
    pub(crate) fn new(shared: &Shared) -> Self {
        let Shared {
            config,
            directory,
            prober,
        } = shared;
        Self {
            directory: directory.clone(),
            prober: Arc::downgrade(prober),
            health: config.health.clone(),
            budget: config.budget.clone(),
        }
    }

    /// What sessions need to know of the regions.
    pub(crate) fn into_parts(self) -> (Arc<Directory>, Health, Weak<Prober>) {
        (self.directory, self.health, self.prober)
    }

    /// The regions that serve a home, in the order in which its calls try them, and how they are.
    /// Empty where the layer serves no such home.
    pub fn regions(&self, home: impl AsRef<str>) -> Vec<RegionStatus> {
        let Ok(origin) = Origin::parse(&region::http_url(home.as_ref())) else {
            return Vec::new();
        };
        let Some(homes) = &self.directory.homes else {
            let board = &self.directory.fixed;
            let home = board.place_of(&origin);
            return home.map_or_else(Vec::new, |home| self.statuses(board, home));
        };
        match homes.known_at(&origin) {
            Some(home) => {
                let view = self.directory.view_of(&home, Instant::now());
                self.statuses(&view.board, view.home)
            }
            None if homes.serves(&origin) => vec![RegionStatus::unknown(Region::at(origin))],
            None => Vec::new(),
        }
    }

    fn statuses(&self, board: &Board, home: usize) -> Vec<RegionStatus> {
        let now = Instant::now();
        let status = |place| {
            let glance = board.memory(place).glance(&self.health, now);
            RegionStatus::new(board.region(place).clone(), &glance, now)
        };
        board.candidates(home).map(status).collect()
    }

    /// Takes a region out for this long, whatever is known of it: before maintenance, or because
    /// somebody knows better. Says whether there is such a region.
    ///
    /// Calls pass over it unless all regions are out; those that are under way go on. When the time is
    /// over it comes back as from any ejection, by a probe that succeeds and over the ramp; with
    /// [`Health::off`] it just comes back. Where no call was made since, the next one sees to that.
    ///
    /// The region is known by its origin, in the lists of all homes as they are now: one that a list
    /// leaves out is forgotten with what is known of it.
    pub fn eject(&self, region: &Region, time: Duration) -> bool {
        let places = self.places_of(region);
        for (region, memory) in &places {
            memory.hold(&self.health, time);
            self.directory.ejected(region, Reason::ByHand, time);
        }
        if let Some(prober) = self.prober.upgrade() {
            prober.want();
        }
        !places.is_empty()
    }

    /// Takes an ejected or ramping region back, at once and for all its calls, and forgets what is held
    /// against it. Says whether there is such a region.
    pub fn restore(&self, region: &Region) -> bool {
        let places = self.places_of(region);
        for (region, memory) in &places {
            if memory.release(Instant::now()) {
                self.directory.restored(region);
            }
        }
        if let Some(prober) = self.prober.upgrade() {
            prober.wake();
        }
        !places.is_empty()
    }

    fn places_of(&self, region: &Region) -> Vec<(Region, Arc<region::Memory>)> {
        let is_meant = |place: &Region, _: &_, _| place.origin() == region.origin();
        self.directory.places(is_meant)
    }

    /// The tokens in the retry budget; infinite where there is no limit.
    pub fn budget(&self) -> f64 {
        self.budget.available()
    }

    /// What changes from now on: regions that are ejected and restored, and lists that come.
    pub fn subscribe(&self) -> Changes {
        self.directory.announcer.subscribe()
    }

    fn home(&self, home: &str) -> Result<(&Arc<Homes>, Arc<Home>), DiscoveryError> {
        let homes = self.directory.homes.as_ref();
        let homes = homes.ok_or_else(DiscoveryError::no_home)?;
        let origin =
            Origin::parse(&region::http_url(home)).map_err(|_| DiscoveryError::no_home())?;
        let home = homes.home_at(origin).ok_or_else(DiscoveryError::no_home)?;
        Ok((homes, home))
    }

    /// Replaces the list of a home's regions by one that came from elsewhere, such as one that a
    /// server pushed over a connection of the caller's.
    ///
    /// It is checked like any list: what is not trusted is left out. A fetch that is under way does
    /// not undo it.
    ///
    /// # Errors
    ///
    /// When `home` is no origin, or none that regions are discovered for, and when of the entries of
    /// the list none can be used. The list that was known stays then.
    pub fn set_regions(
        &self,
        home: impl AsRef<str>,
        list: RegionList,
    ) -> Result<(), DiscoveryError> {
        let (homes, home) = self.home(home.as_ref())?;
        home.push(homes, list)
    }

    /// Lets the list of a home's regions expire, at once, and fetches a new one when the returned
    /// future is polled. Who does not want to wait for that drops it: the next call that needs the
    /// list asks for it then.
    ///
    /// Before the first failure it is the warm-up that lets that failure pass without a fetch.
    ///
    /// # Errors
    ///
    /// When no list can be had; calls then go on as if nothing had happened. Discovery over HTTP asks
    /// with a client that has called before, the first of those that share the layer: before there is
    /// one use [`Failover::warm_up`](crate::Failover::warm_up). Fixed regions cannot be refreshed.
    pub fn refresh(&self, home: impl AsRef<str>) -> Refresh {
        self.refresh_with(home, &HeaderMap::new())
    }

    /// As [`refresh`](Self::refresh), with these headers, as a call would have them: a discovery that
    /// wants credentials gets them here.
    pub fn refresh_with(&self, home: impl AsRef<str>, headers: &HeaderMap) -> Refresh {
        let fetch = || {
            let (homes, home) = self.home(home.as_ref())?;
            home.expire(Instant::now());
            let headers = discovery::carried(headers, None, home.origin());
            let query = Query::new(home.origin().clone(), headers);
            let client = homes.asker()?;
            let (flight, _) = home.search(homes, Need::Newer, query, client, false);
            Ok(flight)
        };
        Refresh::new(fetch())
    }

    /// The lists that are known, for a later process.
    pub fn snapshot(&self) -> Snapshot {
        let homes = self.directory.homes.as_ref();
        homes.map_or_else(Snapshot::default, |homes| Snapshot::of(homes))
    }

    /// Takes over the lists of an earlier process for homes that have none yet.
    ///
    /// They count as expired: a failure asks for a new one, of these regions too, and uses the old
    /// one only if none can be had and it is not older than
    /// [`max_stale`](crate::Discovery::max_stale). They are checked like any list.
    pub fn restore_snapshot(&self, snapshot: &Snapshot) {
        if let Some(homes) = &self.directory.homes {
            snapshot.restore(homes);
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
