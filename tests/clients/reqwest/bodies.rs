//! Requests arrive as they would without the layer, on the first attempt and on later ones.

use ::reqwest::{Body, Method, Request, Response, Version, multipart};
use bytes::Bytes;
use failover_cluster::{Fault, Recorded, Server};
use futures_util::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use tower::Layer;
use tower_failover::{Override, Replay, Served};

use super::support::*;
use crate::support::{PAYLOAD, layer, within};

async fn servers() -> (Server, Server) {
    (Server::http1("home").await, Server::http1("other").await)
}

fn url(home: &Server) -> String {
    format!("{}/path?query", home.origin())
}

/// Sends a request that home answers with 503. Gives what both regions saw.
async fn replayed((home, other): (Server, Server), request: Request) -> (Recorded, Recorded) {
    home.set(Fault::Status(503)).await;
    let client = layer([home.origin(), other.origin()]).layer(http1());
    let response = send(&client, request).await.unwrap();
    assert_eq!(region(&response), "other");
    let served = response.extensions().get::<Served>().unwrap();
    assert_eq!(served.attempts().len(), 2);
    let [first] = home.requests().try_into().unwrap();
    let [second] = other.requests().try_into().unwrap();
    (first, second)
}

fn pieces() -> Body {
    let pieces = ["some", "", "more", "data"];
    Body::wrap_stream(stream::iter(pieces.map(Ok::<_, std::io::Error>)))
}

#[tokio::test]
async fn a_multipart_upload_is_replayed_byte_for_byte() {
    let servers = servers().await;
    let form = multipart::Form::new()
        .text("name", "value")
        .part("file", multipart::Part::stream(pieces()).file_name("a.txt"));
    let request = http1().put(url(&servers.0)).multipart(form);
    let (first, second) = replayed(servers, request.build().unwrap()).await;
    assert!(first.complete && second.complete);
    assert_eq!(first.headers[CONTENT_TYPE], second.headers[CONTENT_TYPE]);
    assert_eq!(first.body, second.body);
    let text = std::str::from_utf8(&second.body).unwrap();
    assert!(text.contains("somemoredata"), "{text}");
}

#[tokio::test]
async fn a_body_keeps_its_framing_on_each_attempt() {
    for (method, body) in [
        (Method::GET, None),
        (Method::PUT, None),
        (Method::PUT, Some("")),
        (Method::PUT, Some("data")),
        (Method::POST, None),
        (Method::POST, Some("data")),
    ] {
        let servers = servers().await;
        let request = |to: &str| {
            let mut request = http1().request(method.clone(), to);
            if let Some(body) = body {
                request = request.body(body);
            }
            request
        };
        let plain = Server::http1("plain").await;
        within(request(&plain.origin()).send()).await.unwrap();
        let [plain] = plain.requests().try_into().unwrap();

        // 421 sends any request on, whether it may be processed twice or not.
        let request = request(&url(&servers.0)).build().unwrap();
        let (home, other) = servers;
        home.set(Fault::Status(421)).await;
        let client = layer([home.origin(), other.origin()]).layer(http1());
        let response = send(&client, request).await.unwrap();
        assert_eq!(region(&response), "other");
        for seen in [&home.requests()[0], &other.requests()[0]] {
            for header in [CONTENT_LENGTH, TRANSFER_ENCODING] {
                assert_eq!(seen.headers.get(&header), plain.headers.get(&header));
            }
            assert_eq!(seen.body, plain.body);
        }
    }
}

#[tokio::test]
async fn an_upload_under_way_is_taken_over_by_the_next_region() {
    let (home, other) = servers().await;
    home.set(Fault::StatusAfter(4, 503)).await;
    let pieces: Vec<_> = (0..64)
        .map(|n| Bytes::from(vec![b'a' + n % 26; 512]))
        .collect();
    let source = stream::iter(pieces.clone().into_iter().map(Ok::<_, std::io::Error>));
    let client = layer([home.origin(), other.origin()]).layer(http1());
    let request = http1().put(url(&home)).body(Body::wrap_stream(source));
    let response = send(&client, request.build().unwrap()).await.unwrap();
    assert_eq!(region(&response), "other");
    let [seen] = other.requests().try_into().unwrap();
    assert!(seen.complete);
    assert_eq!(seen.body, pieces.concat());
    home.wait_no_open_uploads().await;
}

fn with_override(request: Request, own: Override) -> Request {
    let mut request = http::Request::<Body>::try_from(request).unwrap();
    request.extensions_mut().insert(own);
    request.try_into().unwrap()
}

