use std::fmt;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::sync::{Mutex, watch};

use crate::BoxError;
use crate::fault::Fault;
use crate::handler::Handler;
use crate::port::Port;
use crate::record::{Counts, Recorded};
use crate::region::{Protocol, Region};
use crate::upload::Upload;

/// One region: a real server on loopback with a fixed port for its lifetime.
///
/// Dropping it stops it and closes its connections.
pub struct Server {
    region: Arc<Region>,
    address: SocketAddr,
    port: Mutex<Port<Region>>,
}

impl Server {
    /// Starts a region that speaks HTTP/1.1.
    pub async fn http1(name: &str) -> Server {
        Server::start(Ipv4Addr::LOCALHOST, Region::new(name, Protocol::Http1))
    }

    /// Starts a region that speaks HTTP/1.1 on another loopback address, such as 127.0.0.2.
    ///
    /// # Panics
    /// When the address is not one of loopback.
    pub async fn http1_on(name: &str, host: Ipv4Addr) -> Server {
        Server::start(host, Region::new(name, Protocol::Http1))
    }

    /// Starts a region that speaks HTTP/2 with prior knowledge.
    pub async fn h2c(name: &str) -> Server {
        Server::start(Ipv4Addr::LOCALHOST, Region::new(name, Protocol::H2c))
    }

    /// Starts a region that speaks HTTP/2 with prior knowledge, and has its requests answered by `handler`.
    ///
    /// That reads the bodies itself. A [`Fault::Delay`] then comes before it is asked, and a [`Fault::CutBody`] breaks off
    /// after the first data of its answer.
    pub async fn h2c_with<H, F, B>(name: &str, handler: H) -> Server
    where
        H: Fn(Request<Upload>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Response<B>, BoxError>> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut region = Region::new(name, Protocol::H2c);
        region.handler = Some(Handler::new(handler));
        Server::start(Ipv4Addr::LOCALHOST, region)
    }

    pub(crate) fn start(host: Ipv4Addr, region: Region) -> Server {
        assert!(host.is_loopback(), "{host} is not a loopback address");
        let region = Arc::new(region);
        let port = Port::open_any(host, Arc::clone(&region));
        Server {
            region,
            address: port.address(),
            port: Mutex::new(port),
        }
    }

    /// The name it was started with.
    pub fn name(&self) -> &str {
        &self.region.name
    }

    /// `http://127.0.0.1:PORT`, or with the address it listens on.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `127.0.0.1:PORT`, or with the address it listens on.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// Sets what requests meet from now on, also those on connections that exist already.
    ///
    /// The fault is in force when this returns: after [`Fault::Refuse`] no connection is left and none is accepted; after any
    /// other, connections to the same port are. A request already being answered keeps the fault it met.
    ///
    /// # Panics
    /// When the fault cannot be acted out: for another protocol, with an invalid status or header, or a refusal inside
    /// another fault.
    pub async fn set(&self, fault: Fault) {
        self.check(&fault);
        // Held to the end, so that the port and the script change together.
        let mut port = self.port.lock().await;
        let refuse = matches!(fault, Fault::Refuse);
        self.region.set(fault);
        if refuse {
            port.close().await;
        } else {
            port.open();
        }
    }

    /// Sets what requests with that path (without query) meet from now on, in place of what [`set`](Server::set) says.
    ///
    /// They are not counted for a [`Fault::First`] or [`Fault::Nth`] of the whole server. With [`Fault::None`] they are
    /// answered as usual whatever the server's fault is, unless it refuses connections.
    ///
    /// # Panics
    /// As [`set`](Server::set) does, for [`Fault::Refuse`], and for what no request has as its path.
    pub async fn set_at(&self, path: &str, fault: Fault) {
        self.check(&fault);
        if matches!(fault, Fault::Refuse) {
            panic!(
                "region {}: a connection is refused before it has a path",
                self.name()
            );
        }
        if !path.starts_with('/') || path.contains(['?', '#']) {
            panic!("region {}: {path:?} is not a path", self.name());
        }
        self.region.set_at(path, fault);
    }

    /// Takes back what [`set_at`](Server::set_at) set: requests with that path meet the server's fault again.
    pub async fn clear_at(&self, path: &str) {
        self.region.clear_at(path);
    }

    fn check(&self, fault: &Fault) {
        if let Some(objection) = fault.objection(self.region.protocol) {
            panic!("region {}: {objection}", self.name());
        }
    }

    /// How many requests came whose head was received, whatever was answered.
    pub fn hits(&self) -> usize {
        self.counts().hits
    }

    /// How many of the [`hits`](Server::hits) had that path.
    pub fn hits_at(&self, path: &str) -> usize {
        self.region.ledger.hits_at(path, self.hits())
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.counts().connections
    }

    /// The requests in order of arrival. A record's body grows as it is read.
    pub fn requests(&self) -> Vec<Recorded> {
        self.region.ledger.requests()
    }

    /// The requests with that path in order of arrival.
    pub fn requests_at(&self, path: &str) -> Vec<Recorded> {
        self.region.ledger.requests_at(path)
    }

    /// Waits until [`hits`](Server::hits) is at least `n`.
    ///
    /// # Panics
    /// After 10 seconds.
    pub async fn wait_hits(&self, n: usize) {
        self.wait(&format!("{n} hits"), |counts| counts.hits >= n)
            .await;
    }

    /// Waits until [`hits_at`](Server::hits_at) that path is at least `n`.
    ///
    /// # Panics
    /// After 10 seconds.
    pub async fn wait_hits_at(&self, path: &str, n: usize) {
        let ledger = &self.region.ledger;
        self.wait(&format!("{n} hits at {path}"), |counts| {
            ledger.hits_at(path, counts.hits) >= n
        })
        .await;
    }

    /// How many request bodies are open: neither read to their end, nor failed, nor dropped with their connection.
    pub fn open_uploads(&self) -> usize {
        self.counts().open_uploads
    }

    /// Waits until [`open_uploads`](Server::open_uploads) is zero.
    ///
    /// # Panics
    /// After 10 seconds.
    pub async fn wait_no_open_uploads(&self) {
        self.wait("no open uploads", |counts| counts.open_uploads == 0)
            .await;
    }

    /// Wakes whenever a request came or a body ended.
    pub(crate) fn changes(&self) -> watch::Receiver<Counts> {
        self.region.ledger.changes()
    }

    fn counts(&self) -> Counts {
        self.region.ledger.counts()
    }

    async fn wait(&self, what: &str, hope: impl FnMut(&Counts) -> bool) {
        if let Err(counts) = self.region.ledger.wait(hope).await {
            panic!(
                "region {} waited in vain for {what}: {counts:?}",
                self.name()
            );
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("name", &self.region.name)
            .field("origin", &self.origin())
            .field("protocol", &self.region.protocol)
            .finish_non_exhaustive()
    }
}
