//! Timeouts: the request's own, the client's, the layer's.

use std::{error::Error as StdError, time::Duration};

use ::reqwest::{Client, Request};
use failover_cluster::{Fault, Server};
use tokio::time::Instant;
use tower::Layer;
use tower_failover::{ErrorKind, FailoverLayer};

use super::support::*;
use crate::support::{ejected, layer};

async fn regions(home: Fault, other: Fault) -> (Server, Server, FailoverLayer) {
    let (first, second) = (Server::http1("home").await, Server::http1("other").await);
    first.set(home).await;
    second.set(other).await;
    let layer = layer([first.origin(), second.origin()]);
    (first, second, layer)
}

fn get(home: &Server) -> Request {
    let url = format!("{}/path", home.origin());
    http1().get(url).build().unwrap()
}

fn get_within(home: &Server, timeout: Duration) -> Request {
    let mut request = get(home);
    *request.timeout_mut() = Some(timeout);
    request
}

fn is_timeout(error: &(dyn StdError + 'static)) -> bool {
    let error = error.source().and_then(|error| error.downcast_ref());
    error.is_some_and(::reqwest::Error::is_timeout)
}

#[tokio::test]
async fn the_requests_timeout_is_that_of_the_whole_call() {
    let (home, other, layer) = regions(Fault::BlackHole, Fault::BlackHole).await;
    let client = layer
        .attempt_timeout(Duration::from_millis(500))
        .layer(http1());
    let timeout = Duration::from_secs(1);
    let began = Instant::now();
    let error = send(&client, get_within(&home, timeout)).await.unwrap_err();
    assert!(began.elapsed() >= timeout);
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(is_timeout(&error), "{error:?}");
    // A second attempt with the whole time for itself would have taken that.
    let [first, second] = error.attempts() else {
        panic!("{error}");
    };
    assert!(first.elapsed() >= Duration::from_millis(500));
    assert!(second.elapsed() < timeout, "{:?}", second.elapsed());
    assert_eq!((home.hits(), other.hits()), (1, 1));
}

#[tokio::test]
async fn the_requests_timeout_ends_with_reqwests_error_and_blames_nobody() {
    let (home, other, layer) = regions(Fault::BlackHole, Fault::None).await;
    let client = layer.layer(http1());
    for _ in 0..4 {
        let request = get_within(&home, Duration::from_millis(50));
        let error = send(&client, request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(is_timeout(&error), "{error:?}");
    }
    assert_eq!(other.hits(), 0);
    assert_eq!(ejected(&layer.handle(), &home.origin()), []);
}

#[tokio::test]
async fn the_requests_timeout_goes_on_while_the_body_is_read() {
    let stalled = Fault::Stall(200, Vec::new(), "some".into());
    let (home, _other, layer) = regions(Fault::BlackHole, stalled).await;
    let client = layer.attempt_timeout(Duration::from_secs(1)).layer(http1());
    let timeout = Duration::from_millis(1500);
    let began = Instant::now();
    let response = send(&client, get_within(&home, timeout)).await.unwrap();
    assert_eq!(region(&response), "other");
    let error = crate::support::within(response.bytes()).await.unwrap_err();
    assert!(error.is_timeout());
    let elapsed = began.elapsed();
    assert!(elapsed >= timeout);
    // Less than the whole of it, once more from the second attempt.
    assert!(elapsed < Duration::from_millis(2500), "{elapsed:?}");
}

#[tokio::test]
async fn the_shorter_of_the_requests_timeout_and_the_layers_holds() {
    let (home, _other, layer) = regions(Fault::BlackHole, Fault::None).await;
    let total = Duration::from_millis(50);
    let client = layer.total_timeout(total).layer(http1());
    let request = get_within(&home, Duration::from_secs(3600));
    let error = send(&client, request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    // Nothing of reqwest's has come to its end.
    assert!(error.source().is_none());
}

#[tokio::test]
async fn the_clients_timeout_is_that_of_an_attempt() {
    let (home, other, layer) = regions(Fault::BlackHole, Fault::None).await;
    let client: Client = builder()
        .timeout(Duration::from_millis(200))
        .build()
        .unwrap();
    let client = layer.attempt_timeout(None).layer(client);
    let outcome = send(&client, get(&home)).await;
    assert_eq!(
        attempts(&outcome),
        ["Some(Unknown) (timeout)", "None (200)"]
    );
    assert_eq!((home.hits(), other.hits()), (1, 1));
}
