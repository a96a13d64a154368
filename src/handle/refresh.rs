use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use crate::discovery::{DiscoveryError, Flight};

/// A fetch of a list of regions; made by
/// [`Handle::refresh`](crate::Handle::refresh) and
/// [`Failover::warm_up`](crate::Failover::warm_up).
///
/// # Cancel safety
///
/// Dropping it ends the fetch, unless calls wait for it too.
#[must_use = "the list is fetched when this is polled"]
pub struct Refresh {
    repr: Repr,
}

enum Repr {
    Fetch(Flight),
    Done(Result<(), DiscoveryError>),
}

impl Refresh {
    pub(super) fn new(fetch: Result<Flight, DiscoveryError>) -> Self {
        Self {
            repr: fetch.map_or_else(|error| Repr::Done(Err(error)), Repr::Fetch),
        }
    }

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
