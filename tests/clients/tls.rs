//! TLS for real, by rustls.

mod downgrade;
mod handshake;
mod later;

use bytes::Bytes;
use failover_cluster::{Ca, Fault, Identity, TlsServer};
use http::{Method, StatusCode, Version};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use tower::Layer;
use tower_failover::classify::FailureKind;

use crate::support::*;

const HOST: &str = "127.0.0.1";

const NEVER_SENT: Option<FailureKind> = Some(FailureKind::NeverSent);
const UNKNOWN: Option<FailureKind> = Some(FailureKind::Unknown);

type Https = Http<Full<Bytes>, HttpsConnector<HttpConnector>>;

/// Speaks what the server chooses, and `http` too, as most clients do.
fn connector(ca: &Ca) -> HttpsConnector<HttpConnector> {
    HttpsConnectorBuilder::new()
        .with_tls_config(ca.client_config())
        .https_or_http()
        .enable_all_versions()
        .build()
}

fn https(ca: &Ca) -> Https {
    over(connector(ca))
}

/// What a region speaks, by ALPN.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wire {
    Http1,
    H2,
}

impl Wire {
    const BOTH: [Wire; 2] = [Wire::Http1, Wire::H2];

    async fn server(self, name: &str, identity: Identity) -> TlsServer {
        match self {
            Wire::Http1 => TlsServer::http1(name, identity).await,
            Wire::H2 => TlsServer::h2(name, identity).await,
        }
    }

    fn version(self) -> Version {
        match self {
            Wire::Http1 => Version::HTTP_11,
            Wire::H2 => Version::HTTP_2,
        }
    }
}

#[tokio::test]
async fn healthy_regions_are_spoken_to_as_they_choose_and_over_one_connection() {
    let ca = Ca::new("ca");
    for wire in Wire::BOTH {
        let home = wire.server("home", ca.issue(HOST)).await;
        let other = wire.server("other", ca.issue(HOST)).await;
        let client = layer([home.origin(), other.origin()]).layer(https(&ca));
        for method in [Method::GET, Method::POST] {
            let request = request(method, format!("{}/path", home.origin()));
            let outcome = send(&client, request).await;
            assert_eq!(attempts(&outcome), [], "{outcome:?}");
            assert_eq!(outcome.unwrap().status(), StatusCode::OK);
        }
        let requests = home.region().requests();
        assert_eq!(requests.len(), 2);
        assert!(requests.iter().all(|r| r.version == wire.version()));
        assert_eq!((home.connections(), home.handshakes()), (1, 1), "{wire:?}");
        assert_eq!(other.connections(), 0);
    }
}

#[tokio::test]
async fn a_call_moves_between_regions_of_different_protocols() {
    let ca = Ca::new("ca");
    for (from, to) in [(Wire::Http1, Wire::H2), (Wire::H2, Wire::Http1)] {
        let home = from.server("home", ca.issue(HOST)).await;
        let other = to.server("other", ca.issue(HOST)).await;
        home.region().set(Fault::Status(503)).await;
        let client = layer([home.origin(), other.origin()]).layer(https(&ca));
        let request = request(Method::PUT, format!("{}/path", home.origin()));
        let outcome = send(&client, request).await;
        assert_eq!(outcome.unwrap().headers()["x-region"], "other");
        for (server, wire) in [(&home, from), (&other, to)] {
            let request = server.region().requests().pop().unwrap();
            assert_eq!((request.version, &*request.body), (wire.version(), PAYLOAD));
        }
    }
}
