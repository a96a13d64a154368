//! Event streams with leases, whose server can be told how to fail them.

mod desk;
mod leases;
mod piece;
mod seen;
mod stream;

use std::fmt;
use std::future::Future;
use std::net::Ipv4Addr;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::Server;
use crate::handler::Handler;
use crate::record::PATIENCE;
use crate::region::{Protocol, Region};
use desk::Desk;
use leases::SharedLeases;

pub use piece::Piece;
pub use seen::{Grant, Heartbeat, Seen};

/// A region that keeps watches: event streams (SSE) that hold a lease, which heartbeats keep alive.
///
/// - `GET /watch?previousWatchLeaseId=<lease>` takes the lease of its device, and is answered by `text/event-stream`. One stream
///   holds it: who asks while it is held gets 409, save with the lease itself as the previous one. That takes over: there is a
///   new lease, and the old stream ends.
/// - `POST /watch/heartbeat` with `{"watchLeaseId": "<lease>"}` keeps it: 200, or 409 when another holds it by now, or 410 when
///   it is dead or unknown. It dies when the time of three heartbeats passes without one, whether its stream is open or not; a
///   stream that is open stays so.
///
/// A device is known by its `Authorization` header, and requests without one are of one device. Leases are not percent-decoded:
/// those given out need no encoding.
///
/// A stream begins with its [opening](WatchServer::opening): `event: hello` with
/// `{"watchLeaseId": "<lease>", "deviceWaitForViewerMs": 45000, "heartbeatIntervalMs": <ms>}`, unless told otherwise. Comments
/// keep it alive after that. Other statuses, bodies that are no events and answers that never come are faults of its
/// [`region`](WatchServer::region), at the path of the watch or of the heartbeat.
///
/// Dropping it stops it, closes its connections and refuses new ones.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use failover_cluster::watch_server::Piece;
/// use failover_cluster::{Fault, WatchServer};
///
/// let server = WatchServer::http1("eu").await;
/// let busy = Fault::First(1, Box::new(Fault::Status(503)));
/// server.region().set_at(WatchServer::WATCH, busy).await;
/// server.next_opening([Piece::Hello, Piece::Text("event: wa".to_owned()), Piece::Cut]);
/// // ... watch server.origin(): a 503, a stream that breaks off, a stream that lasts ...
/// # let watch = async || {
/// server.wait_for(|seen| seen.gets.len() == 3 && seen.live == 1).await;
/// server.wake("{}");
/// # };
/// # drop(watch);
/// assert!(server.seen().overlaps().is_empty());
/// # }
/// ```
pub struct WatchServer {
    region: Server,
    desk: Arc<Desk>,
}

impl WatchServer {
    /// The path of the watch.
    pub const WATCH: &'static str = "/watch";
    /// The path of the heartbeat.
    pub const HEARTBEAT: &'static str = "/watch/heartbeat";

    /// Starts a server that speaks HTTP/1.1.
    pub async fn http1(name: &str) -> WatchServer {
        WatchServer::start(name, Protocol::Http1, SharedLeases::default())
    }

    /// Starts a server that speaks HTTP/2 with prior knowledge.
    pub async fn h2c(name: &str) -> WatchServer {
        WatchServer::start(name, Protocol::H2c, SharedLeases::default())
    }

    /// Starts one HTTP/1.1 server per name. They share their leases: a device has one among all of them.
    pub async fn cluster(names: &[&str]) -> Vec<WatchServer> {
        let leases = SharedLeases::default();
        let start = |name: &&str| WatchServer::start(name, Protocol::Http1, leases.clone());
        names.iter().map(start).collect()
    }

    fn start(name: &str, protocol: Protocol, leases: SharedLeases) -> WatchServer {
        let desk = Arc::new(Desk::new(name, leases));
        let mut region = Region::new(name, protocol);
        let answers = Arc::clone(&desk);
        region.handler = Some(Handler::new(move |request| {
            Arc::clone(&answers).answer(request)
        }));
        WatchServer {
            region: Server::start(Ipv4Addr::LOCALHOST, region),
            desk,
        }
    }

