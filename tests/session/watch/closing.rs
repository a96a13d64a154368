//! Ends that the program asks for.

use bytes::Bytes;
use failover_cluster::{Fault, Recorded, WatchServer, watch_server::Piece};
use http::Request;
use tokio::time::{Instant, sleep};
use tower_failover::{
    BoxError,
    session::{
        Attempt, Directive,
        watch::{Event, Hello, Lease, Protocol, Watch},
    },
};

use super::{
    Call, MS, PATIENCE, RemoteAccess, Running, client, healthy, server, settings, start,
    start_with, unclamped, watch,
};

const LEASE: &str = "/watch/lease";

/// As its server would be if it took leases back.
#[derive(Clone)]
struct Releasing(RemoteAccess);

impl Protocol for Releasing {
    type Done = Call;

    fn open(&self, attempt: &Attempt<Lease>) -> http::Result<Request<()>> {
        self.0.open(attempt)
    }

    fn hello(&mut self, event: &Event) -> Result<Option<Hello>, BoxError> {
        self.0.hello(event)
    }

    fn heartbeat(&self, lease: &Lease) -> http::Result<Request<Bytes>> {
        self.0.heartbeat(lease)
    }

    fn done(&mut self, event: &Event) -> Result<Option<Call>, BoxError> {
        self.0.done(event)
    }

    fn release(&self, lease: &Lease) -> Option<http::Result<Request<Bytes>>> {
        let uri = format!("{LEASE}?{}", lease.as_str());
        Some(Request::delete(uri).body(Bytes::new()))
    }
}

fn releasing(server: &WatchServer) -> Running {
    let watch = Watch::new(client(), Releasing(RemoteAccess::new("secret")));
    let settings = settings().close_timeout(500 * MS);
    start_with(std::slice::from_ref(server), unclamped(watch), settings)
}

fn released(server: &WatchServer) -> Vec<String> {
    let requests = server.region().requests_at(LEASE);
    let lease = |request: Recorded| request.uri.query().unwrap_or_default().to_owned();
    requests.into_iter().map(lease).collect()
}

/// Whether no heartbeat comes any more.
async fn is_quiet(server: &WatchServer) -> bool {
    let before = server.seen().heartbeats.len();
    sleep(500 * MS).await;
    server.seen().heartbeats.len() == before
}

#[tokio::test]
async fn nothing_is_left_of_a_watch_whose_last_handle_is_dropped() {
    let server = server().await;
    let handle = start(std::slice::from_ref(&server), watch());
    healthy(&handle, 1).await;
    drop(handle);
    server.wait_for(|seen| seen.live == 0).await;
    assert!(is_quiet(&server).await);
    assert_eq!(server.seen().gets.len(), 1);
}

#[tokio::test]
async fn nothing_is_left_of_a_connect_whose_last_handle_is_dropped() {
    let server = server().await;
    server.opening([Piece::Silence]);
    let handle = start(std::slice::from_ref(&server), watch());
    server.wait_for(|seen| seen.live == 1).await;
    drop(handle);
    server.wait_for(|seen| seen.live == 0).await;
    assert!(is_quiet(&server).await);
    assert_eq!(server.seen().gets.len(), 1);
}

#[tokio::test]
async fn a_shutdown_releases_the_lease() {
    let server = server().await;
    let handle = releasing(&server);
    healthy(&handle, 1).await;
    handle.shutdown().await;
    assert_eq!(released(&server), ["eu-lease-1"]);
    server.wait_for(|seen| seen.live == 0).await;
    assert!(is_quiet(&server).await);
}

#[tokio::test]
async fn a_release_that_is_not_answered_does_not_hold_up_the_shutdown() {
    let server = server().await;
    server.region().set_at(LEASE, Fault::BlackHole).await;
    let handle = releasing(&server);
    healthy(&handle, 1).await;
    let asked = Instant::now();
    handle.shutdown().await;
    let took = asked.elapsed();
    assert!((500 * MS..PATIENCE).contains(&took), "{took:?}");
    assert_eq!(released(&server).len(), 1);
}

#[tokio::test]
async fn only_a_lease_that_is_not_taken_along_is_released() {
    let server = server().await;
    let handle = releasing(&server);
    healthy(&handle, 1).await;
    handle.kick(Directive::retry().because("a test"));
    let seen = server.wait_for(|seen| seen.grants.len() == 2).await;
    assert_eq!(seen.grants[1].previous.as_deref(), Some("eu-lease-1"));
    healthy(&handle, 2).await;
    assert!(released(&server).is_empty());

    handle.kick(Directive::rejoin());
    server.region().wait_hits_at(LEASE, 1).await;
    assert_eq!(released(&server), ["eu-lease-2"]);
}
