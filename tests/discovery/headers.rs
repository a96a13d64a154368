use std::{
    fmt::Debug,
    future::ready,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use failover_cluster::{Fault, LiveKit, Recorded, Server};
use http::{HeaderName, Method, Request, header::HOST};
use http_body_util::Full;
use tower::{BoxError, service_fn};
use tower_failover::{
    Discovery, FailoverLayer, Health, Query, Region, RegionList, Regions, Served,
};

use crate::support::*;

const KEY: HeaderName = HeaderName::from_static("x-request-key");

/// Of the caller's, and for everybody who serves the home.
const CARRIED: &[(&str, &str)] = &[
    ("authorization", "Bearer secret"),
    ("cookie", "session=secret"),
    ("user-agent", "tests/1.0"),
    ("x-lk-mock", r#"{"failRegions":[0]}"#),
    ("x-project", "stage"),
    ("x-project", "light"),
];

/// Of the call, and nobody's business besides.
const OF_THE_CALL: &[(&str, &str)] = &[
    ("accept", "text/html"),
    ("accept-encoding", "gzip, br"),
    ("content-type", "application/json"),
    ("content-language", "en"),
    ("content-encoding", "identity"),
    ("content-digest", "sha-256=:AAAA:"),
    ("if-match", "\"a\""),
    ("if-none-match", "\"b\""),
    ("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ("if-unmodified-since", "Thu, 01 Jan 2099 00:00:00 GMT"),
    ("if-range", "\"c\""),
    ("range", "bytes=0-9"),
    ("te", "trailers"),
    ("grpc-timeout", "60S"),
    ("grpc-encoding", "gzip"),
    ("idempotency-key", "one"),
    ("x-request-key", "two"),
    ("x-http-method-override", "PUT"),
    ("connection", "x-hop, X-Other-Hop"),
    ("x-hop", "one"),
    ("x-other-hop", "two"),
];

fn call_with_headers(origin: &str) -> Request<Full<Bytes>> {
    let call = Request::post(format!("{origin}/twirp/livekit.RoomService/CreateRoom?a=b"));
    let headers = CARRIED.iter().chain(OF_THE_CALL);
    let call = headers.fold(call, |call, (name, value)| call.header(*name, *value));
    call.body(Full::from(r#"{"name":"stage"}"#))
        .expect("a request")
}

/// What a request for the list has in it, besides that it is one.
fn headers(server: &Server, request: &Recorded) -> Vec<(String, String)> {
    assert_eq!(request.method, Method::GET);
    assert_eq!(request.uri, PATH, "without the query of the call");
    assert!(request.complete && request.body.is_empty() && request.trailers.is_none());
    let text = |value: &http::HeaderValue| value.to_str().expect("ASCII").to_owned();
    let headers = request.headers.iter();
    let mut headers: Vec<_> = headers.map(|(n, v)| (n.to_string(), text(v))).collect();
    headers.sort();
    let own = [
        ("accept".to_owned(), "application/json".to_owned()),
        ("host".to_owned(), server.authority()),
    ];
    for header in own {
        let place = headers.iter().position(|other| *other == header);
        headers.remove(place.unwrap_or_else(|| panic!("{header:?} in {headers:?}")));
    }
    headers
}

/// The headers of the only request for the list that came to this server.
fn headers_at(server: &Server) -> Vec<(String, String)> {
    let requests = server.requests_at(PATH);
    assert_eq!(requests.len(), 1);
    headers(server, &requests[0])
}

fn carried() -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
    let mut headers: Vec<_> = CARRIED.iter().map(owned).collect();
    headers.sort();
    headers
}

#[tokio::test]
async fn home_and_its_regions_get_what_the_caller_sends_and_nothing_of_the_call() {
    let livekit = LiveKit::start(3).await;
    livekit.region(0).set_at(PATH, Fault::Status(500)).await;
    let layer = layer().idempotency_key(KEY);
    let known = [0, 1].map(|n| Region::new(n.to_string(), livekit.origin(n)).unwrap());
    let known = RegionList::new(known.into()).ttl(Duration::ZERO);
    layer
        .handle()
        .set_regions(livekit.origin(0), known)
        .unwrap();
    let call = call_with_headers(&livekit.origin(0));
    let (status, region) = answer(&client(&layer), call).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
    assert_eq!(asked(&livekit), [1, 1, 0]);
    assert_eq!(headers_at(livekit.region(0)), carried());
    assert_eq!(headers_at(livekit.region(1)), carried());
}

#[tokio::test]
async fn the_call_itself_keeps_all_its_headers() {
    let livekit = LiveKit::start(2).await;
    let layer = layer().idempotency_key(KEY);
    let call = call_with_headers(&livekit.origin(0));
    let (status, region) = answer(&client(&layer), call).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
    for region in livekit.regions() {
        let requests = region.requests();
        let call = requests.iter().find(|r| r.method == Method::POST);
        let headers = &call.expect("the call").headers;
        for (name, value) in CARRIED.iter().chain(OF_THE_CALL) {
            // What is left of a time is less than all of it.
            if *name != "grpc-timeout" {
                let mut values = headers.get_all(*name).iter();
                assert!(values.any(|other| other == value), "{name}");
            }
        }
        assert_eq!(headers["content-length"], "16");
    }
}

#[tokio::test]
async fn a_host_of_the_callers_own_goes_along_and_that_of_home_does_not() {
    for own in [None, Some("virtual.example.com"), Some("127.0.0.1")] {
        let livekit = LiveKit::start(3).await;
        livekit.region(0).set_at(PATH, Fault::Status(500)).await;
        let seed = livekit.origin(2);
        let layer = layer_with(|discovery| discovery.seeds([seed]).unwrap());
        let mut call = call(&livekit.origin(0), r#"{"failRegions":[0]}"#);
        let host = own.map_or_else(|| livekit.region(0).authority(), str::to_owned);
        call.headers_mut().insert("host", host.parse().unwrap());
        let (status, region) = answer(&client(&layer), call).await;
        assert_eq!((status, region.as_str()), (200, "region-1"));
        assert_eq!(asked(&livekit), [1, 0, 1]);
        for region in [livekit.region(0), livekit.region(2)] {
            let question = region.requests_at(PATH).remove(0);
            let expected = own.map_or_else(|| region.authority(), str::to_owned);
            assert_eq!(question.headers["host"], expected);
        }
        let replay = livekit.region(1).requests().remove(0);
        let expected = own.map_or_else(|| livekit.region(1).authority(), str::to_owned);
        assert_eq!(replay.headers["host"], expected);
    }
}

/// What a question and the replay after it have of the `Host` of a call and of its region.
async fn hosts_of(host: &str) -> (Option<String>, String) {
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    let asked_with = Arc::<Mutex<Option<String>>>::default();
    let found = asked_with.clone();
    let source = service_fn(move |query: Query| {
        *found.lock().unwrap() = query.headers().get(HOST).map(text);
        ready(Ok::<_, BoxError>(regions_of(&["a", "b"])))
    });
    let world = World::default();
    world.on("a", Act::Status(503));
    let client = world.client(&layer_of(Discovery::service(source)));
    let mut call = get_of("a");
    call.headers_mut().insert(HOST, host.parse().unwrap());
    assert_eq!(head_of(&client, call).await.unwrap().status(), 200);
    assert_eq!(world.log(), ["a", "b"]);
    let replay = text(&world.calls()[1].headers[HOST]);
    let asked_with = asked_with.lock().unwrap().clone();
    (asked_with, replay)
}

#[tokio::test(start_paused = true)]
async fn a_host_that_names_home_in_any_way_stays_with_the_call() {
    for host in ["a.example.com", "A.Example.COM", "a.example.com:443"] {
        let (question, replay) = hosts_of(host).await;
        assert_eq!(question, None, "{host}");
        assert_eq!(replay.trim_end_matches(":443"), "b.example.com", "{host}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_names_another_goes_with_the_question_and_the_replay() {
    for host in ["a", "b.example.com", "a.example.com:80", "virtual:8443"] {
        let host = host.to_owned();
        assert_eq!(hosts_of(&host).await, (Some(host.clone()), host));
    }
}

#[tokio::test]
async fn a_header_that_connection_does_not_name_goes_along() {
    for (connection, expected) in [("x-other", Some("one")), ("x-other, X-Hop", None)] {
        let livekit = LiveKit::start(2).await;
        let mut call = call(&livekit.origin(0), r#"{"failRegions":[0]}"#);
        for (name, value) in [("connection", connection), ("x-hop", "one")] {
            call.headers_mut().insert(name, value.parse().unwrap());
        }
        let (status, region) = answer(&client(&layer()), call).await;
        assert_eq!((status, region.as_str()), (200, "region-1"));
        let question = livekit.region(0).requests_at(PATH).remove(0);
        let hop = question.headers.get("x-hop");
        assert_eq!(hop.map(|value| value.to_str().unwrap()), expected);
        assert_eq!(asked(&livekit), [1, 0]);
    }
}

#[tokio::test]
async fn a_key_that_the_layer_made_stays_with_the_call() {
    let livekit = LiveKit::start(2).await;
    let layer = layer().idempotency_key(KEY);
    let call = Request::post(format!("{}/", livekit.origin(0)));
    let call = call.body(Full::from("a")).unwrap();
    livekit.region(0).set(Fault::Status(503)).await;
    livekit.region(0).set_at(PATH, Fault::None).await;
    send(&client(&layer), call).await.unwrap();
    assert_eq!(
        livekit.region(1).requests()[0]
            .headers
            .get_all(KEY)
            .iter()
            .count(),
        1
    );
    assert_eq!(headers_at(livekit.region(0)), []);
}

#[tokio::test]
async fn a_seed_gets_the_callers_headers_only_where_it_is_trusted() {
    let home = LiveKit::start_on(Ipv4Addr::new(127, 0, 0, 2), 2).await;
    let trusted = home.region(1);
    let untrusted = Server::http1("untrusted").await;
    home.region(0).set_at(PATH, Fault::Status(500)).await;
    trusted.set_at(PATH, Fault::Status(500)).await;
    untrusted.set_at(PATH, lists(&[trusted.origin()])).await;
    let seeds = [trusted.origin(), untrusted.origin()];
    let layer = layer_with(|d| d.seeds(seeds).unwrap()).idempotency_key(KEY);
    let call = call_with_headers(&home.origin(0));
    let (status, region) = answer(&client(&layer), call).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
    assert_eq!(asked(&home), [1, 1]);
    assert_eq!(headers_at(home.region(0)), carried());
    assert_eq!(headers_at(trusted), carried());
    assert_eq!(headers_at(&untrusted), []);
    // It is no region: nobody calls it.
    assert_eq!(untrusted.hits(), 1);
}

#[tokio::test]
async fn an_allowed_seed_gets_the_callers_headers() {
    let home = LiveKit::start_on(Ipv4Addr::new(127, 0, 0, 2), 2).await;
    let seed = Server::http1("seed").await;
    home.region(0).set_at(PATH, Fault::Status(500)).await;
    seed.set_at(PATH, lists(&[home.origin(1)])).await;
    let origin = seed.origin();
    let layer = layer_with(|d| d.seeds([origin]).unwrap().allow(["127.0.0.1"]));
    let layer = layer.idempotency_key(KEY);
    let call = call_with_headers(&home.origin(0));
    let (status, region) = answer(&client(&layer), call).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
    assert_eq!(headers_at(&seed), carried());
}

#[tokio::test]
async fn a_list_that_no_call_asks_for_is_asked_without_a_callers_headers() {
    let livekit = LiveKit::start(2).await;
    let (home, layer) = (livekit.region(0), layer());
    let client = client(&layer);
    let warm_up = client.warm_up::<Full<Bytes>, _>(home.origin());
    warm_up.await.unwrap();
    // A call comes by, but does not need it.
    let call = call(&livekit.origin(1), "{}");
    assert_eq!(answer(&client, call).await, (200, "region-1".to_owned()));
    layer.handle().refresh(home.origin()).await.unwrap();
    let requests = home.requests_at(PATH);
    assert_eq!(requests.len(), 2);
    for request in &requests {
        assert_eq!(headers(home, request), []);
    }
}

const SECRETS: &[&str] = &[
    "secret-header",
    "secret-cookie",
    "secret-call",
    "secret-query",
    "secret-body",
    "secret-user",
    "secret-discovery",
    "secret-entry",
    "secret-document",
    "secret-location",
    "secret-service",
    "secret-setting",
    "secret-path",
];

#[track_caller]
fn assert_silent(text: impl AsRef<str>) {
    let text = text.as_ref();
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[track_caller]
fn assert_debug_silent(value: &impl Debug) {
    assert_silent(format!("{value:?} {value:#?}"));
}

/// A call with a secret in every part of it.
fn secret_call(home: &str) -> Request<Full<Bytes>> {
    let (scheme, authority) = home.split_once("://").expect("a scheme");
    Request::get(format!(
        "{scheme}://secret-user:secret-user@{authority}/secret-call?token=secret-query"
    ))
    .header("authorization", "Bearer secret-header")
    .header("cookie", "session=secret-cookie")
    .body(Full::from("secret-body"))
    .expect("a request")
}

const SECRET_PATH: &str = "/secret-discovery?token=secret-discovery";

fn secret_layer() -> FailoverLayer {
    let discovery = Discovery::http(SECRET_PATH).timeout(Duration::from_secs(1));
    FailoverLayer::new(Regions::discover(discovery))
        .backoff(no_wait())
        .health(Health::off())
}

#[tokio::test]
async fn nothing_of_a_call_or_a_list_is_logged_but_origins() {
    let events = Events::capture();
    let other = Server::http1("other").await;
    let secret_list = |origin: &str| {
        let (scheme, authority) = other
            .origin()
            .replace("://", " ")
            .split_once(' ')
            .map(|(s, a)| (s.to_owned(), a.to_owned()))
            .unwrap();
        format!(
            r#"{{"regions":[
                {{"url":"{scheme}://secret-entry:secret-entry@{authority}"}},
                {{"url":"{origin}/secret-entry"}},
                {{"url":"{origin}?secret-entry"}},
                {{"url":"{origin}#secret-entry"}},
                {{"url":"secret-entry"}},
                {{"url":"{origin}","secret-entry":"secret-entry","region":"\u202esecret-entry"}}
            ],"secret-document":"secret-document"}}"#
        )
    };
    let good = Fault::Answer(200, Vec::new(), secret_list(&other.origin()).into());
    let location = vec![(
        "location",
        "http://secret-location/secret-location".to_owned(),
    )];
    let text = |text: &'static str| Fault::Answer(200, Vec::new(), text.into());
    for (list, expected) in [
        (good, "regions refreshed"),
        (Fault::Status(500), "discovery failed"),
        (Fault::StatusWith(302, location), "discovery failed"),
        (text("secret-document"), "discovery failed"),
        (text(r#"{"regions":"secret-document"}"#), "discovery failed"),
        (text(r#"{"secret-document"}"#), "discovery failed"),
        (Fault::Close, "discovery failed"),
        (Fault::Garbage, "discovery failed"),
        (Fault::BlackHole, "discovery failed"),
    ] {
        let home = Server::http1("home").await;
        home.set(Fault::Close).await;
        home.set_at("/secret-discovery", list).await;
        let layer = secret_layer();
        let client = client(&layer);
        match send(&client, secret_call(&home.origin())).await {
            Ok(response) => assert_debug_silent(response.extensions().get::<Served>().unwrap()),
            Err(error) => {
                assert_silent(error.to_string());
                assert_debug_silent(&error);
            }
        }
        assert_eq!(home.requests_at("/secret-discovery").len(), 1);
        assert_eq!(home.requests_at("/secret-discovery")[0].uri, SECRET_PATH);
        let refresh = layer.handle().refresh(home.origin());
        assert_debug_silent(&refresh);
        if let Err(error) = refresh.await {
            assert_silent(error.to_string());
            assert_debug_silent(&error);
        }
        assert_debug_silent(&layer);
        assert_debug_silent(&layer.handle());
        assert_debug_silent(&layer.handle().snapshot());
        assert_debug_silent(&client);
        let lines = events.take();
        let messages: Vec<_> = lines.iter().map(|line| &line.message).collect();
        assert!(
            messages.contains(&&"attempt failed".to_owned()),
            "{messages:?}"
        );
        assert!(messages.contains(&&expected.to_owned()), "{messages:?}");
        lines.iter().for_each(assert_debug_silent);
    }
}

#[tokio::test]
async fn nothing_of_a_service_that_finds_regions_is_logged_but_that_it_failed() {
    let events = Events::capture();
    let source = service_fn(|query: Query| {
        assert_eq!(query.headers()["authorization"], "Bearer secret-header");
        assert_debug_silent(&query);
        ready(Err::<RegionList, BoxError>("secret-service".into()))
    });
    let layer = FailoverLayer::new(Regions::discover(Discovery::service(source)));
    let home = Server::http1("home").await;
    home.set(Fault::Close).await;
    let error = send(&client(&layer), secret_call(&home.origin())).await;
    let error = error.unwrap_err();
    assert_silent(error.to_string());
    assert_debug_silent(&error);
    let lines = events.take();
    assert!(lines.iter().any(|line| line.message == "discovery failed"));
    lines.iter().for_each(assert_debug_silent);
    assert_eq!(home.hits(), 1);
}

#[test]
fn nothing_of_a_setting_that_is_refused_is_logged() {
    let events = Events::capture();
    for discovery in [
        Discovery::http("secret-path"),
        Discovery::http("/secret-path with blanks"),
        Discovery::http("/").hosts(["secret-setting@127.0.0.1"]),
        Discovery::http("/").hosts([""; 0]),
        Discovery::http("/").allow(["https://secret-setting.example.com"]),
    ] {
        assert_debug_silent(&discovery);
        let error = discovery.validate().unwrap_err();
        assert_silent(error.to_string());
        assert_debug_silent(&error);
    }
    let error = Discovery::http("/").seeds(["http://secret-setting@127.0.0.1"]);
    let error = error.unwrap_err();
    assert_silent(error.to_string());
    assert_debug_silent(&error);
    let lines = events.take();
    assert_eq!(lines.len(), 5, "{lines:?}");
    lines.iter().for_each(assert_debug_silent);
}