    /// The region itself, whose faults requests meet first.
    pub fn region(&self) -> &Server {
        &self.region
    }

    /// `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        self.region.origin()
    }

    /// Sets the time between two heartbeats, which the hello tells; 1 second before. Three of them are the life of a lease.
    pub fn heartbeat_interval(&self, interval: Duration) {
        self.desk.set(|settings| settings.heartbeat = interval);
    }

    /// Sets the time between two comments on streams that open from now on; 1 second before.
    ///
    /// # Panics
    /// When it is zero.
    pub fn keep_alive(&self, interval: Duration) {
        assert!(!interval.is_zero(), "comments take some time");
        self.desk.set(|settings| settings.keep_alive = interval);
    }

    /// Sets what [`Piece::Hello`] is from now on: the name of the event and its data, given the lease.
    pub fn hello<H>(&self, hello: H)
    where
        H: Fn(&str) -> (String, String) + Send + Sync + 'static,
    {
        self.desk
            .set(|settings| settings.hello = Some(Arc::new(hello)));
    }

    /// Sets what streams begin with from now on; a [`Piece::Hello`] before.
    pub fn opening(&self, pieces: impl Into<Vec<Piece>>) {
        let pieces = pieces.into();
        self.desk.set(|settings| settings.opening = pieces);
    }

    /// Sets what one stream begins with: the next one, or the one after those for which this was called already.
    pub fn next_opening(&self, pieces: impl Into<Vec<Piece>>) {
        let pieces = pieces.into();
        self.desk.set(|settings| settings.next.push_back(pieces));
    }

    /// Ends lines with that on streams that open from now on, for instance `\r\n`; `\n` before. A [`Piece::Text`] stays as it is.
    pub fn line_end(&self, line_end: &'static str) {
        self.desk.set(|settings| settings.line_end = line_end);
    }

    /// Sends streams that open from now on byte by byte: each is a chunk, or a DATA frame, of its own.
    pub fn bytewise(&self, bytewise: bool) {
        self.desk.set(|settings| settings.bytewise = bytewise);
    }

    /// Puts a piece on every live stream.
    pub fn send(&self, piece: Piece) {
        self.desk.send(&piece);
    }

    /// Wakes the devices: an event `wake` with that data on every live stream.
    pub fn wake(&self, data: &str) {
        self.send(Piece::event("wake", data));
    }

    /// Lets all leases die, also those of servers that share them.
    pub fn expire(&self) {
        self.desk.leases.expire();
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        Seen {
            gets: self.region.requests_at(WatchServer::WATCH),
            heartbeats: seen::heartbeats(self.region.requests_at(WatchServer::HEARTBEAT)),
            ..self.desk.seen.borrow().clone()
        }
    }

    /// Waits until what was seen is as hoped, and tells it.
    ///
    /// # Panics
    /// After 10 seconds.
    #[track_caller]
    pub fn wait_for(&self, hope: impl FnMut(&Seen) -> bool) -> impl Future<Output = Seen> {
        let caller = Location::caller();
        async move {
            match tokio::time::timeout(PATIENCE, self.hoped(hope)).await {
                Ok(seen) => seen,
                Err(_) => panic!(
                    "region {} waited in vain at {caller}: {:#?}",
                    self.region.name(),
                    self.seen()
                ),
            }
        }
    }

    async fn hoped(&self, mut hope: impl FnMut(&Seen) -> bool) -> Seen {
        // From before the look: what changes after it wakes.
        let mut requests = self.region.changes();
        let mut streams = self.desk.seen.subscribe();
        loop {
            let seen = self.seen();
            if hope(&seen) {
                return seen;
            }
            // Their senders are borrowed here.
            tokio::select! {
                _ = requests.changed() => {}
                _ = streams.changed() => {}
            }
        }
    }
}

impl fmt::Debug for WatchServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchServer")
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}
