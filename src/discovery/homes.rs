use std::{
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use http::Uri;
use tokio::time::Instant;

use super::{Discovery, DiscoveryError, Home, View};
use crate::{
    changes::Announcer,
    client::Client,
    region::{Arrangement, Board, Origin, Region, Set},
};

/// The most homes that are kept; the one that was not used for the longest time makes room.
pub(super) const MAX_HOMES: usize = 128;

/// The homes of a layer whose regions are discovered.
pub(crate) struct Homes {
    pub(super) discovery: Arc<Discovery>,
    arrangement: Arrangement,
    known: ArcSwap<Vec<Arc<Home>>>,
    /// Held while `known` is written.
    writing: Mutex<()>,
    /// Moves on when another home is used than the last time.
    clock: AtomicU64,
    /// The client that made the first call, for discovery that no call waits for.
    client: OnceLock<Arc<dyn Client>>,
    pub(super) announcer: Arc<Announcer>,
}

impl Homes {
    pub(crate) fn new(
        discovery: Arc<Discovery>,
        arrangement: Arrangement,
        announcer: Arc<Announcer>,
    ) -> Self {
        Self {
            discovery,
            arrangement,
            known: ArcSwap::default(),
            writing: Mutex::default(),
            // Ahead of the homes, which begin with 0: none counts as the one used last before it was.
            clock: AtomicU64::new(1),
            client: OnceLock::new(),
            announcer,
        }
    }

    /// The home of a request, or `None` when no regions are discovered for it. `client` is kept if it
    /// is the first.
    ///
    /// Takes a lock and allocates only for a home that is not known, and for the first client.
    pub(crate) fn home_of(
        &self,
        uri: &Uri,
        client: impl FnOnce() -> Arc<dyn Client>,
    ) -> Option<Arc<Home>> {
        let (scheme, authority) = (uri.scheme()?, uri.authority()?);
        let known = self.known.load();
        let is_home = |home: &&Arc<Home>| home.origin().is_of(scheme, authority);
        if let Some(home) = known.iter().find(is_home) {
            // A push or a snapshot may have made it known before any call.
            self.keep(client);
            home.touch(&self.clock);
            return Some(home.clone());
        }
        if !self.discovery.serves(authority.host()) {
            return None;
        }
        let origin = Origin::of(scheme, authority)?;
        self.keep(client);
        self.home_at(origin)
    }

    /// The home at this origin, or `None` when no regions are discovered for it.
    pub(crate) fn home_at(&self, origin: Origin) -> Option<Arc<Home>> {
        if !self.discovery.serves(origin.host()) {
            return None;
        }
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = self.known.load().as_ref().clone();
        let home = match known.iter().find(|home| *home.origin() == origin) {
            Some(home) => home.clone(),
            None => {
                let region = Region::at(origin);
                let view = self.view_of(&region, Vec::new(), None);
                let home = Arc::new(Home::new(region, view));
                if known.len() >= MAX_HOMES {
                    let used = |&place: &usize| known[place].used.load(Ordering::Relaxed);
                    if let Some(oldest) = (0..known.len()).min_by_key(used) {
                        known.swap_remove(oldest);
                    }
                }
                known.push(home.clone());
                self.known.store(Arc::new(known));
                home
            }
        };
        home.touch(&self.clock);
        Some(home)
    }

    /// How long a call waits for a list. A fetch has a timer of its own, but that belongs to whoever
    /// polled it first, who may have stopped.
    pub(crate) fn patience(&self) -> Duration {
        // Later than the fetch ends itself, so that it is the fetch that says so.
        const SLACK: Duration = Duration::from_millis(100);
        self.discovery.timeout.saturating_add(SLACK)
    }

    /// Keeps the client if it is the first.
    pub(crate) fn keep(&self, client: impl FnOnce() -> Arc<dyn Client>) {
        self.client.get_or_init(client);
    }

    /// The client to ask with when no call does, if the source needs one.
    pub(crate) fn asker(&self) -> Result<Option<Arc<dyn Client>>, DiscoveryError> {
        match self.client.get() {
            None if self.discovery.source.needs_client() => Err(DiscoveryError::no_client()),
            client => Ok(client.cloned()),
        }
    }

    /// Whether this home is known, or can be without another one making room.
    pub(super) fn has_room_for(&self, origin: &Origin) -> bool {
        let known = self.known.load();
        known.len() < MAX_HOMES || known.iter().any(|home| home.origin() == origin)
    }

    /// Shows the regions of each home.
    pub(crate) fn each_board(&self, mut look: impl FnMut(&Board)) {
        for home in self.known.load().iter() {
            look(&home.peek().board);
        }
    }

    /// Whether regions are discovered for this home.
    pub(crate) fn serves(&self, home: &Origin) -> bool {
        self.discovery.serves(home.host())
    }

    /// The home at this origin, if it was used before.
    pub(crate) fn known_at(&self, origin: &Origin) -> Option<Arc<Home>> {
        let known = self.known.load();
        known.iter().find(|home| home.origin() == origin).cloned()
    }

    pub(super) fn known(&self) -> Arc<Vec<Arc<Home>>> {
        self.known.load_full()
    }

    /// These regions as a home sees them. What is remembered of an origin stays, also if it is known
    /// from another home's list.
    pub(super) fn view_of(
        &self,
        home: &Region,
        regions: Vec<Region>,
        forgotten_at: Option<Instant>,
    ) -> View {
        let mut set = Set::default();
        for region in regions {
            // The first of an origin counts.
            let _ = set.add_region(region);
        }
        // Unless it is listed.
        let _ = set.add_alias(home.clone());
        set.arrange(self.arrangement);
        let known = self.known.load();
        let memory = |origin: &Origin| {
            let memory = |home: &Arc<Home>| home.peek().board.memory_of(origin).cloned();
            known.iter().find_map(memory).unwrap_or_default()
        };
        let board = Board::new(set, memory);
        let place = board
            .place_of(home.origin())
            .expect("home was added, if it was not listed");
        View::new(board, place, forgotten_at)
    }
}

impl fmt::Debug for Homes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Homes")
            .field("discovery", &self.discovery)
            .field("known", &self.known.load())
            .finish_non_exhaustive()
    }
}
