//! Regions behind a forward proxy, which answers and connects in their place.

use failover_cluster::{Ca, Fault, Server, TlsServer};
use http::{Method, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{HttpConnector, proxy::Tunnel};
use tower::Layer;
use tower_failover::{
    ErrorKind,
    classify::{FailureKind, Reason},
};

use crate::support::*;

const HOST: &str = "127.0.0.1";

const NEVER_SENT: Option<FailureKind> = Some(FailureKind::NeverSent);
const ANSWERED: Option<FailureKind> = Some(FailureKind::Answered);

/// What a proxy answers when it cannot reach a server: each product has its own.
const UNREACHABLE: [u16; 3] = [502, 503, 504];

// ---- Absolute-form: the proxy answers

async fn plain_regions() -> [Server; 2] {
    [Server::http1("home").await, Server::http1("other").await]
}

#[tokio::test]
async fn each_region_is_asked_for_by_its_own_absolute_uri() {
    let (proxy, regions) = (Proxy::start(), plain_regions().await);
    regions[0].set(Fault::Status(503)).await;
    let client =
        layer(regions.each_ref().map(Server::origin)).layer(over(ToProxy(proxy.address())));
    let url = format!("{}/path?query", regions[0].origin());
    let outcome = send(&client, request(Method::PUT, url)).await;
    assert_eq!(outcome.unwrap().headers()["x-region"], "other");
    let asked = regions
        .each_ref()
        .map(|region| format!("PUT {}/path?query", region.origin()));
    assert_eq!(proxy.requests(), asked);
    for region in &regions {
        let request = region.requests().remove(0);
        assert_eq!(request.headers["host"], region.authority());
        assert_eq!(request.body, PAYLOAD);
    }
}

/// That the request was never sent to the region, only the proxy knows.
#[tokio::test]
async fn a_region_that_a_proxy_cannot_reach_has_answered_for_all_the_client_knows() {
    for status in UNREACHABLE {
        let (proxy, regions) = (Proxy::start(), plain_regions().await);
        regions[0].set(Fault::Refuse).await;
        if status != 502 {
            // What this one answers by itself.
            proxy.refuse(regions[0].authority(), status);
        }
        let service = layer(regions.each_ref().map(Server::origin));
        let (handle, home) = (service.handle(), regions[0].origin());
        let client = service.layer(over(ToProxy(proxy.address())));
        let code = StatusCode::from_u16(status).unwrap();

        let outcome = send(&client, request(Method::POST, home.clone())).await;
        let response = outcome.unwrap();
        assert_eq!(response.status(), code);
        assert_eq!(response.headers()["x-proxy"], "sorry");
        assert_eq!((regions[1].hits(), &*ejected(&handle, &home)), (0, &[][..]));

        let outcome = send(&client, request(Method::GET, home.clone())).await;
        assert_eq!(attempts(&outcome)[0], (ANSWERED, Reason::Status(code)));
        assert_eq!(outcome.unwrap().headers()["x-region"], "other");
        // As a region's own answers of the kind: two in a row do it.
        assert_eq!(ejected(&handle, &home), [(0, Reason::Status(code))]);
    }
}

/// Nothing in the client's error tells the proxy from a region, so every region is blamed. That all are
/// out keeps none from being asked, and the first that answers is back.
#[tokio::test]
async fn a_proxy_that_refuses_looks_like_regions_that_refuse() {
    let (mut proxy, regions) = (Proxy::start(), plain_regions().await);
    let service = layer(regions.each_ref().map(Server::origin));
    let (handle, home) = (service.handle(), regions[0].origin());
    let client = service.layer(over(ToProxy(proxy.address())));
    proxy.stop().await;

    let outcome = send(&client, request(Method::POST, home.clone())).await;
    assert_eq!(attempts(&outcome), [(NEVER_SENT, Reason::Refused); 2]);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::NeverSent);
    let both = [(0, Reason::Refused), (1, Reason::Refused)];
    assert_eq!(ejected(&handle, &home), both);

    proxy.restart();
    let outcome = send(&client, request(Method::POST, home.clone())).await;
    assert_eq!(attempts(&outcome), []);
    assert_eq!(outcome.unwrap().headers()["x-region"], "home");
    assert_eq!(proxy.requests(), [format!("POST {home}/")]);
}

// ---- CONNECT: the proxy makes a tunnel

async fn tls_regions(ca: &Ca) -> [TlsServer; 2] {
    [
        TlsServer::http1("home", ca.issue(HOST)).await,
        TlsServer::h2("other", ca.issue(HOST)).await,
    ]
}

