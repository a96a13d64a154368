//! What becomes of a call when a region shows a bad certificate?
//!
//! Three regions speak TLS: `eu` with a certificate that has expired, `us` over HTTP/2, `ap` over
//! HTTP/1.1. A handshake that fails comes before the request, so even a POST moves on.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use failover_cluster::{Ca, Fault, TlsServer};
use http::{Request, Version};
use http_body_util::Full;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{ServiceBuilder, ServiceExt, util::MapFutureLayer};
use tower_failover::{FailoverLayer, Regions, Served};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (ca, host) = (Ca::new("example"), "127.0.0.1");
    let eu = TlsServer::h2("eu", ca.issue_expired(host)).await;
    let us = TlsServer::h2("us", ca.issue(host)).await;
    let ap = TlsServer::http1("ap", ca.issue(host)).await;

    // Which protocol is spoken, each region says in its handshake (ALPN).
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(ca.client_config())
        .https_only()
        .enable_all_versions()
        .build();
    // A connect timeout of the HTTP connector's leaves the handshake out. This one is over all of it,
    // and so what it ends was never sent.
    let connector = ServiceBuilder::new()
        .layer(MapFutureLayer::new(Box::pin))
        .timeout(Duration::from_secs(3))
        .service(https);
    let origins = [eu.origin(), us.origin(), ap.origin()];
    let regions = Regions::named(["eu", "us", "ap"].into_iter().zip(origins))?;
    let client = ServiceBuilder::new()
        .layer(FailoverLayer::new(regions))
        .service(Client::builder(TokioExecutor::new()).build(connector));

    let post = Request::post(format!("{}/orders", eu.origin()));
    let put = Request::put(format!("{}/orders/7", eu.origin()));
    for (call, request) in [post, put].into_iter().enumerate() {
        if call == 1 {
            println!("us answers 503");
            us.region().set(Fault::Status(503)).await;
        }
        let request = request.body(Full::<Bytes>::from("two of them"))?;
        let response = client.clone().oneshot(request).await?;
        let served = response.extensions().get::<Served>();
        let served = served.ok_or("eu has no certificate to answer with")?;
        for attempt in served.attempts() {
            println!("  {attempt}");
        }
        let (region, version) = (served.region().name(), response.version());
        println!("{} from {region}, {version:?}", response.status());
        let expected = [("us", Version::HTTP_2), ("ap", Version::HTTP_11)][call];
        if (region, version) != expected {
            return Err(format!("not from {expected:?}").into());
        }
    }
    println!("eu: {} handshakes, no request", eu.handshakes());
    if (eu.handshakes(), eu.region().hits()) != (0, 0) {
        return Err("eu was sent a request".into());
    }
    Ok(())
}
