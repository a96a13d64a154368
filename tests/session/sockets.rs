//! The systems of the examples over real connections: what their servers saw.

use std::time::Duration;

use failover_cluster::SessionServer;
use tokio::time::timeout;
use tower_failover::{
    Backoff, Jitter, Region, Regions,
    session::{Handle, Phase, Settings, Status},
};

#[path = "../../examples/session_lines/lines.rs"]
mod lines;

mod media;
mod sfu;
mod upgrade;

const MS: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(10);
/// Something that is done to a server.
type Act = fn(&SessionServer);
/// A time in which nothing comes that is not to come.
const A_WHILE: Duration = Duration::from_millis(300);

/// Servers that know each other's tokens, and ping often enough for any session.
async fn start(names: &[&str]) -> Vec<SessionServer> {
    let servers = SessionServer::cluster(names).await;
    for server in &servers {
        server.ping_every(100 * MS);
    }
    servers
}

fn regions(servers: &[SessionServer]) -> Regions {
    let named = servers
        .iter()
        .map(|server| (server.name(), server.origin()));
    Regions::named(named).unwrap()
}

fn region(server: &SessionServer) -> Region {
    Region::new(server.name(), server.origin()).unwrap()
}

/// The settings of an example at a faster pace.
fn fast(settings: Settings) -> Settings {
    let backoff = Backoff::exponential(50 * MS, 200 * MS).jitter(Jitter::Equal);
    Settings::new()
        .backoff(backoff)
        .healthy_after(100 * MS)
        .or(settings)
}

/// Waits until the status is as hoped.
#[track_caller]
fn until<X, C>(
    handle: &Handle<X, C>,
    hope: impl FnMut(&Status) -> bool,
) -> impl Future<Output = Status> {
    let caller = std::panic::Location::caller();
    let mut status = handle.status();
    async move {
        if let Ok(waited) = timeout(PATIENCE, status.wait_for(hope)).await {
            return waited.expect("it is still there").clone();
        }
        panic!("waited in vain at {caller}: {:#?}", status.borrow())
    }
}

/// Waits until a session is up there and has proved healthy.
#[track_caller]
fn healthy<X, C>(handle: &Handle<X, C>, region: &str) -> impl Future<Output = Status> {
    until(handle, move |status| {
        status.phase == Phase::Connected && status.attempt == 0 && at(status) == region
    })
}

/// Waits until a session is up there.
#[track_caller]
fn up<X, C>(handle: &Handle<X, C>, region: &str) -> impl Future<Output = Status> {
    until(handle, move |status| {
        status.phase == Phase::Connected && at(status) == region
    })
}

/// Where the session is, or was last.
fn at(status: &Status) -> &str {
    status.region.as_ref().map_or("", Region::name)
}
