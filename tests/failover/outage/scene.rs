use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use failover_cluster::{Fault, Server};
use futures_util::{FutureExt, future::BoxFuture};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use tower::{Layer, Service, ServiceExt};
use tower_failover::{
    Change, Changes, Error, Failover, FailoverLayer, Handle, Health, Region, RegionState, Regions,
    Served,
};

use crate::support::{Http, http1_over, http2_over, no_wait};

/// Where calls go; probes go to [`PROBES`].
pub(super) const CALLS: &str = "/calls";
pub(super) const PROBES: &str = "/";

/// What a server and its clients speak.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wire {
    Http1,
    H2c,
}

impl Wire {
    pub(super) async fn server(self, name: &str) -> Server {
        match self {
            Self::Http1 => Server::http1(name).await,
            Self::H2c => Server::h2c(name).await,
        }
    }

    pub(super) fn client(self, connector: Counting) -> Inner {
        match self {
            Self::Http1 => http1_over(connector),
            Self::H2c => http2_over(connector),
        }
    }
}

pub(super) type Inner = Http<Full<Bytes>, Counting>;

/// A connector that counts the connections it is asked for, and whose clones can be counted.
#[derive(Clone)]
pub(super) struct Counting {
    inner: HttpConnector,
    asked: Arc<AtomicUsize>,
    connecting: Arc<AtomicUsize>,
}

/// A connection that is being made.
struct Connecting(Arc<AtomicUsize>);

impl Connecting {
    fn new(connecting: &Arc<AtomicUsize>) -> Self {
        connecting.fetch_add(1, Ordering::Relaxed);
        Self(connecting.clone())
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Counting {
    pub(super) fn new() -> Self {
        let mut inner = HttpConnector::new();
        // Else a request waits for the acknowledgement of the one before.
        inner.set_nodelay(true);
        Self {
            inner,
            asked: Arc::default(),
            connecting: Arc::default(),
        }
    }

    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Waits until no connection is being made. A request over HTTP/2 shares one that is, and its end.
    pub(super) async fn idle(&self) {
        while self.connecting.load(Ordering::Relaxed) > 0 {
            tokio::task::yield_now().await;
        }
    }

    /// Whether a client of this connector is left anywhere.
    pub(super) fn has_client(&self) -> bool {
        Arc::strong_count(&self.asked) > 1
    }
}

impl Service<Uri> for Counting {
    type Response = <HttpConnector as Service<Uri>>::Response;
    type Error = <HttpConnector as Service<Uri>>::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let guard = Connecting::new(&self.connecting);
        let connecting = self.inner.call(uri);
        Box::pin(async move {
            let _guard = guard;
            connecting.await
        })
    }
}

/// Two regions and a client of both, whose calls have the first as their home.
pub(super) struct Scene {
    pub(super) home: Server,
    pub(super) other: Server,
    pub(super) client: Failover<Inner>,
    pub(super) connector: Counting,
    pub(super) handle: Handle,
    changes: Changes,
}

impl Scene {
    /// No wait between attempts, and what else is set.
    pub(super) async fn new(wire: Wire, set: impl FnOnce(FailoverLayer) -> FailoverLayer) -> Self {
        let (home, other) = (wire.server("home").await, wire.server("other").await);
        let regions = Regions::fixed([home.origin(), other.origin()]).unwrap();
        let layer = set(FailoverLayer::new(regions).backoff(no_wait()));
        let connector = Counting::new();
        let handle = layer.handle();
        Self {
            client: layer.layer(wire.client(connector.clone())),
            changes: handle.subscribe(),
            home,
            other,
            connector,
            handle,
        }
    }

    pub(super) fn request(&self) -> Request<Full<Bytes>> {
        request(&self.home.origin())
    }

    /// A call as [`ask`] makes it.
    pub(super) async fn call(&self) -> Result<Reply, Error> {
        ask(&self.client, self.request()).await
    }

    /// Lets home fail as this says, and calls until it is out; says how many calls that took.
    pub(super) async fn eject_home(&self, fault: Fault) -> usize {
        self.home.set(fault).await;
        let mut calls = 0;
        while self.state() != RegionState::Ejected {
            assert!(calls < 2, "two failures in a row are enough");
            self.call().await.unwrap().is_from("other");
            calls += 1;
        }
        calls
    }

    /// Calls until home answers; others before it are answered by the other region at once.
    pub(super) async fn call_until_home(&self) {
        loop {
            let reply = self.call().await.unwrap();
            assert_eq!((reply.status, reply.attempts), (StatusCode::OK, 1));
            if reply.region == "home" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// How home is.
    pub(super) fn state(&self) -> RegionState {
        self.handle.regions(self.home.origin())[0].state()
    }

    /// How many calls came home, in vain or not.
    pub(super) fn home_calls(&self) -> usize {
        self.home.hits_at(CALLS)
    }

    /// How often this region was ejected, and restored, since the last time this was asked of any.
    pub(super) fn switches(&mut self, of: &str) -> (usize, usize) {
        let (mut ejected, mut restored) = (0, 0);
        let is_meant = |region: &Region| region.origin().as_str() == of;
        while let Some(Some(change)) = self.changes.recv().now_or_never() {
            match change {
                Change::Ejected { region, .. } if is_meant(&region) => ejected += 1,
                Change::Restored { region, .. } if is_meant(&region) => restored += 1,
                Change::Missed(missed) => panic!("{missed} changes were missed"),
                _ => {}
            }
        }
        (ejected, restored)
    }
}

/// A `GET` with credentials, and with headers that no probe has.
pub(super) fn request(origin: &str) -> Request<Full<Bytes>> {
    Request::get(format!("{origin}{CALLS}?query"))
        .header("authorization", "Bearer secret")
        .header("cookie", "session=secret")
        .header("x-tenant", "secret")
        .body(Full::default())
        .unwrap()
}

/// How a call was answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) region: String,
    pub(super) attempts: usize,
}

impl Reply {
    #[track_caller]
    pub(super) fn is_from(&self, region: &str) {
        assert_eq!((self.status, &*self.region), (StatusCode::OK, region));
    }
}

/// The reply that this answer is, once its body is read.
pub(super) async fn read(response: Response<Incoming>) -> Reply {
    let served = response.extensions().get::<Served>();
    let reply = Reply {
        status: response.status(),
        region: response.headers()["x-region"].to_str().unwrap().to_owned(),
        attempts: served.map_or(1, |served| served.attempts().len()),
    };
    response.into_body().collect().await.unwrap();
    reply
}

pub(super) async fn ask(
    client: &Failover<Inner>,
    request: Request<Full<Bytes>>,
) -> Result<Reply, Error> {
    let response = client.clone().oneshot(request).await?;
    Ok(read(response).await)
}

/// Probes so often, and traffic that returns in so long.
pub(super) fn health(min: Duration, max: Duration, ramp: Duration) -> Health {
    Health::default().probe_every(min, max).ramp(ramp)
}

/// The probes that a region got.
pub(super) fn probes(server: &Server) -> usize {
    let probes = server.requests_at(PROBES);
    assert!(probes.iter().all(|probe| probe.method == Method::HEAD));
    probes.len()
}

pub(super) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
