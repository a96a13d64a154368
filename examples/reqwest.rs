//! What does a program with reqwest have to change?
//!
//! It builds its requests as before, and hands them to the layer in place of the client. Three
//! regions, of which the first two fail, each in its own way.

use std::{error::Error, time::Duration};

use failover_cluster::{Cluster, Fault};
use reqwest::{Client, Request, redirect::Policy};
use tower::{ServiceBuilder, ServiceExt};
use tower_failover::{FailoverLayer, Regions, Served};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // reqwest is built without a provider of its own here; in most programs it has one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let names = ["eu", "us", "ap"];
    let cluster = Cluster::start(&names).await;
    let origins = cluster.origins();

    // Redirects belong outside of the layer, and a connect timeout inside.
    let client = Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .connect_timeout(Duration::from_secs(2))
        .build()?;
    let regions = Regions::named(names.into_iter().zip(&origins))?;
    let layer = FailoverLayer::new(regions)
        .client_redirects(false)
        .attempt_timeout(Duration::from_millis(300));
    let failover = ServiceBuilder::new().layer(layer).service(client.clone());
    let orders = format!("{}/orders", origins[0]);

    println!("eu refuses connections, and us answers 503");
    cluster.region("eu").set(Fault::Refuse).await;
    cluster.region("us").set(Fault::Status(503)).await;

    // Never sent to eu, so it may go elsewhere. But us may have taken the order.
    let post = client.post(&orders).json(&["two of them"]);
    // The time of the whole call, with all its attempts.
    let put = client.put(format!("{orders}/7")).json(&["two of them"]);
    let put = put.timeout(Duration::from_secs(10));
    for (request, expected) in [(post.build()?, ("us", 503)), (put.build()?, ("ap", 200))] {
        let got = call(failover.clone(), request).await?;
        if (got.0.as_str(), got.1) != expected {
            return Err(format!("{got:?} in place of {expected:?}").into());
        }
    }
    Ok(())
}

async fn call<S>(failover: S, request: Request) -> Result<(String, u16), Box<dyn Error>>
where
    S: tower::Service<Request, Response = reqwest::Response>,
    S::Error: Error + 'static,
{
    println!("{} {}", request.method(), request.url().path());
    let response = failover.oneshot(request).await?;
    let served = response.extensions().get::<Served>();
    let served = served.ok_or("eu has answered")?;
    for attempt in served.attempts() {
        println!("  {attempt}");
    }
    let region = served.region().name().to_owned();
    Ok((region, response.status().as_u16()))
}
