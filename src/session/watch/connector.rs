use std::{
    fmt,
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::{
    ConnectError, ConnectErrorKind, Lease, Protocol, Watching,
    client::{Client, Through},
    connect::Connect,
};
use crate::{
    BoxError,
    session::{Attempt, Step},
};

/// The connector of watches: a service that opens one and waits for its hello.
///
/// See the [module](super) for how it is used.
#[must_use]
pub struct Watch<P> {
    client: Arc<dyn Client>,
    protocol: Arc<P>,
    intervals: RangeInclusive<Duration>,
    inherited: Arc<Inherited>,
}

impl<P> Watch<P> {
    /// Watches through this client, which speaks this protocol.
    ///
    /// The client is any HTTP client that is a tower service, and is cloned for each request. `B` is the
    /// type of its requests' bodies, such as `http_body_util::Full<Bytes>`.
    pub fn new<S, B, R>(client: S, protocol: P) -> Self
    where
        S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: From<Bytes> + Send + 'static,
        R: Body + Send + 'static,
        R::Error: Into<BoxError>,
    {
        Self::through(Through::new(client), protocol)
    }

    pub(super) fn through(client: impl Client + 'static, protocol: P) -> Self {
        Self {
            client: Arc::new(client),
            protocol: Arc::new(protocol),
            intervals: Duration::from_secs(1)..=Duration::from_secs(600),
            inherited: Arc::default(),
        }
    }

    /// Sets between what times the interval of the heartbeats may be; what a server says beyond is read
    /// as the nearest of these. Both are included.
    ///
    /// # Defaults
    ///
    /// From 1 s, so that no server's mistake makes a fleet post all the time, to 10 minutes, after which
    /// a connection that is dead should be found out. Less than a second is for tests.
    pub fn heartbeat_intervals(mut self, intervals: RangeInclusive<Duration>) -> Self {
        self.intervals = intervals;
        self
    }

    /// Sets the lease that the first session is to take over, from a watch before. It is offered until a
    /// session is up, the server answers 409 or 410, or a rejoin begins anew.
    ///
    /// # Defaults
    ///
    /// None.
    pub fn lease(mut self, lease: impl Into<Option<Lease>>) -> Self {
        self.inherited = Arc::new(Inherited(Mutex::new(lease.into())));
        self
    }
}

impl<P> Service<Attempt<Lease>> for Watch<P>
where
    P: Protocol + Clone + Send + Sync + 'static,
    P::Done: Send + 'static,
{
    type Response = Watching<P::Done>;
    type Error = ConnectError;
    type Future = BoxFuture<'static, Result<Watching<P::Done>, ConnectError>>;

    /// Always ready: the client is asked for each request.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut attempt: Attempt<Lease>) -> Self::Future {
        let inherited = self.inherited.clone();
        if attempt.step == Step::Rejoin {
            inherited.lock().take();
        }
        attempt.resume = attempt.resume.or_else(|| inherited.lock().clone());
        let connect = Connect {
            client: self.client.clone(),
            protocol: self.protocol.clone(),
            // Without a panic where they are the wrong way round, and never zero, as no timer can be.
            min: (*self.intervals.start()).max(Duration::from_millis(1)),
            max: *self.intervals.end(),
        };
        async move {
            let connected = connect.connect(attempt).await;
            let is_settled = match connected.as_ref().map_err(ConnectError::kind) {
                Ok(_) => true,
                Err(ConnectErrorKind::Conflict) => true,
                Err(kind) => *kind == ConnectErrorKind::Status(StatusCode::GONE),
            };
            if is_settled {
                inherited.lock().take();
            }
            connected
        }
        .boxed()
    }
}

/// The lease of a watch before, until the server has taken notice of it.
#[derive(Default)]
struct Inherited(Mutex<Option<Lease>>);

impl Inherited {
    fn lock(&self) -> MutexGuard<'_, Option<Lease>> {
        // Nothing foreign runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// By hand, for the protocol is shared.
impl<P> Clone for Watch<P> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            protocol: self.protocol.clone(),
            intervals: self.intervals.clone(),
            inherited: self.inherited.clone(),
        }
    }
}

impl<P> fmt::Debug for Watch<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("heartbeat_intervals", &self.intervals)
            .finish_non_exhaustive()
    }
}
