//! Discovery over HTTP/2 with prior knowledge: on the connection that carries the calls.

use bytes::Bytes;
use failover_cluster::{Fault, Server};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{Layer, ServiceExt};
use tower_failover::{Failover, FailoverLayer};

use crate::support::*;

fn client(layer: &FailoverLayer) -> Failover<HttpClient> {
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    layer.layer(client)
}

async fn regions() -> (Server, Server) {
    let (home, next) = (Server::h2c("home").await, Server::h2c("next").await);
    for region in [&home, &next] {
        let document = format!(r#"{{"regions":[{{"url":"{}"}}]}}"#, next.origin());
        let answer = Fault::Answer(200, Vec::new(), document.into());
        region.set_at(PATH, answer).await;
    }
    (home, next)
}

async fn served_by(client: &Failover<HttpClient>, home: &Server) -> String {
    let response = client.clone().oneshot(get(&home.origin())).await.unwrap();
    assert_eq!(response.status(), 200);
    response.headers()["x-region"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_list_comes_over_the_connection_of_the_call() {
    let (home, next) = regions().await;
    let client = client(&layer());
    assert_eq!(served_by(&client, &home).await, "home");
    home.set(Fault::Status(503)).await;
    assert_eq!(served_by(&client, &home).await, "next");
    assert_eq!((home.connections(), home.hits_at(PATH)), (1, 1));
    assert_eq!((next.hits(), next.hits_at(PATH)), (1, 0));
}

#[tokio::test]
async fn a_stream_that_is_refused_or_reset_leads_to_the_next_region() {
    for fault in [Fault::RefusedStream, Fault::ResetStream(2), Fault::GoAway] {
        let (home, _next) = regions().await;
        home.set(fault.clone()).await;
        let client = client(&layer());
        assert_eq!(served_by(&client, &home).await, "next", "{fault:?}");
        assert_eq!(home.hits_at(PATH), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_discovery_whose_stream_is_reset_is_made_elsewhere() {
    let (home, next) = regions().await;
    home.set(Fault::Status(503)).await;
    home.set_at(PATH, Fault::ResetStream(2)).await;
    let seed = next.origin();
    let client = client(&layer_with(|discovery| discovery.seeds([seed]).unwrap()));
    assert_eq!(served_by(&client, &home).await, "next");
    assert_eq!((home.hits_at(PATH), next.hits_at(PATH)), (1, 1));
}

#[tokio::test]
async fn an_endless_document_is_given_up_and_the_connection_lives_on() {
    let (home, _next) = regions().await;
    let endless = Fault::Endless(200, Vec::new());
    home.set_at(PATH, Fault::First(1, Box::new(endless))).await;
    let client = client(&layer());
    let error = client.warm_up::<Full<Bytes>, _>(home.origin()).await;
    assert!(error.unwrap_err().to_string().contains("64 KiB"));
    assert_eq!(served_by(&client, &home).await, "home");
    assert_eq!(home.connections(), 1);
}
