//! Other clients than hyper's over HTTP/1.1.

use bytes::Bytes;
use failover_cluster::{Fault, WatchServer, watch_server::Piece};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::ServiceBuilder;
use tower_failover::{FailoverLayer, Hedge, replay::ReplayBody, session::watch::Watch};

use super::{CALL, MS, RemoteAccess, called, healthy, regions, server, servers, start, unclamped};

/// Lets a watch come up, break off, come up again and be called.
async fn play(server: WatchServer, watch: Watch<RemoteAccess>) {
    let handle = start(std::slice::from_ref(&server), unclamped(watch));
    healthy(&handle, 1).await;
    server.send(Piece::Cut);
    server.wait_for(|seen| seen.grants.len() == 2).await;
    healthy(&handle, 2).await;
    server.wait_for(|seen| seen.heartbeats.len() >= 2).await;
    server.wake(CALL);
    called(&handle).await;
    let seen = server.wait_for(|seen| seen.live == 0).await;
    assert_eq!(seen.grants[1].previous.as_deref(), Some("eu-lease-1"));
    assert_eq!(seen.gets.len(), 2);
}

#[tokio::test]
async fn http2() {
    let server = WatchServer::h2c("eu").await;
    server.heartbeat_interval(200 * MS);
    server.keep_alive(50 * MS);
    let mut client = Client::builder(TokioExecutor::new());
    let client: Client<_, Full<Bytes>> = client.http2_only(true).build_http();
    play(server, Watch::new(client, RemoteAccess::new("secret"))).await;
}

/// A watch over a layer that knows these servers.
fn through_layer(
    servers: &[WatchServer],
    set: impl FnOnce(FailoverLayer) -> FailoverLayer,
) -> Watch<RemoteAccess> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let client: Client<_, ReplayBody<Full<Bytes>>> = client;
    let layer = set(FailoverLayer::new(regions(servers)));
    let client = ServiceBuilder::new().layer(layer).service(client);
    Watch::new(client, RemoteAccess::new("secret"))
}

/// The first server meets the first watch so, and is asked so often; no other is.
async fn stays(servers: &[WatchServer], watch: Watch<RemoteAccess>, first: Fault, gets: usize) {
    let first = Fault::First(1, Box::new(first));
    let region = servers[0].region();
    region.set_at(WatchServer::WATCH, first).await;
    let handle = start(servers, unclamped(watch));
    healthy(&handle, 1).await;
    servers[0].wait_for(|seen| seen.heartbeats.len() >= 2).await;
    assert_eq!(servers[0].seen().gets.len(), gets);
    assert_eq!(servers[1].region().hits(), 0);
}

#[tokio::test]
async fn a_failover_layer() {
    let server = server().await;
    let watch = through_layer(std::slice::from_ref(&server), |layer| layer);
    play(server, watch).await;
}

#[tokio::test]
async fn a_layer_that_could_go_elsewhere_leaves_that_to_the_supervisor() {
    let servers = servers(&["eu", "us"]).await;
    let watch = through_layer(&servers, |layer| layer);
    stays(&servers, watch, Fault::Status(503), 2).await;
}

#[tokio::test]
async fn a_layer_that_hedges_opens_one_watch() {
    let servers = servers(&["eu", "us"]).await;
    let watch = through_layer(&servers, |layer| layer.hedge(Hedge::after(20 * MS)));
    let late = Fault::Late(200 * MS, Box::new(Fault::None));
    stays(&servers, watch, late, 1).await;
}

#[cfg(feature = "reqwest")]
mod reqwest {
    use std::error::Error as StdError;

    use ::reqwest::{Client, Error, redirect::Policy};
    use tower_failover::session::watch::Lease;

    use super::*;
    use crate::watch::{connect_error, until};

    fn client() -> Client {
        // Which reqwest asks for even where no TLS is spoken. Another test may have done so already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().redirect(Policy::none());
        client.build().unwrap()
    }

    #[tokio::test]
    async fn a_client() {
        let watch = Watch::reqwest(client(), RemoteAccess::new("secret"));
        play(server().await, watch).await;
    }

    #[tokio::test]
    async fn a_layer_that_could_go_elsewhere_leaves_that_to_the_supervisor() {
        let servers = servers(&["eu", "us"]).await;
        let layer = FailoverLayer::new(regions(&servers)).client_redirects(false);
        let client = ServiceBuilder::new().layer(layer).service(client());
        let watch = Watch::reqwest(client, RemoteAccess::new("secret"));
        stays(&servers, watch, Fault::Status(503), 2).await;
    }

    #[tokio::test]
    async fn an_error_does_not_show_the_lease() {
        let server = server().await;
        server.region().set(Fault::Refuse).await;
        let watch = Watch::reqwest(client(), RemoteAccess::new("secret"));
        let watch = watch.lease(Lease::new("SECRET"));
        let handle = start(std::slice::from_ref(&server), watch);
        let status = until(&handle, |status| connect_error(status).is_some()).await;
        let source = connect_error(&status).and_then(StdError::source);
        assert!(source.is_some_and(|source| source.is::<Error>()));
        assert!(!format!("{status:?}").contains("SECRET"), "{status:?}");
    }
}
