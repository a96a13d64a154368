//! A discovery that wants credentials, as LiveKit Cloud's does.

mod many;

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
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header::AUTHORIZATION};
use http_body_util::Full;
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_failover::{Budget, Error, Failover, FailoverLayer, Health, replay::ReplayBody};

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

type Shown = &'static [(&'static str, &'static str)];

/// A name that is written with a `!` is of a header whose value is marked as sensitive.
fn headers(shown: Shown) -> HeaderMap {
    let header = |(name, value): &(&'static str, &'static str)| {
        let mut value = HeaderValue::from_static(value);
        value.set_sensitive(name.starts_with('!'));
        let name = HeaderName::from_static(name.trim_start_matches('!'));
        (name, value)
    };
    shown.iter().map(header).collect()
}

/// How often anybody is asked for a list by a call with these headers, which finds none.
async fn questions(world: &World, client: &Failover<World>, shown: Shown) -> usize {
    world.take();
    let mut call = get(HOME);
    call.headers_mut().extend(headers(shown));
    assert_eq!(head_of(client, call).await.unwrap().status(), 503);
    world.questions()
}

/// A home that fails, and a layer that begins every call there, with a seed.
fn failing() -> (World, FailoverLayer) {
    let world = World::default();
    world.at(HOME, Act::Status(503));
    let layer = free_layer(|d| d.seeds(["http://seed.example.com"]).unwrap());
    (world, layer.health(Health::off()))
}

#[tokio::test(start_paused = true)]
async fn credentials_are_the_authorization_cookies_and_what_is_sensitive() {
    let cases: &[(Shown, Shown, bool)] = &[
        (&[], &[], true),
        (&[], &[("authorization", "a")], false),
        (&[("authorization", "a")], &[], false),
        (&[("authorization", "a")], &[("authorization", "a")], true),
        (&[("authorization", "a")], &[("authorization", "b")], false),
        (&[("authorization", "a")], &[("!authorization", "a")], true),
        (&[("cookie", "a")], &[("cookie", "a")], true),
        (&[("cookie", "a")], &[("cookie", "b")], false),
        (&[("cookie", "a")], &[("authorization", "a")], false),
        (&[("!x-api-key", "a")], &[("!x-api-key", "a")], true),
        (&[("!x-api-key", "a")], &[("!x-api-key", "b")], false),
        (&[("!x-api-key", "a")], &[("!x-other", "a")], false),
        (
            &[("authorization", "a"), ("cookie", "a")],
            &[("authorization", "a"), ("cookie", "b")],
            false,
        ),
        // Of others it is not known that they say who calls.
        (&[("x-api-key", "a")], &[("x-api-key", "b")], true),
        (&[("user-agent", "a")], &[], true),
        (
            &[("authorization", "a"), ("x-project", "a")],
            &[("authorization", "a"), ("x-project", "b")],
            true,
        ),
    ];
    for status in [401, 403] {
        for &(first, second, is_same) in cases {
            let (world, layer) = failing();
            world.on("?", Act::Status(status));
            let client = world.client(&layer);
            let what = format!("{status}, {first:?}, {second:?}");
            assert_eq!(questions(&world, &client, first).await, 2, "{what}");
            let expected = if is_same { 0 } else { 2 };
            assert_eq!(questions(&world, &client, second).await, expected, "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_answers_decides_whether_callers_were_denied() {
    let late = || Act::Hang;
    for (home, seed, is_denied) in [
        (Act::Status(401), Act::Refuse, true),
        (Act::Status(403), Act::Reset, true),
        (Act::Status(401), late(), true),
        (Act::Refuse, Act::Status(401), true),
        (Act::Status(401), Act::Status(403), true),
        (Act::Status(401), Act::Status(503), false),
        (Act::Status(500), Act::Status(403), false),
        (Act::Status(404), Act::Refuse, false),
        (Act::Refuse, Act::Refuse, false),
        (late(), late(), false),
    ] {
        let (world, layer) = failing();
        let what = format!("{home:?}, {seed:?}");
        world.on("http a:80?", home).on("http seed:80?", seed);
        let client = world.client(&layer);
        let (one, other): (Shown, Shown) = (&[("cookie", "a")], &[("cookie", "b")]);
        assert_eq!(questions(&world, &client, one).await, 2, "{what}");
        assert_eq!(questions(&world, &client, one).await, 0, "{what}");
        let expected = if is_denied { 2 } else { 0 };
        assert_eq!(questions(&world, &client, other).await, expected, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_denied_credentials_open_later_ends_the_denial() {
    const ONE: Shown = &[("authorization", "a")];
    for is_opened in [true, false] {
        let (world, layer) = failing();
        world.on("?", Act::Status(401));
        let client = world.client(&layer);
        assert_eq!(questions(&world, &client, ONE).await, 2);
        if is_opened {
            world.on("?", listing("max-age=1", &["http://other.example.com"]));
            let refresh = layer.handle().refresh_with(HOME, &headers(ONE));
            refresh.await.unwrap();
            // It expires long before the denial would.
            sleep(2 * S).await;
            world.on("?", Act::Status(401));
            world.on("http other:80", Act::Status(503));
        }
        let expected = if is_opened { 3 } else { 0 };
        assert_eq!(questions(&world, &client, ONE).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_denied_uses_the_list_that_another_opened() {
    let (world, layer) = failing();
    world.on("?", Act::Status(401));
    let client = world.client(&layer);
    let (one, other): (Shown, Shown) = (&[("cookie", "a")], &[("cookie", "b")]);
    assert_eq!(questions(&world, &client, one).await, 2);
    world.on("?", listing("max-age=60", &["http://other.example.com"]));
    for shown in [other, one] {
        let mut call = get(HOME);
        call.headers_mut().extend(headers(shown));
        assert_eq!(head_of(&client, call).await.unwrap().status(), 200);
    }
    assert_eq!(world.questions(), 1);
}
