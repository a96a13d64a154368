//! A discovery that wants credentials, as LiveKit Cloud's does.

use bytes::Bytes;
use failover_cluster::{Fault, LiveKit};
use http::{HeaderMap, HeaderValue, Request, Response, header::AUTHORIZATION};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_failover::replay::ReplayBody;

use crate::support::*;

fn token() -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer token"))])
}

#[tokio::test]
async fn a_warm_up_and_a_refresh_show_the_credentials_they_are_given() {
    let livekit = LiveKit::start(2).await;
    let home = livekit.origin(0);
    let layer = layer();
    let client = client(&layer);
    let mut headers = token();
    headers.insert("content-type", HeaderValue::from_static("text/plain"));
    client.warm_up_with(&home, &headers).await.unwrap();
    layer.handle().refresh_with(&home, &headers).await.unwrap();
    let requests = livekit.region(0).requests_at(PATH);
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!(request.headers[AUTHORIZATION], "Bearer token");
        assert!(!request.headers.contains_key("content-type"));
    }
}

#[tokio::test]
async fn a_refresh_without_credentials_that_is_denied_keeps_no_call_from_its_list() {
    let livekit = LiveKit::start(2).await;
    let home = livekit.region(0);
    let denied = Fault::First(2, Box::new(Fault::Status(401)));
    home.set_at(PATH, denied).await;
    let layer = layer();
    let client = client(&layer);
    client.warm_up(home.origin()).await.unwrap_err();
    layer.handle().refresh(home.origin()).await.unwrap_err();
    let call = call(&home.origin(), r#"{"failRegions":[0]}"#);
    assert_eq!(answer(&client, call).await, (200, "region-1".to_owned()));
    assert_eq!(home.hits_at(PATH), 3);
}

/// Denies discovery to those without credentials, after a while, and calls to home always.
async fn strict(
    request: Request<ReplayBody<Full<Bytes>>>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (host, path) = (request.uri().host(), request.uri().path());
    let (status, body) = match (path == PATH, request.headers().contains_key(AUTHORIZATION)) {
        (true, true) => (200, r#"{"regions":[{"url":"http://b.example.com"}]}"#),
        (true, false) => {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            (401, "")
        }
        (false, _) if host == Some("a.example.com") => (503, ""),
        (false, _) => (200, ""),
    };
    let response = Response::builder().status(status).body(Full::from(body));
    Ok(response.unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_call_with_credentials_does_not_wait_for_a_fetch_without() {
    let layer = layer();
    let client = layer.layer(service_fn(strict));
    let home = "http://a.example.com";
    let call = |headers: HeaderMap| {
        let mut call = get(home);
        *call.headers_mut() = headers;
        client.clone().oneshot(call)
    };
    let refresh = tokio::spawn(client.warm_up(home));
    tokio::task::yield_now().await;
    let start = tokio::time::Instant::now();
    // Without credentials it might as well wait.
    let (with, without) = tokio::join!(call(token()), call(HeaderMap::new()));
    assert_eq!(with.unwrap().status(), 200);
    assert!(start.elapsed().as_secs() < 2);
    // Its own question was the one with credentials, which is what it joined.
    assert_eq!(without.unwrap().status(), 200);
    refresh.await.unwrap().unwrap_err();
}
