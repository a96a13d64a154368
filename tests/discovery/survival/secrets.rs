//! What those are shown who are asked for a list, and what an error shows of them.

use std::net::Ipv4Addr;

use bytes::Bytes;
use failover_cluster::{Fault, LiveKit, Recorded, Server};
use http::{HeaderValue, Request};
use http_body_util::Full;
use tower_failover::{Discovery, FailoverLayer, Regions, discovery::DiscoveryError};

use crate::support::*;

/// Of another address than home, which is enough not to be trusted.
async fn stranger(list: &[String]) -> Server {
    let stranger = Server::http1_on("stranger", Ipv4Addr::new(127, 0, 0, 2)).await;
    let entries: Vec<_> = list
        .iter()
        .map(|url| format!(r#"{{"url":"{url}"}}"#))
        .collect();
    let list = format!(r#"{{"regions":[{}]}}"#, entries.join(","));
    let answer = Fault::Answer(200, Vec::new(), list.into());
    stranger.set_at(PATH, answer).await;
    stranger
}

/// A call that has something to hide.
fn secret_call(home: &str) -> Request<Full<Bytes>> {
    let mut call = get(home);
    let headers = call.headers_mut();
    for name in ["authorization", "cookie", "x-project", "x-api-key"] {
        headers.insert(name, HeaderValue::from_static("secret"));
    }
    call
}

fn names(request: &Recorded) -> Vec<&str> {
    let mut names: Vec<_> = request.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_seed_that_is_not_trusted_gets_no_header_of_the_callers() {
    let livekit = LiveKit::start(2).await;
    livekit.region(0).set(Fault::Refuse).await;
    let stranger = stranger(&[livekit.origin(1)]).await;
    let seed = stranger.origin();
    let client = client(&layer_with(|d| d.seeds([seed]).unwrap()));
    let (status, region) = answer(&client, secret_call(&livekit.origin(0))).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
    let asked = stranger.requests_at(PATH);
    assert_eq!(asked.len(), 1);
    assert_eq!(names(&asked[0]), ["accept", "host"]);
    assert_eq!(stranger.hits(), 1);
}

#[tokio::test]
async fn a_seed_that_is_trusted_gets_the_callers_headers() {
    let livekit = LiveKit::start(2).await;
    livekit.region(0).set(Fault::Refuse).await;
    let stranger = stranger(&[livekit.origin(1)]).await;
    let seed = stranger.origin();
    let client = client(&layer_with(|d| {
        d.seeds([seed]).unwrap().allow(["127.0.0.2"])
    }));
    let (status, region) = answer(&client, secret_call(&livekit.origin(0))).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
    let asked = stranger.requests_at(PATH);
    assert_eq!(asked.len(), 1);
    assert_eq!(
        names(&asked[0]),
        [
            "accept",
            "authorization",
            "cookie",
            "host",
            "x-api-key",
            "x-project"
        ]
    );
    assert_eq!(asked[0].headers["host"], stranger.authority());
}

#[tokio::test]
async fn home_and_its_regions_get_the_callers_headers() {
    let livekit = LiveKit::start(2).await;
    let client = client(&layer());
    client.warm_up(livekit.origin(0)).await.unwrap();
    livekit.region(0).set_at("/", Fault::Status(503)).await;
    livekit.region(0).set_at(PATH, Fault::Status(500)).await;
    let (status, region) = answer(&client, secret_call(&livekit.origin(0))).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
    for index in [0, 1] {
        let asked = livekit.region(index).requests_at(PATH);
        let asked = asked.last().unwrap();
        assert_eq!(asked.headers["authorization"], "secret", "region {index}");
        assert_eq!(asked.headers["x-project"], "secret", "region {index}");
    }
}

#[tokio::test]
async fn a_stranger_that_names_itself_is_not_called_unless_it_is_trusted() {
    for trusted in [false, true] {
        let livekit = LiveKit::start(1).await;
        livekit.region(0).set(Fault::Refuse).await;
        let stranger = stranger(&[]).await;
        let list = format!(r#"{{"regions":[{{"url":"{}"}}]}}"#, stranger.origin());
        let itself = Fault::Answer(200, Vec::new(), list.into());
        stranger.set_at(PATH, itself).await;
        let seed = stranger.origin();
        let client = client(&layer_with(|d| {
            let d = d.seeds([seed]).unwrap();
            if trusted { d.allow(["127.0.0.2"]) } else { d }
        }));
        let response = send(&client, secret_call(&livekit.origin(0))).await;
        assert_eq!(response.is_ok(), trusted);
        assert_eq!(stranger.hits_at("/"), usize::from(trusted));
        assert_eq!(stranger.hits_at(PATH), 1);
    }
}

const SECRET_PATH: &str = "/secret/path?token=secret";

/// Discovery at a path that is nobody's business.
fn secret_layer(set: impl FnOnce(Discovery) -> Discovery) -> FailoverLayer {
    FailoverLayer::new(Regions::discover(set(Discovery::http(SECRET_PATH))))
}

fn assert_shows_nothing(error: &DiscoveryError) {
    for shown in [
        format!("{error}"),
        format!("{error:?}"),
        format!("{error:#?}"),
    ] {
        for part in ["secret", "token", "path", "?"] {
            assert!(!shown.contains(part), "{shown}");
        }
    }
}

#[tokio::test]
async fn the_error_names_everyone_who_was_asked_and_what_was_wrong() {
    let livekit = LiveKit::start(3).await;
    livekit.region(0).set(Fault::Refuse).await;
    livekit.region(1).set(Fault::Status(404)).await;
    let location = vec![("location", "http://secret.example/token".to_owned())];
    livekit
        .region(2)
        .set(Fault::StatusWith(302, location))
        .await;
    let seeds = [livekit.origin(1), livekit.origin(2)];
    let layer = secret_layer(|d| d.seeds(seeds).unwrap());
    let client = client(&layer);
    let warmed = client.warm_up(livekit.origin(0)).await.unwrap_err();
    // Where nothing is left that would be quiet: a refresh asks again.
    let refreshed = layer.handle().refresh(livekit.origin(0)).await.unwrap_err();
    for error in [warmed, refreshed] {
        assert_shows_nothing(&error);
        let shown = error.to_string();
        for (index, fault) in [(0, "not reached"), (1, "404"), (2, "302")] {
            let part = format!("{} ({fault}", livekit.origin(index));
            assert!(shown.contains(&part), "{part} is not in: {shown}");
        }
    }
    assert_eq!(livekit.region(1).hits_at("/secret/path"), 2);
}

#[tokio::test(start_paused = true)]
async fn the_error_names_those_too_who_did_not_answer_in_time() {
    let world = World::default();
    world
        .on("a?", Act::Hang)
        .on("s?", Act::Status(500))
        .on("t?", Act::Hang);
    let seeds = [origin("s"), origin("t")];
    let client = world.client(&layer_with(|d| d.seeds(seeds).unwrap()));
    let error = client.warm_up(origin("a")).await.unwrap_err();
    assert_eq!(world.log(), ["a?", "s?", "t?"]);
    let shown = error.to_string();
    for (host, fault) in [
        ("a", "no answer in time"),
        ("s", "500"),
        ("t", "no answer in time"),
    ] {
        let part = format!("{} ({fault}", origin(host));
        assert!(shown.contains(&part), "{part} is not in: {shown}");
    }
}
