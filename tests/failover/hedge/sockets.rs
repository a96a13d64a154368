//! Hedging over real sockets.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use failover_cluster::{Fault, Server};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use tokio::{io::AsyncReadExt, net::TcpListener, sync::Semaphore};
use tower::{Layer, ServiceExt};
use tower_failover::{Budget, FailoverLayer, Hedge, RegionState, Regions};

use super::MS;
use crate::support::{http1, http2, within};

/// Longer than any of these tests may take.
const NEVER: Duration = Duration::from_secs(60);

fn layer(home: &str, other: &Server) -> FailoverLayer {
    FailoverLayer::new(Regions::fixed([home, &other.origin()]).unwrap())
        .hedge(Hedge::after(20 * MS))
        .attempt_timeout(NEVER)
        .budget(Budget::unlimited())
}

fn put(home: &str) -> Request<Full<Bytes>> {
    let body = Full::new(Bytes::from_static(b"payload"));
    Request::put(format!("{home}/path")).body(body).unwrap()
}

/// A region that reads and never answers.
struct Silent {
    origin: String,
    /// A permit for each connection that the client closed.
    closed: Arc<Semaphore>,
}

impl Silent {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let closed = Arc::new(Semaphore::new(0));
        let end = closed.clone();
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let end = end.clone();
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    let mut heard = 0;
                    while let Ok(n @ 1..) = socket.read(&mut buffer).await {
                        heard += n;
                    }
                    assert!(heard > 0, "a connection without a request");
                    end.add_permits(1);
                });
            }
        });
        Self { origin, closed }
    }
}

#[tokio::test]
async fn over_http1_the_connection_of_the_request_that_lost_is_closed() {
    let (home, other) = (Silent::start().await, Server::http1("other").await);
    let client = layer(&home.origin, &other).layer(http1());
    for n in 1..=4 {
        let response = within(client.clone().oneshot(put(&home.origin))).await;
        let response = response.unwrap();
        assert_eq!(response.headers()["x-region"], "other");
        response.into_body().collect().await.unwrap();
        assert_eq!(other.hits(), n);
        assert_eq!(other.requests()[n - 1].body, "payload");
        // The client is still there, and keeps what it may use again.
        within(home.closed.acquire()).await.unwrap().forget();
    }
}

#[tokio::test]
async fn over_http2_the_stream_of_the_request_that_lost_is_reset() {
    let (home, other) = (Server::h2c("home").await, Server::h2c("other").await);
    // It has read no body when the client resets the stream.
    home.set(Fault::Late(NEVER, Box::new(Fault::None))).await;
    let client = layer(&home.origin(), &other).layer(http2());
    for n in 1..=4 {
        let response = within(client.clone().oneshot(put(&home.origin()))).await;
        assert_eq!(response.unwrap().headers()["x-region"], "other");
        assert_eq!((home.hits(), other.hits()), (n, n));
        home.wait_no_open_uploads().await;
    }
    assert_eq!(home.connections(), 1, "the connection is kept");
}

#[tokio::test]
async fn until_a_silent_region_is_found_out_no_call_waits_for_it() {
    let (home, other) = (Server::http1("home").await, Server::http1("other").await);
    let layer = layer(&home.origin(), &other);
    let (client, handle) = (layer.layer(http1()), layer.handle());
    home.set(Fault::BlackHole).await;
    let is_out = || handle.regions(home.origin())[0].state() == RegionState::Ejected;
    let touched = || {
        let requests = home.requests();
        requests.iter().filter(|r| r.method == Method::PUT).count()
    };
    let mut calls = 0;
    let mut call = async || {
        calls += 1;
        let response = within(client.clone().oneshot(put(&home.origin()))).await;
        assert_eq!(response.unwrap().headers()["x-region"], "other");
        assert_eq!(other.hits(), calls);
    };
    // It takes as many calls as go by in half a second.
    while !is_out() {
        call().await;
    }
    let until_found = touched();
    assert!(until_found >= 5, "{until_found}");
    for _ in 0..20 {
        call().await;
    }
    assert_eq!(touched(), until_found);
}