#[tokio::test]
async fn an_override_is_heeded_that_a_request_was_made_with() {
    let servers = servers().await;
    let request = http1().post(url(&servers.0)).body(PAYLOAD).build().unwrap();
    let request = with_override(request, Override::new().replay(Replay::Always));
    let (_, second) = replayed(servers, request).await;
    assert_eq!(second.body, PAYLOAD);
}

#[tokio::test]
async fn the_version_is_kept() {
    let servers = servers().await;
    let request = http1().get(url(&servers.0)).version(Version::HTTP_10);
    let (first, second) = replayed(servers, request.build().unwrap()).await;
    assert_eq!(first.version, Version::HTTP_10);
    assert_eq!(second.version, Version::HTTP_10);
}

#[tokio::test]
async fn path_and_query_and_headers_are_kept_and_the_url_is_that_of_the_region() {
    let (home, other) = servers().await;
    home.set(Fault::Status(503)).await;
    let client = layer([home.origin(), other.origin()]).layer(http1());
    let url = format!("{}/a%20b/?c=d|e&f=%27#fragment", home.origin());
    let request = http1().get(url).header("x-custom", "value");
    let response = send(&client, request.build().unwrap()).await.unwrap();
    let sent = format!("{}/a%20b/?c=d|e&f=%27", other.origin());
    assert_eq!(response.url().as_str(), sent);
    assert_eq!(
        response.remote_addr().unwrap().to_string(),
        other.authority()
    );
    let [first] = home.requests().try_into().unwrap();
    let [second] = other.requests().try_into().unwrap();
    assert_eq!(first.uri, second.uri);
    assert_eq!(second.headers["x-custom"], "value");
    assert_eq!(second.headers["accept"], first.headers["accept"]);
}

#[tokio::test]
async fn a_host_of_the_users_goes_along_unless_it_names_home() {
    for host in [None, Some("virtual.example.com")] {
        let servers = servers().await;
        let (home, other) = (servers.0.authority(), servers.1.authority());
        let sent = host.unwrap_or(&home).to_owned();
        let request = http1().get(url(&servers.0)).header(HOST, sent);
        let (first, second) = replayed(servers, request.build().unwrap()).await;
        assert_eq!(first.headers[HOST], host.unwrap_or(&home));
        assert_eq!(second.headers[HOST], host.unwrap_or(&other));
    }
}

#[tokio::test]
async fn an_inner_service_of_the_users_sees_requests_as_they_are() {
    // It answers without a URL, as services in tests do.
    let inner = tower::service_fn(|request: Request| async move {
        let body = request.body().map(|body| body.as_bytes().is_some());
        let status = match request.url().host_str() {
            Some("home.test") => 503,
            _ => 200,
        };
        let response = http::Response::builder().status(status);
        let response = response.body(format!("{body:?}")).unwrap();
        Ok::<_, std::convert::Infallible>(Response::from(response))
    });
    let origins = ["home", "other"].map(|name| format!("http://{name}.test"));
    let client = layer(origins).layer(inner);
    for (url, body, seen) in [
        ("http://home.test/", None, "None"),
        ("http://home.test/", Some("data".into()), "Some(true)"),
        ("http://home.test/", Some(pieces()), "Some(false)"),
        ("http://out-of-scope.test/", None, "None"),
        ("http://out-of-scope.test/", Some(pieces()), "Some(false)"),
    ] {
        let mut request = Request::new(Method::PUT, url.parse().unwrap());
        *request.body_mut() = body;
        let response = send(&client, request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.text().await.unwrap(), seen);
    }
}

#[tokio::test]
async fn a_request_for_another_host_passes_untouched() {
    let (home, other) = servers().await;
    let host = Server::http1("host").await;
    host.set(Fault::Status(503)).await;
    let client = layer([home.origin(), other.origin()]).layer(http1());
    let request = http1().put(url(&host)).body(PAYLOAD);
    let response = send(&client, request.build().unwrap()).await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.extensions().get::<Served>().is_none());
    assert_eq!(host.requests()[0].body, PAYLOAD);
    assert_eq!((host.hits(), home.hits(), other.hits()), (1, 0, 0));
}

#[tokio::test]
async fn a_call_that_is_dropped_takes_its_attempt_along() {
    let (home, other) = servers().await;
    home.set(Fault::BlackHole).await;
    let client = layer([home.origin(), other.origin()]).layer(http1());
    let endless = stream::pending::<Result<Bytes, std::io::Error>>();
    let request = http1().put(url(&home)).body(Body::wrap_stream(endless));
    let request = request.build().unwrap();
    let call = tokio::spawn(async move { send(&client, request).await });
    home.wait_hits(1).await;
    assert_eq!(home.open_uploads(), 1);
    call.abort();
    home.wait_no_open_uploads().await;
    assert_eq!(other.hits(), 0);
}
