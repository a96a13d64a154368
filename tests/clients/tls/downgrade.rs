//! A list of regions that asks for less than home gives.

use failover_cluster::{Ca, Fault, Server, TlsServer};
use http::Method;
use tower::Layer;
use tower_failover::{Discovery, FailoverLayer, Health, Regions};

use super::{HOST, https};
use crate::support::*;

const PATH: &str = "/regions";

/// A home behind TLS that answers 503 and, in its list, names a region without TLS before one with it.
struct Downgrade {
    ca: Ca,
    home: TlsServer,
    plain: Server,
    good: TlsServer,
}

impl Downgrade {
    async fn start() -> Self {
        let ca = Ca::new("ca");
        let (home, good) = (ca.issue(HOST), ca.issue(HOST));
        let this = Self {
            home: TlsServer::http1("home", home).await,
            plain: Server::http1("plain").await,
            good: TlsServer::h2("good", good).await,
            ca,
        };
        let list = serde_json::json!({ "regions": [
            { "region": "plain", "url": this.plain.origin(), "distance": "1" },
            { "region": "good", "url": this.good.origin(), "distance": "2" },
        ]});
        let list = Fault::Answer(200, Vec::new(), list.to_string().into());
        this.home.region().set(Fault::Status(503)).await;
        this.home.region().set_at(PATH, list).await;
        this
    }

    async fn served_by(&self, discovery: Discovery) -> String {
        let layer = FailoverLayer::new(Regions::discover(discovery)).health(Health::off());
        let client = layer.layer(https(&self.ca));
        let url = format!("{}/path", self.home.origin());
        let response = send(&client, request(Method::GET, url)).await.unwrap();
        assert_eq!(self.home.region().hits_at(PATH), 1);
        response.headers()["x-region"].to_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_downgrade_is_refused() {
    let regions = Downgrade::start().await;
    assert_eq!(regions.served_by(Discovery::http(PATH)).await, "good");
    assert_eq!(regions.plain.connections(), 0);
    assert_eq!(regions.good.handshakes(), 1);
}

/// What makes the test above worth something.
#[tokio::test]
async fn who_trusts_everybody_is_downgraded() {
    let regions = Downgrade::start().await;
    let discovery = Discovery::http(PATH).allow_any();
    assert_eq!(regions.served_by(discovery).await, "plain");
    assert_eq!(regions.plain.connections(), 1);
}
