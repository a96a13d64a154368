//! Where sessions go: the regions, what is known of them, and which one is next.

mod choice;
mod search;

use std::{
    fmt,
    sync::{Arc, Weak},
};

use http::HeaderMap;
use tokio::time::Instant;

use self::choice::{Candidate, choose};
use super::{NoRegion, course::Pick, exclusions::Exclusions};
use crate::{
    FailoverLayer,
    discovery::{DiscoveryError, Home, Known, Need},
    error::{InvalidRegion, RegionFault},
    handle,
    probe::Prober,
    region::{Board, Health, InvalidPattern, Origin, Pattern, Region, Standing, Trust, http_url},
    regions::{Directory, Regions},
    report,
};

/// The regions that sessions go to.
///
/// Made of [`Regions`], or of a [`FailoverLayer`] or its [`Handle`](crate::Handle): then what calls found out
/// of the regions counts for sessions too. A region that calls pass over is not the first that a
/// session goes to, for as long as the layer lives that probes it. What sessions find out does not count
/// for calls: a media server that is full says nothing of the API beside it.
///
/// Fixed regions are tried in their order, the [home](Self::home) first. Discovered ones need a home, or
/// a [coordinator](Self::coordinator). Sessions ask for a list when the one they know has nothing to
/// offer, or in a [rejoin](super::Directive::rejoin), and tell the discovery's service which regions are
/// [excluded](crate::Query::excluded) and which is [left](crate::Query::migrating_from). What it answers is
/// checked against that, and against what it may name at all. An answer to exclusions is used once, by
/// the session that has them.
///
/// A discovery over HTTP asks through the layer's client, so it takes a layer that has one. It has since
/// its first call or [`Failover::warm_up`](crate::Failover::warm_up): a session that begins before either
/// finds no region until then.
#[derive(Clone)]
#[must_use]
pub struct Targets {
    directory: Arc<Directory>,
    /// By whose probes regions that are out come back; with health off where there is nobody.
    health: Health,
    prober: Option<Weak<Prober>>,
    home: Option<Origin>,
    /// Whether sessions go to home itself.
    dials_home: bool,
    headers: HeaderMap,
    /// What redirects may name besides the regions.
    trust: Trust,
}

impl Targets {
    fn new(directory: Arc<Directory>, health: Health, prober: Option<Weak<Prober>>) -> Self {
        Self {
            directory,
            health,
            prober,
            home: None,
            dials_home: true,
            headers: HeaderMap::new(),
            trust: Trust::default(),
        }
    }

    /// Names the home: where sessions go first, and whose list of regions is asked for.
    ///
    /// # Defaults
    ///
    /// The first of fixed regions. Discovered ones have no default.
    ///
    /// # Errors
    ///
    /// When `origin` is none, or no home of these regions; see [`InvalidRegion`]. `ws` and `wss` stand for
    /// `http` and `https`.
    pub fn home(mut self, origin: impl AsRef<str>) -> Result<Self, InvalidRegion> {
        let origin = Origin::parse(&http_url(origin.as_ref()))?;
        let is_home = match &self.directory.homes {
            None => self.directory.fixed.place_of(&origin).is_some(),
            Some(homes) => homes.serves(&origin),
        };
        if !is_home {
            return Err(RegionFault::NoHome.into());
        }
        self.home = Some(origin);
        self.dials_home = true;
        Ok(self)
    }

    /// Names whom the list of regions is asked for, where that is no region itself: sessions go only to
    /// those of the list.
    ///
    /// # Errors
    ///
    /// As [`home`](Self::home).
    pub fn coordinator(self, origin: impl AsRef<str>) -> Result<Self, InvalidRegion> {
        let mut targets = self.home(origin)?;
        targets.dials_home = false;
        Ok(targets)
    }

    /// Sets the headers that a discovery gets to see, such as `Authorization`.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// Lets a server [redirect](super::Directive::to) sessions to hosts of this pattern, besides the
    /// regions themselves and hosts of the same registrable domain: that of the region that says so, or of
    /// home where it is none that is known. As with [`Discovery::allow`](crate::Discovery::allow), to no
    /// weaker scheme.
    ///
    /// # Errors
    ///
    /// When it is no pattern.
    pub fn allow(mut self, pattern: impl AsRef<str>) -> Result<Self, InvalidPattern> {
        self.trust.allow(Pattern::parse(pattern.as_ref())?);
        Ok(self)
    }

    /// Where to go. `excluded` is the one longest excluded first, `from` the one that is left, `said_by`
    /// the one that sends the session on; `draw` is from `0.0..1.0`.
    pub(super) async fn pick(
        &self,
        pick: &Pick,
        excluded: &[Region],
        from: Option<&Region>,
        said_by: Option<&Region>,
        draw: f64,
    ) -> Result<Region, NoRegion> {
        let pick = match pick {
            Pick::To(to, otherwise) => match self.redirected(to, excluded, said_by) {
                Some(region) => return Ok(region),
                None => otherwise,
            },
            pick => pick,
        };
        match pick {
            Pick::Same(region) if Exclusions::turn(excluded, region.origin()).is_none() => {
                Ok(region.clone())
            }
            Pick::Same(_) | Pick::Any | Pick::To(..) => {
                self.choose(false, excluded, from, draw).await
            }
            Pick::Fresh => self.choose(true, excluded, from, draw).await,
        }
    }

