//! What is made of reqwest's errors, and who retries what.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use ::reqwest::{
    ClientBuilder, Method, Request,
    dns::{Addrs, Name, Resolve, Resolving},
};
use failover_cluster::{Fault, Server};
use futures_util::future::{self, FutureExt};
use http::HeaderName;
use tower::Layer;
use tower_failover::{Error, ErrorKind};

use super::support::*;
use crate::support::{PAYLOAD, ejected, layer};

/// Resolves no name, at once or never.
struct Resolver {
    is_fast: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, _: Name) -> Resolving {
        match self.is_fast {
            true => future::ready(Err("no such name".into())).boxed(),
            false => future::pending::<Result<Addrs, _>>().boxed(),
        }
    }
}

fn resolving(is_fast: bool) -> ClientBuilder {
    builder().dns_resolver(Arc::new(Resolver { is_fast }))
}

fn post(url: &str) -> Request {
    http1().post(url).body(PAYLOAD).build().unwrap()
}

fn source(error: &Error) -> &::reqwest::Error {
    error.source().unwrap().downcast_ref().unwrap()
}

#[tokio::test]
async fn a_name_that_is_not_found_was_never_asked() {
    let other = Server::http1("other").await;
    let layer = layer(["http://home.test".to_owned(), other.origin()]);
    let client = layer.layer(resolving(true).build().unwrap());
    let outcome = send(&client, post("http://home.test/path")).await;
    assert_eq!(
        attempts(&outcome),
        ["Some(NeverSent) (connection failed)", "None (200)"]
    );
    assert_eq!(ejected(&layer.handle(), "http://home.test").len(), 1);
}

#[tokio::test]
async fn a_connection_that_takes_too_long_was_never_there() {
    let other = Server::http1("other").await;
    let client = resolving(false).connect_timeout(Duration::from_millis(50));
    let layer = layer(["http://home.test".to_owned(), other.origin()]);
    let client = layer.layer(client.build().unwrap());
    let outcome = send(&client, post("http://home.test/path")).await;
    assert_eq!(
        attempts(&outcome),
        ["Some(NeverSent) (connect timeout)", "None (200)"]
    );
    assert_eq!(ejected(&layer.handle(), "http://home.test").len(), 1);
}

#[tokio::test]
async fn an_error_that_exhausts_the_regions_can_be_asked_as_before() {
    let (home, other) = (Server::http1("home").await, Server::http1("other").await);
    home.set(Fault::Refuse).await;
    other.set(Fault::Refuse).await;
    let client = layer([home.origin(), other.origin()]).layer(http1());
    let error = send(&client, post(&home.origin())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NeverSent);
    assert_eq!(error.attempts().len(), 2);
    assert!(source(&error).is_connect());
    let url = source(&error).url().unwrap().as_str();
    assert!(url.starts_with(&other.origin()));
}

#[tokio::test]
async fn a_request_that_the_client_refuses_is_refused_once() {
    let (home, other) = (Server::http1("home").await, Server::http1("other").await);
    let layer = layer([home.origin(), other.origin()]);
    let client = layer.layer(builder().https_only(true).build().unwrap());
    let error = send(&client, post(&home.origin())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    assert_eq!(error.attempts().len(), 1);
    assert!(source(&error).is_builder());
    assert_eq!(ejected(&layer.handle(), &home.origin()), []);
}

#[tokio::test]
async fn what_is_no_url_for_http_gets_the_clients_own_error() {
    let home = Server::http1("home").await;
    let client = layer([home.origin(), "http://127.0.0.1:1".to_owned()]).layer(http1());
    for url in [
        "ftp://127.0.0.1/",
        "data:text/plain,hello",
        "https://{{hostname}}/",
    ] {
        let request = Request::new(Method::GET, url.parse().unwrap());
        let error = send(&client, request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfScope);
        assert!(source(&error).is_builder());
        assert_eq!(source(&error).url().unwrap().as_str(), url);
    }
}

#[tokio::test]
async fn reqwest_tries_a_refused_stream_three_times_and_the_layer_goes_on_from_there() {
    let (home, other) = (Server::h2c("home").await, Server::h2c("other").await);
    home.set(Fault::RefusedStream).await;
    let key = HeaderName::from_static("x-key");
    let layer = layer([home.origin(), other.origin()]).idempotency_key(key);
    let client = layer.layer(h2c());
    for method in [Method::GET, Method::PUT, Method::POST] {
        let (before, after) = (home.hits(), other.hits());
        let request = http1().request(method, home.origin()).body(PAYLOAD);
        let outcome = send(&client, request.build().unwrap()).await;
        assert_eq!(
            attempts(&outcome),
            ["Some(NeverSent) (not processed)", "None (200)"]
        );
        assert_eq!((home.hits() - before, other.hits() - after), (3, 1));
    }
}
