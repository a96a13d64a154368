//! Through a forward proxy.

use ::reqwest::Proxy as ProxyOf;
use failover_cluster::{Fault, Server};
use tower::Layer;

use super::support::*;
use crate::support::{Proxy, layer};

#[tokio::test]
async fn a_call_fails_over_through_a_proxy() {
    for fault in [Fault::Status(503), Fault::Refuse] {
        let (home, other) = (Server::http1("home").await, Server::http1("other").await);
        home.set(fault).await;
        let proxy = Proxy::start();
        let client = builder().proxy(ProxyOf::http(proxy.uri().to_string()).unwrap());
        let client = layer([home.origin(), other.origin()]).layer(client.build().unwrap());
        let request = http1().get(format!("{}/path", home.origin()));
        let response = send(&client, request.build().unwrap()).await.unwrap();
        assert_eq!(region(&response), "other");
        let asked = [&home, &other].map(|region| format!("GET {}/path", region.origin()));
        assert_eq!(proxy.requests(), asked);
        assert_eq!(other.requests()[0].headers["host"], other.authority());
    }
}
