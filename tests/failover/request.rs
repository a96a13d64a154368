use std::{collections::HashSet, future::ready, io, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version};
use http_body_util::{BodyExt, Empty, Full};
use tower::{Layer, ServiceExt};
use tower_failover::{Attempt, FailoverLayer, Override, Region, Regions, Replay};

use crate::support::{Act, Script, Seen, get, layer, named, no_wait, put, request, wait_of};

const KEY: HeaderName = HeaderName::from_static("x-key");
const SECOND: Duration = Duration::from_secs(1);

/// The two attempts of a request that home answers with 503.
async fn replayed<B>(layer: FailoverLayer, request: Request<B>) -> [Seen; 2]
where
    B: http_body::Body<Error = std::convert::Infallible> + Unpin + Send + 'static,
{
    let script = Script::new([Act::Status(503)]);
    let client = layer.layer(script.clone());
    assert_eq!(client.oneshot(request).await.unwrap().status(), 200);
    script.seen().try_into().expect("two attempts")
}

/// The `Host` headers of both attempts for a caller's.
async fn hosts(home: &str, host: &'static str) -> [String; 2] {
    let regions = Regions::fixed([home, "https://us:8443"]).unwrap();
    let mut request = get(home);
    request
        .headers_mut()
        .insert("host", HeaderValue::from_static(host));
    replayed(FailoverLayer::new(regions), request)
        .await
        .map(|seen| seen.header("host").unwrap().to_owned())
}

#[tokio::test(start_paused = true)]
async fn only_scheme_and_authority_change() {
    let regions = Regions::fixed(["https://eu.example.com", "http://us.example.com:8080"]).unwrap();
    let mut secret = HeaderValue::from_static("token");
    secret.set_sensitive(true);
    let binary = HeaderValue::from_bytes(b"\xff\x80\xfe\t x").unwrap();
    let mut trailers = HeaderMap::new();
    trailers.append("x-checksum", "1".parse().unwrap());
    trailers.append("x-checksum", "2".parse().unwrap());
    let request = Request::builder()
        .method("PUT")
        .uri("https://eu.example.com/a%20b//../c;d?e=f&g&%00=%ff")
        .version(Version::HTTP_2)
        .header("accept", "one")
        .header("x-first", "1")
        .header("accept", "two")
        .header("x-empty", "")
        .header("authorization", secret)
        .header("x-binary", &binary)
        .header("content-length", "4")
        .extension(7_u32)
        .extension("kept")
        .body(Full::<Bytes>::from("body").with_trailers(ready(Some(Ok(trailers.clone())))))
        .unwrap();
    let headers = request.headers().clone();
    let [first, second] = replayed(FailoverLayer::new(regions), request).await;

    let path = "/a%20b//../c;d?e=f&g&%00=%ff";
    assert_eq!(
        first.uri.to_string(),
        format!("https://eu.example.com{path}")
    );
    assert_eq!(
        second.uri.to_string(),
        format!("http://us.example.com:8080{path}")
    );
    for seen in [&first, &second] {
        assert_eq!(seen.method, Method::PUT);
        assert_eq!(seen.version, Version::HTTP_2);
        assert!(seen.headers.iter().eq(headers.iter()), "{:?}", seen.headers);
        assert_eq!(seen.headers["x-binary"], binary);
        for (name, value) in &seen.headers {
            assert_eq!(value.is_sensitive(), name == "authorization", "{name}");
        }
        assert_eq!(seen.extensions.get(), Some(&7_u32));
        assert_eq!(seen.extensions.get(), Some(&"kept"));
        assert_eq!(seen.body, "body");
        assert_eq!(seen.trailers, Some(trailers.clone()));
    }
    assert_eq!(first.extensions.len(), 2);
    assert_eq!(second.extensions.len(), 3, "and the attempt");
}

