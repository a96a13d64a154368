//! A discovery that wants credentials, as LiveKit Cloud's does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use failover_cluster::{Fault, LiveKit};
use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, Request, Response, header::AUTHORIZATION};
use http_body_util::Full;
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_failover::{Budget, Error, Health, replay::ReplayBody};

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

/// Denies discovery to those without the right token, after a while, and calls to home always.
async fn strict(
    request: Request<ReplayBody<Full<Bytes>>>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (host, path) = (request.uri().host(), request.uri().path());
    let shown = request.headers().get(AUTHORIZATION);
    let (status, body) = match (path == PATH, shown.is_some_and(|token| token == GOOD)) {
        (true, true) => (200, r#"{"regions":[{"url":"http://b.example.com"}]}"#),
        (true, false) => {
            sleep(S).await;
            (401, "")
        }
        (false, _) if host == Some("a.example.com") => (503, ""),
        (false, _) => (200, ""),
    };
    let response = Response::builder().status(status).body(Full::from(body));
    Ok(response.unwrap())
}

const HOME: &str = "http://a.example.com";
const GOOD: &str = "Bearer token";
const S: Duration = Duration::from_secs(1);

/// Calls home with this token; the status and how long it took.
async fn status_with<C>(client: C, token: Option<&'static str>) -> (u16, Duration)
where
    C: Service<Request<Full<Bytes>>, Response = Response<Full<Bytes>>, Error = Error>,
{
    let mut call = get(HOME);
    if let Some(token) = token {
        let token = HeaderValue::from_static(token);
        call.headers_mut().insert(AUTHORIZATION, token);
    }
    let begin = Instant::now();
    let response = client.oneshot(call).await.unwrap();
    (response.status().as_u16(), begin.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_call_asks_itself_where_a_fetch_that_it_waited_for_was_denied() {
    // Denied are a fetch that nobody called for, a call without credentials, one with expired ones.
    for token in [None, Some("Bearer expired")] {
        let layer = layer().budget(Budget::unlimited()).health(Health::off());
        let client = layer.layer(service_fn(strict));
        let refresh = tokio::spawn(client.warm_up(HOME));
        tokio::task::yield_now().await;
        let (denied, good) = tokio::join!(
            status_with(client.clone(), token),
            status_with(client.clone(), Some(GOOD)),
        );
        assert_eq!(good, (200, S));
        // Denied a second time or not, it uses what the other has found.
        assert_eq!(denied.0, 200);
        refresh.await.unwrap().unwrap_err();
    }
}

#[tokio::test(start_paused = true)]
async fn one_callers_expired_credentials_keep_no_other_from_its_list() {
    let layer = layer().budget(Budget::unlimited()).health(Health::off());
    let client = layer.layer(service_fn(strict));
    let expired = status_with(client.clone(), Some("Bearer expired")).await;
    assert_eq!(expired, (503, S));
    let good = status_with(client.clone(), Some(GOOD)).await;
    assert_eq!(good, (200, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn callers_with_the_same_credentials_are_denied_together_and_not_again_for_a_while() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let layer = layer().budget(Budget::unlimited()).health(Health::off());
    let client = layer.layer(service_fn(move |request: Request<_>| {
        let is_question = request.uri().path() == PATH;
        count.fetch_add(usize::from(is_question), Ordering::Relaxed);
        strict(request)
    }));
    let asked = || asked.swap(0, Ordering::Relaxed);
    let expired = || status_with(client.clone(), Some("Bearer expired"));
    let together = join_all((0..200).map(|_| expired())).await;
    assert!(together.iter().all(|outcome| *outcome == (503, S)));
    assert_eq!(asked(), 1);
    sleep(4 * S).await;
    assert_eq!(expired().await, (503, Duration::ZERO));
    assert_eq!(asked(), 0);
    sleep(11 * S).await;
    assert_eq!(expired().await, (503, S));
    assert_eq!(asked(), 1);
}
