//! The layer's own requests through a client of reqwest's: probes, and questions to discovery.

use std::{sync::Arc, time::Duration};

use ::reqwest::{Client, Request};
use bytes::Bytes;
use failover_cluster::{Fault, LiveKit, Server};
use http::HeaderMap;
use reqwest_middleware::ClientBuilder;
use tower::Layer;
use tower_failover::{
    Backoff, Discovery, Failover, FailoverLayer, Health, RegionState, Regions,
    reqwest::FailoverMiddleware,
};

use super::support::*;
use crate::support::within;

const PATH: &str = "/settings/regions";

fn discovering() -> FailoverLayer {
    FailoverLayer::new(Regions::discover(Discovery::http(PATH)))
        .backoff(Backoff::exponential(Duration::ZERO, Duration::ZERO))
}

/// A replayable call of the project's API.
fn call(origin: &str) -> Request {
    let url = format!("{origin}/twirp/livekit.RoomService/CreateRoom");
    let request = http1().post(url).bearer_auth(LiveKit::SECRET);
    let request = request.header("idempotency-key", "one").body("{}");
    request.build().unwrap()
}

/// Waits until the region that has just been out is back.
async fn restored(layer: &FailoverLayer, home: &str) {
    let handle = layer.handle();
    within(async {
        while handle.regions(home)[0].state() == RegionState::Ejected {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn regions_are_discovered_through_the_client() {
    let livekit = LiveKit::start(2).await;
    livekit.region(0).set(Fault::Status(503)).await;
    livekit.region(0).set_at(PATH, Fault::None).await;
    let client = discovering().layer(http1());
    let response = send(&client, call(&livekit.origin(0))).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.url().as_str().starts_with(&livekit.origin(1)));
    assert_eq!(livekit.region(0).hits_at(PATH), 1);
}

#[tokio::test]
async fn regions_can_be_fetched_beforehand() {
    let livekit = LiveKit::start(2).await;
    let headers = HeaderMap::new();
    let client = discovering().layer(http1());
    client
        .warm_up_reqwest(livekit.origin(0), &headers)
        .await
        .unwrap();
    assert_eq!(livekit.region(0).hits_at(PATH), 1);

    let middleware = FailoverMiddleware::new(discovering(), http1());
    middleware
        .warm_up(livekit.origin(0), &headers)
        .await
        .unwrap();
    assert_eq!(livekit.region(0).hits_at(PATH), 2);
}

#[tokio::test]
async fn a_list_that_came_by_redirect_is_not_heeded() {
    let livekit = LiveKit::start(2).await;
    let home = livekit.region(0);
    home.set(Fault::Status(503)).await;
    for to in [livekit.origin(1) + PATH, "/elsewhere".to_owned()] {
        let list = format!(
            r#"{{"regions":[{{"region":"b","url":"{}"}}]}}"#,
            livekit.origin(1)
        );
        let list = Fault::Answer(200, Vec::new(), Bytes::from(list));
        home.set_at("/elsewhere", list).await;
        let redirect = Fault::StatusWith(302, vec![("location", to)]);
        home.set_at(PATH, redirect).await;
        let client = discovering().layer(http1());
        let response = send(&client, call(&home.origin())).await.unwrap();
        assert_eq!(response.status(), 503);
        let twirp = "/twirp/livekit.RoomService/CreateRoom";
        assert_eq!(livekit.region(1).hits_at(twirp), 0);
        let headers = HeaderMap::new();
        let error = client
            .warm_up_reqwest(home.origin(), &headers)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("redirect"), "{error}");
    }
}

fn probed([home, other]: [&Server; 2]) -> FailoverLayer {
    let every = Duration::from_millis(5);
    FailoverLayer::new(Regions::fixed([home.origin(), other.origin()]).unwrap())
        .health(Health::default().probe_every(every, every))
}

fn get(home: &Server) -> Request {
    let url = format!("{}/path", home.origin());
    http1().get(url).build().unwrap()
}

async fn eject(client: &Failover<Client>, home: &Server) {
    home.set(Fault::Refuse).await;
    let response = send(client, get(home)).await.unwrap();
    assert_eq!(region(&response), "other");
}

#[tokio::test]
async fn probes_bring_a_region_back_through_the_client() {
    let (home, other) = (Server::http1("home").await, Server::http1("other").await);
    let layer = probed([&home, &other]);
    eject(&layer.layer(http1()), &home).await;
    home.set(Fault::None).await;
    restored(&layer, &home.origin()).await;
    assert_eq!(home.requests()[0].method, "HEAD");
}

#[tokio::test]
async fn a_probe_that_is_redirected_to_a_failing_host_is_a_sign_of_life() {
    let (home, other) = (Server::http1("home").await, Server::http1("other").await);
    let host = Server::http1("host").await;
    host.set(Fault::Status(503)).await;
    let layer = probed([&home, &other]);
    eject(&layer.layer(http1()), &home).await;
    let redirect = vec![("location", host.origin())];
    home.set(Fault::StatusWith(302, redirect)).await;
    restored(&layer, &home.origin()).await;
}

#[tokio::test]
async fn the_middleware_probes_past_other_middleware_after_its_call_is_over() {
    let (home, other) = (Server::http1("home").await, Server::http1("other").await);
    let layer = probed([&home, &other]);
    home.set(Fault::Refuse).await;
    let client = Arc::new(
        ClientBuilder::new(http1())
            .with(FailoverMiddleware::new(layer.clone(), http1()))
            .build(),
    );
    let response = within(client.execute(get(&home))).await.unwrap();
    assert_eq!(region(&response), "other");
    home.set(Fault::None).await;
    restored(&layer, &home.origin()).await;
}

/// With a `303` reqwest asks the other host, as the docs say.
#[tokio::test]
async fn a_question_that_is_redirected_goes_nowhere() {
    for status in [301, 302, 307, 308] {
        let livekit = LiveKit::start(2).await;
        let elsewhere = Server::http1("elsewhere").await;
        let home = livekit.region(0);
        home.set(Fault::Status(503)).await;
        let to = format!("{}/list", elsewhere.origin());
        let to = to.replace("127.0.0.1", "localhost");
        let redirect = Fault::StatusWith(status, vec![("location", to)]);
        home.set_at(PATH, redirect).await;
        let client = discovering().layer(http1());
        let mut request = call(&livekit.origin(0));
        let key = "a secret".parse().unwrap();
        request.headers_mut().insert("x-api-key", key);
        let response = send(&client, request).await.unwrap();
        assert_eq!(response.status(), 503, "{status}");
        assert_eq!(home.hits_at(PATH), 1, "{status}");
        assert_eq!(elsewhere.hits(), 0, "{status}");
    }
}