/// TLS to the region, inside a tunnel through the proxy.
fn through(proxy: &Proxy, ca: &Ca) -> HttpsConnector<Tunnel<HttpConnector>> {
    HttpsConnectorBuilder::new()
        .with_tls_config(ca.client_config())
        .https_only()
        .enable_all_versions()
        .wrap_connector(Tunnel::new(proxy.uri(), HttpConnector::new()))
}

fn connects(regions: &[TlsServer]) -> Vec<String> {
    let connect = |region: &TlsServer| format!("CONNECT {}", region.authority());
    regions.iter().map(connect).collect()
}

#[tokio::test]
async fn a_call_moves_from_tunnel_to_tunnel() {
    let ca = Ca::new("ca");
    let (proxy, regions) = (Proxy::start(), tls_regions(&ca).await);
    regions[0].region().set(Fault::Status(503)).await;
    let client = layer(regions.each_ref().map(TlsServer::origin)).layer(over(through(&proxy, &ca)));
    let url = format!("{}/path", regions[0].origin());
    let outcome = send(&client, request(Method::PUT, url)).await;
    assert_eq!(outcome.unwrap().headers()["x-region"], "other");
    assert_eq!(proxy.requests(), connects(&regions));
    assert_eq!(regions.each_ref().map(TlsServer::handshakes), [1, 1]);
    assert_eq!(regions[1].region().requests()[0].body, PAYLOAD);
}

#[tokio::test]
async fn a_region_to_which_there_is_no_tunnel_was_never_sent_anything() {
    let ca = Ca::new("ca");
    // 403 is the proxy's own mind, and 407 its wish for credentials: the tunnel's error does not tell.
    for status in UNREACHABLE.into_iter().chain([403, 407]) {
        let (proxy, regions) = (Proxy::start(), tls_regions(&ca).await);
        proxy.refuse(regions[0].authority(), status);
        let service = layer(regions.each_ref().map(TlsServer::origin));
        let (handle, home) = (service.handle(), regions[0].origin());
        let client = service.layer(over(through(&proxy, &ca)));
        let outcome = send(&client, request(Method::POST, home.clone())).await;
        assert_eq!(attempts(&outcome)[0], (NEVER_SENT, Reason::Connect));
        assert_eq!(outcome.unwrap().headers()["x-region"], "other");
        assert_eq!(proxy.requests(), connects(&regions));
        assert_eq!(regions[0].connections(), 0);
        assert_eq!(regions[1].region().requests()[0].body, PAYLOAD);
        assert_eq!(ejected(&handle, &home), [(0, Reason::Connect)]);
    }
}

#[tokio::test]
async fn a_certificate_is_checked_inside_the_tunnel() {
    let (ca, wrong) = (Ca::new("ca"), Ca::new("wrong"));
    let (proxy, [_, other]) = (Proxy::start(), tls_regions(&ca).await);
    let home = TlsServer::http1("home", wrong.issue(HOST)).await;
    let regions = [home, other];
    let client = layer(regions.each_ref().map(TlsServer::origin)).layer(over(through(&proxy, &ca)));
    let outcome = send(&client, request(Method::POST, regions[0].origin())).await;
    assert_eq!(attempts(&outcome)[0], (NEVER_SENT, Reason::Connect));
    assert_eq!(outcome.unwrap().headers()["x-region"], "other");
    assert_eq!(proxy.requests(), connects(&regions));
    assert_eq!(regions[0].region().hits(), 0);
}

#[tokio::test]
async fn a_tunneling_proxy_that_refuses_looks_like_regions_that_refuse() {
    let ca = Ca::new("ca");
    let (mut proxy, regions) = (Proxy::start(), tls_regions(&ca).await);
    let service = layer(regions.each_ref().map(TlsServer::origin));
    let (handle, home) = (service.handle(), regions[0].origin());
    let client = service.layer(over(through(&proxy, &ca)));
    proxy.stop().await;

    let outcome = send(&client, request(Method::POST, home.clone())).await;
    assert_eq!(attempts(&outcome), [(NEVER_SENT, Reason::Refused); 2]);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::NeverSent);
    let both = [(0, Reason::Refused), (1, Reason::Refused)];
    assert_eq!(ejected(&handle, &home), both);

    proxy.restart();
    let outcome = send(&client, request(Method::POST, home.clone())).await;
    assert_eq!(attempts(&outcome), []);
    assert_eq!(outcome.unwrap().headers()["x-region"], "home");
    assert_eq!(proxy.requests(), connects(&regions[..1]));
}
