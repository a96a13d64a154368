//! Other clients than hyper's over HTTP/1.1.

use bytes::Bytes;
use failover_cluster::{WatchServer, watch_server::Piece};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::ServiceBuilder;
use tower_failover::{FailoverLayer, replay::ReplayBody, session::watch::Watch};

use super::{CALL, MS, RemoteAccess, called, healthy, regions, server, start, unclamped};

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

#[tokio::test]
async fn a_failover_layer() {
    let server = server().await;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let client: Client<_, ReplayBody<Full<Bytes>>> = client;
    let layer = FailoverLayer::new(regions(std::slice::from_ref(&server)));
    let client = ServiceBuilder::new().layer(layer).service(client);
    play(server, Watch::new(client, RemoteAccess::new("secret"))).await;
}

#[cfg(feature = "reqwest")]
#[tokio::test]
async fn reqwest() {
    // Which reqwest asks for even where no TLS is spoken. Another test may have done so already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let watch = Watch::reqwest(client, RemoteAccess::new("secret"));
    play(server().await, watch).await;
}
