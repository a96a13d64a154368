//! A layer that signs requests: where it belongs, and what it may look at.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use failover_cluster::{Fault, Recorded, Server};
use http::{HeaderValue, Method, Request, header::HOST};
use http_body_util::Full;
use tower::ServiceBuilder;
use tower_failover::{
    Backoff, Discovery, ErrorKind, FailoverLayer, Health, Regions,
    classify::{FailureKind, Reason},
};

use crate::support::*;

const DATE: &str = "x-date";
const SIGNATURE: &str = "x-signature";

const PATH: &str = "/path?query";

const NEVER_SENT: Option<FailureKind> = Some(FailureKind::NeverSent);
const UNKNOWN: Option<FailureKind> = Some(FailureKind::Unknown);

/// A toy in place of an HMAC, as is the date, which only never repeats.
fn signature(method: &Method, host: &str, path: &str, date: &str) -> String {
    let mut toy = DefaultHasher::new();
    ("secret", method.as_str(), host, path, date).hash(&mut toy);
    format!("{:016x}", toy.finish())
}

/// Signs the head of a request, for the host that the request names.
fn sign<B>(mut request: Request<B>) -> Request<B> {
    static NOW: AtomicU64 = AtomicU64::new(1);
    let date = NOW.fetch_add(1, Ordering::SeqCst).to_string();
    let host = match request.headers().get(HOST) {
        Some(host) => host.to_str().unwrap(),
        None => request.uri().authority().unwrap().as_str(),
    };
    let path = request.uri().path_and_query().unwrap().as_str();
    let signature = signature(request.method(), host, path, &date);
    let value = |text: String| text.parse::<HeaderValue>().unwrap();
    request.headers_mut().insert(DATE, value(date));
    request.headers_mut().insert(SIGNATURE, value(signature));
    request
}

/// What a server makes of it: the date, if the signature is over this server's own host.
fn date_signed_for(region: &Server, request: &Recorded) -> Option<String> {
    let header = |name| request.headers[name].to_str().unwrap();
    let path = request.uri.path_and_query().unwrap().as_str();
    let good = signature(&request.method, &region.authority(), path, header(DATE));
    (good == header(SIGNATURE)).then(|| header(DATE).to_owned())
}

fn dates(regions: &[Server; 2]) -> [Option<String>; 2] {
    regions.each_ref().map(|region| {
        assert_eq!(region.hits(), 1);
        date_signed_for(region, &region.requests()[0])
    })
}

async fn regions(is_h2: bool) -> [Server; 2] {
    if is_h2 {
        [Server::h2c("home").await, Server::h2c("other").await]
    } else {
        [Server::http1("home").await, Server::http1("other").await]
    }
}

fn client(is_h2: bool) -> Http {
    if is_h2 { h2c() } else { http1() }
}

#[tokio::test]
async fn a_signer_below_signs_each_attempt_for_its_own_region() {
    for is_h2 in [false, true] {
        for names_host in [false, true] {
            let regions = regions(is_h2).await;
            regions[0].set(Fault::Status(503)).await;
            let signed = ServiceBuilder::new()
                .layer(layer(regions.each_ref().map(Server::origin)))
                .map_request(sign)
                .service(client(is_h2));
            let url = format!("{}{PATH}", regions[0].origin());
            let mut request = request(Method::PUT, url);
            if names_host {
                let host = regions[0].authority().parse().unwrap();
                request.headers_mut().insert(HOST, host);
            }
            let response = send(&signed, request).await.unwrap();
            assert_eq!(response.headers()["x-region"], "other");
            let [first, second] = dates(&regions).map(|date| date.expect("a good signature"));
            assert_ne!(first, second, "the second attempt has its own");
        }
    }
}

/// What makes the test above worth something.
#[tokio::test]
async fn a_signer_above_signs_for_home_whatever_the_region() {
    let regions = regions(false).await;
    regions[0].set(Fault::Status(503)).await;
    let signed = ServiceBuilder::new()
        .map_request(sign)
        .layer(layer(regions.each_ref().map(Server::origin)))
        .service(client(false));
    let url = format!("{}{PATH}", regions[0].origin());
    let response = send(&signed, request(Method::PUT, url)).await.unwrap();
    assert_eq!(response.headers()["x-region"], "other");
    let [first, second] = dates(&regions);
    assert!(first.is_some() && second.is_none());
}

#[tokio::test]
async fn the_layers_own_requests_are_signed_too() {
    const LIST: &str = "/regions";
    let regions = regions(false).await;
    let [home, other] = &regions;
    let list = format!(
        r#"{{"regions":[{{"region":"other","url":"{}"}}]}}"#,
        other.origin()
    );
    home.set_at(LIST, Fault::Answer(200, Vec::new(), list.into()))
        .await;
    home.set(Fault::Status(503)).await;
    let soon = Duration::from_millis(10);
    let health = Health::default().probe_every(soon, soon);
    let layer = FailoverLayer::new(Regions::discover(Discovery::http(LIST)))
        .backoff(Backoff::exponential(soon, soon))
        .health(health);
    let signed = ServiceBuilder::new()
        .layer(layer)
        .map_request(sign)
        .service(client(false));
    // The second ejects home, the third brings a client for the probes.
    for _ in 0..3 {
        let url = format!("{}{PATH}", home.origin());
        let response = send(&signed, request(Method::GET, url)).await.unwrap();
        assert_eq!(response.headers()["x-region"], "other");
    }
    home.wait_hits_at("/", 1).await;
    let requests = home.requests();
    let targets: Vec<_> = requests.iter().map(|r| r.uri.to_string()).collect();
    assert_eq!(targets[..4], [PATH, LIST, PATH, "/"]);
    for request in &requests {
        assert!(date_signed_for(home, request).is_some(), "{request:?}");
    }
}

// ---- What a layer below may look at

/// See [`Http`](tower_failover::classify::Http): the client began to read the body, or there is none
/// and so no proof.
#[tokio::test]
async fn who_signs_the_head_leaves_a_goaway_the_proof_that_it_is() {
    let regions = regions(true).await;
    regions[0].set(Fault::GoAway).await;
    let signed = ServiceBuilder::new()
        .layer(layer(regions.each_ref().map(Server::origin)))
        .map_request(sign)
        .service(h2c());
    let post = || request(Method::POST, format!("{}{PATH}", regions[0].origin()));
    let outcome = send(&signed, post()).await;
    assert_eq!(attempts(&outcome)[0], (NEVER_SENT, Reason::GoAway));
    assert_eq!(outcome.unwrap().headers()["x-region"], "other");
    assert!(dates(&regions).iter().all(Option::is_some));
    assert_eq!(regions[1].requests()[0].body, PAYLOAD);

    let outcome = send(&signed, post().map(|_| Full::default())).await;
    assert_eq!(attempts(&outcome), [(UNKNOWN, Reason::GoAway)]);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unknown);
    assert_eq!(regions[1].hits(), 1);
}
