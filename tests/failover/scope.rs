use std::{error::Error as _, future::ready, io, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request, Version};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt};
use tower_failover::{Attempt, ErrorKind, FailoverLayer, Override, Regions, Replay, Served};

use crate::support::{Act, Script, get, layer, no_wait, request, timed};

/// Everything that a layer can do to a request, switched on.
fn eager() -> FailoverLayer {
    layer(3)
        .backoff(no_wait())
        .replay(Replay::Always)
        .retry_same_region(true)
        .mark_first_attempt(true)
        .total_timeout(Duration::from_secs(1))
        .idempotency_key(HeaderName::from_static("x-key"))
}

const OUTSIDE: [&str; 8] = [
    "http://elsewhere/x?y",
    "https://a/x?y",
    "http://a:8080/x?y",
    "http://a.b/x?y",
    "http://aa/x?y",
    "ws://a/x?y",
    "http://a@elsewhere/x?y",
    "*",
];

#[tokio::test(start_paused = true)]
async fn a_request_out_of_scope_is_sent_once_whatever_is_answered() {
    for uri in OUTSIDE {
        for status in [200, 404, 421, 429, 451, 500, 503, 504] {
            let script = Script::new([Act::Status(status)]);
            let response = eager().layer(script.clone()).oneshot(get(uri)).await;
            let response = response.unwrap();
            assert_eq!(response.status(), status, "{uri}");
            assert!(response.extensions().get::<Served>().is_none(), "{uri}");
            assert_eq!(script.seen().len(), 1, "{uri} {status}");
            assert_eq!(script.seen()[0].uri, uri);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_out_of_scope_is_not_replayed_and_stays_the_source() {
    for uri in OUTSIDE {
        for kind in [
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::TimedOut,
        ] {
            let script = Script::new([Act::Fail(kind)]);
            let error = eager().layer(script.clone()).oneshot(get(uri)).await;
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OutOfScope, "{uri}");
            assert!(error.attempts().is_empty());
            assert_eq!(error.stop(), None);
            let source: &io::Error = error.source().unwrap().downcast_ref().unwrap();
            assert_eq!(source.kind(), kind);
            assert_eq!(script.seen().len(), 1, "{uri} {kind}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_out_of_scope_reaches_the_inner_service_as_it_came() {
    let script = Script::new([Act::Status(503)]);
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", "7".parse().unwrap());
    let body = Full::<Bytes>::from("body").with_trailers(ready(Some(Ok(trailers.clone()))));
    let uri = "http://user:secret@Elsewhere:80/x%20y?z";
    let request = Request::post(uri)
        .version(Version::HTTP_2)
        .header("host", "a")
        .header("accept", "one")
        .header("accept", "two")
        .header("grpc-timeout", "5S")
        .extension(7_u32)
        .extension(Override::new().max_attempts(3))
        .body(body)
        .unwrap();
    let headers = request.headers().clone();
    let client = eager().layer(script.clone());
    client.oneshot(request).await.unwrap();

    let [seen] = &script.seen()[..] else {
        panic!("sent more than once");
    };
    assert_eq!(seen.method, Method::POST);
    assert_eq!(seen.uri.to_string(), uri);
    assert_eq!(seen.version, Version::HTTP_2);
    assert_eq!(seen.headers, headers);
    assert_eq!(seen.body, "body");
    assert_eq!(seen.trailers, Some(trailers));
    assert_eq!(seen.extensions.get(), Some(&7_u32));
    assert!(seen.extensions.get::<Override>().is_some());
    assert!(seen.extensions.get::<Attempt>().is_none());
    assert_eq!(seen.extensions.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_timeout_of_the_layer_ends_a_request_out_of_scope() {
    let hour = Duration::from_secs(3600);
    let script = Script::new([Act::After(hour, Act::Status(200).into())]);
    let mut request = get("http://elsewhere/");
    let headers = request.headers_mut();
    headers.insert("grpc-timeout", "1m".parse().unwrap());
    let client = eager().layer(script.clone());
    let (response, took) = timed(client.oneshot(request)).await;
    assert_eq!(response.unwrap().status(), 200);
    assert_eq!(took, hour);
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn failures_out_of_scope_say_nothing_of_the_regions() {
    let script = Script::new([
        Act::Fail(io::ErrorKind::ConnectionRefused),
        Act::Status(503),
        Act::Status(503),
    ]);
    let client = eager().layer(script.clone());
    for _ in 0..3 {
        let _ = client.clone().oneshot(get("http://elsewhere/")).await;
    }
    client.oneshot(get("http://a/")).await.unwrap();
    let elsewhere = "elsewhere";
    assert_eq!(script.asked(), [elsewhere, elsewhere, elsewhere, "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_path_alone_goes_to_the_first_region_and_on_from_there() {
    let script = Script::new([Act::Status(503)]);
    let client = layer(2).layer(script.clone());
    let response = client.oneshot(get("/x?y")).await.unwrap();
    assert_eq!(response.status(), 200);
    let uris: Vec<_> = script.seen().iter().map(|s| s.uri.to_string()).collect();
    assert_eq!(uris, ["http://a/x?y", "http://b/x?y"]);
}

#[tokio::test(start_paused = true)]
async fn a_path_alone_that_succeeds_is_sent_once_and_not_marked() {
    let script = Script::default();
    let client = layer(2).layer(script.clone());
    let mut request = get("/x?y");
    request
        .headers_mut()
        .insert("host", "proxy".parse().unwrap());
    let response = client.oneshot(request).await.unwrap();
    assert!(response.extensions().get::<Served>().is_none());
    let [seen] = &script.seen()[..] else {
        panic!("sent more than once");
    };
    assert_eq!(seen.uri, "http://a/x?y");
    assert_eq!(seen.header("host"), Some("proxy"));
    assert_eq!(seen.attempt, None);
}

#[tokio::test(start_paused = true)]
async fn a_tunnel_goes_where_it_was_asked_for() {
    for host in ["a:80", "b:80", "a:443"] {
        let script = Script::new([Act::Fail(io::ErrorKind::ConnectionRefused)]);
        let mut request = request(Method::CONNECT);
        *request.uri_mut() = host.parse().unwrap();
        let error = eager().layer(script.clone()).oneshot(request).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::OutOfScope);
        assert_eq!(script.seen().len(), 1);
        assert_eq!(script.seen()[0].uri, host);
    }
}

#[tokio::test(start_paused = true)]
async fn every_way_to_write_a_home_is_in_scope() {
    for uri in [
        "http://a/x",
        "http://A/x",
        "HTTP://a/x",
        "http://a:80/x",
        "http://a:/x",
        "http://a",
        "http://a?y",
        "http://user:secret@a/x",
    ] {
        let script = Script::new([Act::Status(503)]);
        let client = layer(2).layer(script.clone());
        let response = client.oneshot(get(uri)).await.unwrap();
        assert_eq!(response.status(), 200, "{uri}");
        let seen = script.seen();
        assert_eq!(seen.len(), 2, "{uri}");
        let given: http::Uri = uri.parse().unwrap();
        assert_eq!(seen[0].uri.to_string(), given.to_string());
        assert_eq!(seen[1].authority(), "b", "{uri}");
    }
}

#[tokio::test(start_paused = true)]
async fn any_region_is_a_home_of_its_own() {
    let script = Script::new([Act::Status(503), Act::Status(503)]);
    let client = layer(3).layer(script.clone());
    client.oneshot(get("http://b/")).await.unwrap();
    assert_eq!(script.asked(), ["b", "a", "c"]);
}

#[tokio::test(start_paused = true)]
async fn an_alias_is_a_home_whose_fallbacks_are_all_regions() {
    let regions = Regions::fixed(["http://a", "http://b"]).unwrap();
    let layer = FailoverLayer::new(regions.alias("http://any:8080").unwrap());
    let script = Script::new([Act::Status(503), Act::Status(503)]);
    let client = layer.layer(script.clone());
    client.oneshot(get("http://ANY:8080/x")).await.unwrap();
    assert_eq!(script.asked(), ["ANY:8080", "a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn an_alias_is_no_fallback_and_its_other_ports_are_not_meant() {
    let regions = Regions::fixed(["http://a", "http://b"]).unwrap();
    let layer = FailoverLayer::new(regions.alias("http://any:8080").unwrap());
    let script = Script::new([Act::Status(503), Act::Status(503)]);
    let client = layer.layer(script.clone());
    let response = client.oneshot(get("http://a/")).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(script.asked(), ["a", "b"]);

    let script = Script::new([Act::Status(503)]);
    let client = layer.layer(script.clone());
    let response = client.oneshot(get("http://any/")).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(script.asked(), ["any"]);
}
