use std::{sync::Arc, time::Duration};

use http::Uri;
use tokio::time::Instant;

use super::{Regions, Source};
use crate::{
    changes::{Announcer, Change},
    classify::Reason,
    client::Client,
    discovery::{Home, Homes, View},
    region::{Board, Memory, Origin, Region},
    report,
};

/// The regions that a request may go to.
#[derive(Debug)]
pub(crate) enum Scope {
    /// Those of the fixed set; home is this place.
    Fixed(usize),
    /// Those that are discovered for this home.
    Discovered(Arc<Home>),
}

/// Where to look for what serves a request: the places of a fixed set, or the homes that lists are
/// discovered for.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    /// Without places where regions are discovered.
    pub(crate) fixed: Board,
    pub(crate) homes: Option<Arc<Homes>>,
    pub(crate) announcer: Arc<Announcer>,
}

impl Directory {
    pub(crate) fn new(regions: &Regions) -> Self {
        let announcer = Arc::<Announcer>::default();
        let (fixed, homes) = match &regions.source {
            Source::Fixed(set) => {
                let board = Board::new(set.as_ref().clone(), |_| Arc::<Memory>::default());
                (board, None)
            }
            Source::Discovered(discovery) => {
                let homes = Homes::new(discovery.clone(), regions.arrangement, announcer.clone());
                (Board::default(), Some(Arc::new(homes)))
            }
        };
        Self {
            fixed,
            homes,
            announcer,
        }
    }

    /// All regions of which that is so, with what is remembered of them. It is told whether there is
    /// another that calls could go to.
    pub(crate) fn places(
        &self,
        is_so: impl Fn(&Region, &Memory, bool) -> bool,
    ) -> Vec<(Region, Arc<Memory>)> {
        let mut places: Vec<(Region, Arc<Memory>)> = Vec::new();
        let mut add = |board: &Board| {
            for (region, memory) in board.memories() {
                let is_new = || places.iter().all(|(_, known)| !Arc::ptr_eq(known, memory));
                if is_so(region, memory, board.len() > 1) && is_new() {
                    places.push((region.clone(), memory.clone()));
                }
            }
        };
        add(&self.fixed);
        if let Some(homes) = &self.homes {
            homes.each_board(add);
        }
        places
    }

    /// The regions that are out and have to be brought back: those held out by hand, and unless health is
    /// off all that are out. An only region is not missed, for calls go there all the same.
    pub(crate) fn work(&self, is_off: bool) -> Vec<(Region, Arc<Memory>)> {
        self.places(|_, memory, has_other| {
            memory.is_held() || memory.is_out() && has_other && !is_off
        })
    }

    /// Whether there is a region that only a probe brings back.
    pub(crate) fn needs_probes(&self) -> bool {
        let work = self.work(false);
        work.iter().any(|(_, memory)| !memory.is_held())
    }

    pub(crate) fn is_work_left(&self, is_off: bool) -> bool {
        !self.work(is_off).is_empty()
    }

    /// Whether a region is out that a list to come may give others to go to.
    pub(crate) fn may_be_missed(&self) -> bool {
        let mut is_out = false;
        if let Some(homes) = &self.homes {
            homes.each_board(|board| is_out |= board.memories().any(|(_, memory)| memory.is_out()));
        }
        is_out
    }

    /// Tells everybody that a region is out, for this long at least.
    pub(crate) fn ejected(&self, region: &Region, reason: Reason, wait: Duration) {
        report::region_ejected(region, reason, wait);
        self.announcer.tell(|| Change::Ejected {
            region: region.clone(),
            reason,
            wait,
        });
    }

    /// Tells everybody that no region of a home is left.
    pub(crate) fn all_out(&self, home: &Origin) {
        report::all_out(home);
        self.announcer
            .tell(|| Change::AllEjected { home: home.clone() });
    }

    /// Tells everybody that a region is back.
    pub(crate) fn restored(&self, region: &Region) {
        report::region_restored(region);
        self.announcer.tell(|| Change::Restored {
            region: region.clone(),
        });
    }

    /// What serves a request, or `None` when it is none of the layer's business.
    pub(crate) fn scope_of(
        &self,
        uri: &Uri,
        client: impl FnOnce() -> Arc<dyn Client>,
    ) -> Option<Scope> {
        match &self.homes {
            None => self.fixed.home_of(uri).map(Scope::Fixed),
            Some(homes) => homes.home_of(uri, client).map(Scope::Discovered),
        }
    }

    /// Whether there may be another region, as far as is known.
    pub(crate) fn may_fail_over(&self, scope: &Scope) -> bool {
        match scope {
            Scope::Fixed(home) => self.fixed.choices(*home) > 1,
            Scope::Discovered(_) => true,
        }
    }

    /// The regions of a home as a new call sees them. For a home that is well they may be outdated:
    /// the call will not look at them, nor at the clock.
    pub(crate) fn first_view_of(&self, home: &Home) -> Arc<View> {
        let view = home.view();
        if view.board.is_clear(view.home) {
            return view;
        }
        self.view_of(home, Instant::now())
    }

    /// The regions of a home as they are known now.
    pub(crate) fn view_of(&self, home: &Home, now: Instant) -> Arc<View> {
        if let Some(homes) = &self.homes {
            home.forget_outdated(homes, now);
        }
        home.view()
    }
}
