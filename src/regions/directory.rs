use std::sync::Arc;

use http::Uri;
use tokio::time::Instant;

use super::{Regions, Source};
use crate::{
    discovery::{Client, Home, Homes, View},
    region::{Board, Memory},
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
}

impl Directory {
    pub(crate) fn new(regions: &Regions) -> Self {
        match &regions.source {
            Source::Fixed(set) => Self {
                fixed: Board::new(set.as_ref().clone(), |_| Arc::<Memory>::default()),
                homes: None,
            },
            Source::Discovered(discovery) => Self {
                fixed: Board::default(),
                homes: Some(Arc::new(Homes::new(discovery.clone(), regions.arrangement))),
            },
        }
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
        if view.board.is_clean(view.home) {
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