    async fn choose(
        &self,
        is_fresh: bool,
        excluded: &[Region],
        from: Option<&Region>,
        draw: f64,
    ) -> Result<Region, NoRegion> {
        let Some(homes) = &self.directory.homes else {
            let board = &self.directory.fixed;
            let home = self.home.as_ref().and_then(|home| board.place_of(home));
            let choice = choose(self.candidates(board, home.unwrap_or(0)), excluded, draw);
            return choice.map_or_else(|| Err(NoRegion::because(None)), |choice| Ok(choice.region));
        };
        let home = self.home.clone().and_then(|home| homes.home_at(home));
        let home = home.ok_or_else(|| NoRegion::because(Some(DiscoveryError::no_home())))?;
        if !is_fresh {
            let known = self.known(&home, from);
            if let Some(choice) = choose(known, excluded, draw).filter(|choice| choice.is_good) {
                return Ok(choice.region);
            }
        }
        let (view, error) = match search::search(self, homes, &home, excluded, from).await {
            // Which may be for this once.
            Ok(view) => (view, None),
            Err(error) => (self.directory.view_of(&home, Instant::now()), Some(error)),
        };
        match choose(self.candidates(&view.board, view.home), excluded, draw) {
            Some(choice) => Ok(choice.region),
            None => Err(NoRegion::because(error)),
        }
    }

    /// The regions of a home that need not be asked for: home itself, and its list while that is fresh.
    /// A session that leaves a region which is not listed was told of it later, or elsewhere.
    fn known(&self, home: &Home, from: Option<&Region>) -> Vec<Candidate> {
        let now = Instant::now();
        let view = self.directory.view_of(home, now);
        let mut known = self.candidates(&view.board, view.home);
        let is_listed = |region: &Region| view.board.place_of(region.origin()).is_some();
        let is_current = from.is_none_or(is_listed);
        if !is_current || home.is_known(Need::Another, now) != Known::Enough {
            known.retain(|candidate| self.dials_home && candidate.region.origin() == home.origin());
        }
        known
    }

    /// The regions of a board, in the order in which to try them, and how they are.
    fn candidates(&self, board: &Board, home: usize) -> Vec<Candidate> {
        let now = Instant::now();
        let is_watched = |prober: &Weak<Prober>| prober.strong_count() > 0;
        // Without probes a region that is out would be so for good.
        let is_watched = self.prober.as_ref().is_some_and(is_watched);
        let listed = board.regions().len();
        let places = board.candidates(home);
        places
            .filter(|&place| self.dials_home || place < listed)
            .map(|place| Candidate {
                region: board.region(place).clone(),
                standing: match is_watched {
                    true => board.memory(place).standing(&self.health, now),
                    false => Standing::In,
                },
            })
            .collect()
    }

    /// Where a server's redirect leads, if it may: a region that is known by the name it is known by.
    fn redirected(
        &self,
        to: &Region,
        excluded: &[Region],
        said_by: Option<&Region>,
    ) -> Option<Region> {
        if excluded.iter().any(|region| region.origin() == to.origin()) {
            return None;
        }
        let view;
        let (board, home) = match &self.directory.homes {
            None => {
                let board = &self.directory.fixed;
                let home = self.home.as_ref().and_then(|home| board.place_of(home));
                (board, home.unwrap_or(0))
            }
            Some(homes) => {
                let home = homes.home_at(self.home.clone()?)?;
                view = self.directory.view_of(&home, Instant::now());
                (&view.board, view.home)
            }
        };
        let is_target = |&place: &usize| self.dials_home || place < board.regions().len();
        if let Some(place) = board.place_of(to.origin()).filter(is_target) {
            return Some(board.region(place).clone());
        }
        // Who was itself only reached by a redirect counts as home, or trust would grow with each.
        let from = board.place_of(said_by?.origin()).unwrap_or(home);
        let from = board.region(from).origin();
        match self.trust.check(from, to.origin()) {
            Ok(()) => Some(to.clone()),
            Err(refusal) => {
                report::region_refused(from, 1, Some(&refusal));
                None
            }
        }
    }
}

impl From<Regions> for Targets {
    fn from(regions: Regions) -> Self {
        Self::new(Arc::new(Directory::new(&regions)), Health::off(), None)
    }
}

impl From<&FailoverLayer> for Targets {
    fn from(layer: &FailoverLayer) -> Self {
        layer.handle().into()
    }
}

impl From<handle::Handle> for Targets {
    fn from(handle: handle::Handle) -> Self {
        let (directory, health, prober) = handle.into_parts();
        Self::new(directory, health, Some(prober))
    }
}

impl fmt::Debug for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Targets")
            .field("home", &self.home)
            .field("dials_home", &self.dials_home)
            .finish_non_exhaustive()
    }
}