#[tokio::test(start_paused = true)]
async fn bodies_of_all_sizes_arrive_whole_twice() {
    for size in [0, 1, 1000, 1_000_000] {
        let body: Vec<u8> = (0..size).map(|n: u32| n as u8).collect();
        for seen in replayed(layer(2), put(body.clone())).await {
            assert_eq!(seen.body, body);
            assert_eq!(seen.trailers, None);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn trailers_without_data_are_sent_again() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", "7".parse().unwrap());
    let body = Empty::<Bytes>::new().with_trailers(ready(Some(Ok(trailers.clone()))));
    let request = Request::put("http://a/").body(body).unwrap();
    for seen in replayed(layer(2), request).await {
        assert!(seen.body.is_empty());
        assert_eq!(seen.trailers.as_ref(), Some(&trailers));
    }
}

#[tokio::test(start_paused = true)]
async fn every_method_is_kept() {
    for method in [
        "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "POST", "PATCH",
    ]
    .into_iter()
    .chain(["PROPFIND", "get", "X"])
    {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let layer = layer(2).replay(Replay::Always);
        for seen in replayed(layer, request(method.clone())).await {
            assert_eq!(seen.method, method);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_version_is_kept() {
    for version in [
        Version::HTTP_10,
        Version::HTTP_11,
        Version::HTTP_2,
        Version::HTTP_3,
    ] {
        let mut request = get("http://a/");
        *request.version_mut() = version;
        for seen in replayed(layer(2), request).await {
            assert_eq!(seen.version, version);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_header_that_names_home_names_the_region_instead() {
    for host in ["eu", "EU", "eu:443", "eU:443"] {
        assert_eq!(hosts("https://eu", host).await, [host, "us:8443"]);
    }
    for host in ["eu:8080", "EU:8080"] {
        assert_eq!(hosts("http://eu:8080", host).await, [host, "us:8443"]);
    }
    assert_eq!(hosts("http://eu", "eu:80").await, ["eu:80", "us:8443"]);
    assert_eq!(
        hosts("http://[::1]", "[0::1]:80").await,
        ["[0::1]:80", "us:8443"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_host_header_that_names_something_else_stays() {
    for host in [
        "tenant.example.com",
        "eu:80",
        "eu:8443",
        "eu.",
        "eueu",
        "us",
        "",
        "no host/",
    ] {
        assert_eq!(hosts("https://eu", host).await, [host, host]);
    }
    assert_eq!(hosts("http://eu", "eu:443").await, ["eu:443", "eu:443"]);
    assert_eq!(hosts("http://eu:8080", "eu").await, ["eu", "eu"]);
}

#[tokio::test(start_paused = true)]
async fn each_of_several_host_headers_that_names_home_names_the_region_instead() {
    let mut request = get("http://a/");
    for host in ["other", "a", "a:80"] {
        request
            .headers_mut()
            .append("host", HeaderValue::from_static(host));
    }
    let seen = replayed(layer(2), request).await;
    let hosts = seen
        .each_ref()
        .map(|seen| seen.headers.get_all("host").iter().collect::<Vec<_>>());
    assert_eq!(hosts[0], ["other", "a", "a:80"]);
    assert_eq!(hosts[1], ["other", "b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn no_host_header_is_added() {
    for seen in replayed(layer(2), get("http://a/")).await {
        assert_eq!(seen.header("host"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_default_port_is_not_written_into_the_replay() {
    let regions = Regions::fixed(["http://eu:80", "https://us:443"]).unwrap();
    let mut request = get("http://eu:80/x");
    request
        .headers_mut()
        .insert("host", HeaderValue::from_static("eu:80"));
    let [first, second] = replayed(FailoverLayer::new(regions), request).await;
    assert_eq!(first.uri, "http://eu:80/x");
    assert_eq!(second.uri.to_string(), "https://us/x");
    assert_eq!(second.header("host"), Some("us"));
}

#[tokio::test(start_paused = true)]
async fn user_information_for_home_is_not_sent_to_another_region() {
    let [first, second] = replayed(layer(2), get("http://user:secret@a/x")).await;
    assert_eq!(first.authority(), "user:secret@a");
    assert_eq!(second.authority(), "b");
}

#[tokio::test(start_paused = true)]
async fn a_first_attempt_away_from_home_is_aimed_like_a_later_one() {
    let script = Script::new([Act::Fail(io::ErrorKind::ConnectionRefused)]);
    let client = layer(2).backoff(no_wait()).layer(script.clone());
    for _ in 0..2 {
        let mut request = get("http://A:80/x?y");
        request
            .headers_mut()
            .insert("host", HeaderValue::from_static("A:80"));
        client.clone().oneshot(request).await.unwrap();
    }
    let seen = script.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[2].uri.to_string(), "http://b/x?y");
    assert_eq!(seen[2].header("host"), Some("b"));
    assert_eq!(seen[2].attempt, None);
}

#[tokio::test(start_paused = true)]
async fn later_attempts_say_which_they_are_and_the_first_does_not() {
    let [first, second] = replayed(layer(2), get("http://a/")).await;
    assert_eq!((first.attempt, second.attempt), (None, Some(2)));
    let attempt: &Attempt = second.extensions.get().unwrap();
    assert_eq!(attempt.region().name(), "http://b:80");
}

#[tokio::test(start_paused = true)]
async fn the_first_attempt_says_so_when_told_to() {
    let layer = FailoverLayer::new(named(["eu", "us"])).mark_first_attempt(true);
    let seen = replayed(layer, get("https://eu/")).await;
    assert_eq!(seen.each_ref().map(|seen| seen.attempt), [Some(1), Some(2)]);
    let names = seen.each_ref().map(|seen| {
        let attempt: &Attempt = seen.extensions.get().unwrap();
        attempt.region().name()
    });
    assert_eq!(names, ["eu", "us"]);
}

/// What two attempts of an outer layer, at `a` and `b`, are said to be inside of an inner one.
async fn nested(inner: FailoverLayer) -> Vec<(String, Option<u32>)> {
    let script = Script::new([Act::Status(503)]);
    let client = layer(2).layer(inner.layer(script.clone()));
    let response = client.oneshot(get("http://a/")).await.unwrap();
    assert_eq!(response.status(), 200);
    let seen = script.seen().into_iter();
    seen.map(|seen| (seen.authority().to_owned(), seen.attempt))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_attempt_of_an_inner_layer_is_not_the_later_one_of_an_outer_layer() {
    let inner = || FailoverLayer::new(Regions::fixed(["http://b", "http://c"]).unwrap());
    let first = ("a".to_owned(), None);
    let second = |attempt| [first.clone(), ("b".to_owned(), attempt)];
    assert_eq!(nested(inner()).await, second(None));
    assert_eq!(nested(inner().max_attempts(1)).await, second(None));
    assert_eq!(
        nested(inner().mark_first_attempt(true)).await,
        second(Some(1))
    );
    // One that has nothing to do with the request passes on what the outer layer says.
    let elsewhere = FailoverLayer::new(Regions::fixed(["http://c"]).unwrap());
    assert_eq!(nested(elsewhere).await, second(Some(2)));
}

#[tokio::test(start_paused = true)]
async fn a_stamped_key_is_a_random_uuid_and_the_same_on_all_attempts() {
    let script = Script::new([Act::Status(503), Act::Status(503)]);
    let client = layer(3).idempotency_key(KEY).layer(script.clone());
    client.oneshot(request(Method::POST)).await.unwrap();
    let seen = script.seen();
    assert_eq!(seen.len(), 3);
    let key = seen[0].header("x-key").unwrap();
    let uuid = uuid::Uuid::parse_str(key).unwrap();
    assert_eq!(uuid.get_version_num(), 4);
    assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
    assert_eq!(key, uuid.hyphenated().to_string());
    for seen in &seen {
        assert_eq!(seen.headers.get_all("x-key").iter().count(), 1);
        assert_eq!(seen.header("x-key"), Some(key));
        assert_eq!(seen.header("idempotency-key"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn each_call_has_a_key_of_its_own() {
    let script = Script::default();
    let client = layer(2).idempotency_key(KEY).layer(script.clone());
    for _ in 0..100 {
        client.clone().oneshot(request(Method::POST)).await.unwrap();
    }
    let seen = script.seen();
    let keys: HashSet<_> = seen
        .iter()
        .map(|seen| seen.header("x-key").unwrap())
        .collect();
    assert_eq!((seen.len(), keys.len()), (100, 100));
}

#[tokio::test(start_paused = true)]
async fn a_key_of_the_callers_is_kept() {
    for value in ["mine", ""] {
        let mut request = request(Method::POST);
        request
            .headers_mut()
            .insert(KEY, HeaderValue::from_static(value));
        for seen in replayed(layer(2).idempotency_key(KEY), request).await {
            let values: Vec<_> = seen.headers.get_all(KEY).iter().collect();
            assert_eq!(values, [value]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_key_is_stamped_unless_asked_for() {
    for seen in replayed(layer(2), request(Method::PUT)).await {
        assert!(seen.headers.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_the_layer_was_not_told_of_does_not_make_a_post_replayable() {
    let script = Script::new([Act::Status(503)]);
    let mut request = request(Method::POST);
    request
        .headers_mut()
        .insert(KEY, HeaderValue::from_static("mine"));
    let response = layer(2).layer(script.clone()).oneshot(request).await;
    assert_eq!(response.unwrap().status(), 503);
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_grpc_timeout_says_on_later_attempts_what_is_left() {
    let script = Script::new([
        Act::After(2 * SECOND, Act::Status(503).into()),
        Act::After(3 * SECOND, Act::Status(503).into()),
    ]);
    let client = layer(3).backoff(wait_of(SECOND)).layer(script.clone());
    let mut request = get("http://a/");
    request
        .headers_mut()
        .insert("grpc-timeout", "20S".parse().unwrap());
    client.oneshot(request).await.unwrap();
    let seen = script.seen();
    let said: Vec<_> = seen
        .iter()
        .map(|seen| seen.header("grpc-timeout").unwrap())
        .collect();
    assert_eq!(said[0], "20S");
    assert_eq!(
        said[1..].iter().map(|s| millis(s)).collect::<Vec<_>>(),
        [17_000, 13_000]
    );
}

/// A gRPC timeout, rounded up to milliseconds as tokio's timers are.
fn millis(text: &str) -> u64 {
    let (digits, unit) = text.split_at(text.len() - 1);
    let n: u64 = digits.parse().unwrap();
    match unit {
        "S" => n * 1000,
        "m" => n,
        "u" => n.div_ceil(1000),
        "n" => n.div_ceil(1_000_000),
        _ => panic!("{text}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_grpc_timeout_gives_way_to_a_shorter_total_timeout_on_later_attempts() {
    let mut request = get("http://a/");
    request
        .headers_mut()
        .insert("grpc-timeout", "1H".parse().unwrap());
    let layer = layer(2).total_timeout(10 * SECOND).backoff(wait_of(SECOND));
    let [first, second] = replayed(layer, request).await;
    assert_eq!(first.header("grpc-timeout"), Some("1H"));
    assert_eq!(millis(second.header("grpc-timeout").unwrap()), 9000);
}

#[tokio::test(start_paused = true)]
async fn no_grpc_timeout_is_added() {
    for seen in replayed(layer(2).total_timeout(SECOND), get("http://a/")).await {
        assert_eq!(seen.header("grpc-timeout"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_malformed_grpc_timeout_is_passed_on_and_limits_nothing() {
    for value in ["", "S", "10", "1s", "-1m", "1.5m", "123456789n", "1 m"] {
        let script = Script::new([Act::After(SECOND, Act::Status(503).into())]);
        let mut request = get("http://a/");
        let given = HeaderValue::from_static(value);
        request.headers_mut().insert("grpc-timeout", given.clone());
        // So that a total timeout gives something to write.
        let client = layer(2).total_timeout(60 * SECOND).layer(script.clone());
        assert_eq!(
            client.oneshot(request).await.unwrap().status(),
            200,
            "{value}"
        );
        let seen = script.seen();
        assert_eq!(seen.len(), 2, "{value}");
        assert!(
            seen.iter()
                .all(|seen| seen.headers["grpc-timeout"] == given)
        );
    }
}

#[test]
fn a_region_is_an_origin_and_not_a_base_path() {
    for url in [
        "https://eu/base",
        "https://eu/?q",
        "https://eu/#f",
        "https://user@eu",
        "eu",
    ] {
        assert!(Regions::fixed([url]).is_err(), "{url}");
        assert!(Regions::named([("eu", url)]).is_err(), "{url}");
        assert!(Region::new("eu", url).is_err(), "{url}");
        let regions = Regions::fixed(["https://eu"]).unwrap();
        assert!(regions.alias(url).is_err(), "{url}");
    }
    assert!(Regions::fixed(["https://eu/", "https://us"]).is_ok());
}

#[test]
fn a_refused_region_is_named_by_its_place_and_not_shown() {
    let error = Regions::fixed(["https://eu", "https://user:secret@us/path?query"]).unwrap_err();
    assert!(error.to_string().starts_with("region 2: "), "{error}");
    for text in [error.to_string(), format!("{error:?}")] {
        for part in ["secret", "user:", "/path", "query?"] {
            assert!(!text.contains(part), "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn overrides_stay_with_the_request() {
    let mut request = request(Method::POST);
    request
        .extensions_mut()
        .insert(Override::new().replay(Replay::Always));
    for seen in replayed(layer(2), request).await {
        assert!(seen.extensions.get::<Override>().is_some());
    }
}
