//! The watch of the example, over real connections and over a client in memory.

use std::{panic::Location, time::Duration};

use bytes::Bytes;
use failover_cluster::WatchServer;
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::timeout;
use tower_failover::{
    Backoff, Jitter, Regions,
    session::{
        Closed, Handle, Phase, Settings, Status, Supervisor,
        watch::{ConnectError, Exit, Policy, Protocol, Watch},
    },
};

#[path = "../../examples/watch/remote_access.rs"]
mod remote_access;

mod clients;
mod closing;
mod connects;
mod failures;
mod heartbeats;
mod leases;
mod memory;
mod plain;
mod policy;
mod sessions;
mod streams;

use remote_access::{Call, RemoteAccess};

type Running = Handle<Exit<Call>>;

const MS: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(10);
const CALL: &str = r#"{"url": "wss://room", "token": "t"}"#;

fn client() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

fn watch() -> Watch<RemoteAccess> {
    unclamped(Watch::new(client(), RemoteAccess::new("secret")))
}

/// With heartbeats as often as the server says.
fn unclamped<P>(watch: Watch<P>) -> Watch<P> {
    watch.heartbeat_intervals(MS..=PATIENCE)
}

/// Servers that share their leases, with a heartbeat each 200 ms and comments in between.
async fn servers(names: &[&str]) -> Vec<WatchServer> {
    let servers = WatchServer::cluster(names).await;
    for server in &servers {
        server.heartbeat_interval(200 * MS);
        server.keep_alive(50 * MS);
    }
    servers
}

async fn server() -> WatchServer {
    servers(&["eu"]).await.remove(0)
}

fn regions(servers: &[WatchServer]) -> Regions {
    let named = servers
        .iter()
        .map(|server| (server.region().name(), server.origin()));
    Regions::named(named).unwrap()
}

fn settings() -> Settings {
    let backoff = Backoff::exponential(50 * MS, 200 * MS).jitter(Jitter::Equal);
    Settings::new().backoff(backoff)
}

/// Waits of a second instead of half a minute.
fn policy() -> Policy {
    Policy::default()
        .conflict(1000 * MS)
        .content_type(1000 * MS)
}

fn start(servers: &[WatchServer], watch: Watch<RemoteAccess>) -> Running {
    start_with(servers, watch, settings())
}

fn start_with<P>(servers: &[WatchServer], watch: Watch<P>, settings: Settings) -> Running
where
    P: Protocol<Done = Call> + Clone + Send + Sync + 'static,
{
    Supervisor::new(regions(servers), watch)
        .classifier(|outcome| policy().classify(outcome))
        .settings(settings)
        .start()
        .unwrap()
}

/// Waits until the status is as hoped.
#[track_caller]
fn until(handle: &Running, hope: impl FnMut(&Status) -> bool) -> impl Future<Output = Status> {
    let caller = Location::caller();
    let mut status = handle.status();
    async move {
        let waited = timeout(PATIENCE, status.wait_for(hope)).await;
        match waited.map(|status| status.map(|status| status.clone())) {
            Ok(Ok(status)) => status,
            _ => panic!("waited in vain at {caller}"),
        }
    }
}

/// Waits until a session is up and has proved healthy.
async fn healthy(handle: &Running, epoch: u64) {
    until(handle, |status| {
        status.phase == Phase::Connected && status.attempt == 0 && status.epoch == epoch
    })
    .await;
}

/// Waits until a connect fails, and tells how.
async fn refused(handle: &Running) -> String {
    let is_refused = |status: &Status| connect_error(status).is_some();
    let status = until(handle, is_refused).await;
    connect_error(&status).expect("waited for").to_string()
}

fn connect_error(status: &Status) -> Option<&ConnectError> {
    status.cause.as_ref()?.downcast_ref()
}

/// Waits until a session ends, and tells how.
async fn left(handle: &Running) -> String {
    fn exit(status: &Status) -> Option<&Exit<Call>> {
        status.cause.as_ref()?.exit()
    }
    let status = until(handle, |status| exit(status).is_some()).await;
    format!("{:?}", exit(&status).expect("waited for"))
}

/// Waits for the call.
async fn called(handle: &Running) -> Call {
    let closed = timeout(PATIENCE, handle.closed()).await.expect("an end");
    match closed.expect("a good end") {
        Closed::Exited(exit) => match &*exit {
            Exit::Done { value, .. } => value.clone(),
            exit => panic!("{exit:?}"),
        },
        closed => panic!("{closed:?}"),
    }
}
