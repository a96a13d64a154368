use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::HeaderMap;
use tokio::time::Instant;

use crate::{
    discovery::{self, DiscoveryError, Flight, Home, Homes, Need, Query, RegionList, Snapshot},
    region::{self, Origin},
    regions::Directory,
};

/// A view of a running layer from outside, to steer where its regions come from.
///
/// It belongs to a layer, all its clones and all services made by them. A home is named by its
/// origin; with `ws` and `wss` for `http` and `https`, as servers that push lists write it.
#[derive(Clone)]
pub struct Handle {
    directory: Arc<Directory>,
}

impl Handle {
    pub(crate) fn new(directory: Arc<Directory>) -> Self {
        Self { directory }
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
        Refresh {
            repr: fetch().map_or_else(|error| Repr::Done(Err(error)), Repr::Fetch),
        }
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

/// A fetch of a list of regions; made by [`Handle::refresh`] and
/// [`Failover::warm_up`](crate::Failover::warm_up).
///
/// # Cancel safety
///
/// Dropping it ends the fetch, unless calls wait for it too.
pub struct Refresh {
    repr: Repr,
}

enum Repr {
    Fetch(Flight),
    Done(Result<(), DiscoveryError>),
}

impl Refresh {
    pub(crate) fn done() -> Self {
        Self {
            repr: Repr::Done(Ok(())),
        }
    }
}

impl Future for Refresh {
    type Output = Result<(), DiscoveryError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.repr {
            Repr::Fetch(flight) => Pin::new(flight).poll(cx).map(|fetched| fetched.map(drop)),
            Repr::Done(result) => Poll::Ready(result.clone()),
        }
    }
}

impl fmt::Debug for Refresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresh").finish_non_exhaustive()
    }
}
