//! Where does a layer that signs requests belong?
//!
//! Inside the failover: there it sees each attempt with the host of its region, and signs it anew.
//! Outside it would sign once, for home, and every other region would turn the request away.

use std::{
    error::Error,
    hash::{DefaultHasher, Hash, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use failover_cluster::{Cluster, Fault, Recorded};
use http::{Method, Request};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{ServiceBuilder, ServiceExt};
use tower_failover::{FailoverLayer, Regions, Served};

static CLOCK: AtomicU64 = AtomicU64::new(1);

/// A toy: it stands for an HMAC with a secret key.
fn signature(method: &Method, host: &str, path: &str, date: &str) -> String {
    let mut toy = DefaultHasher::new();
    ("a secret key", method.as_str(), host, path, date).hash(&mut toy);
    format!("{:016x}", toy.finish())
}

/// Looks at the head alone. What it adds is not there on the next attempt, which is signed for itself.
fn sign<B>(mut request: Request<B>) -> Request<B> {
    let date = CLOCK.fetch_add(1, Ordering::Relaxed).to_string();
    let host = request.uri().authority().expect("the layer gives one");
    let path = request.uri().path();
    let signature = signature(request.method(), host.as_str(), path, &date);
    let headers = request.headers_mut();
    headers.insert("x-date", date.parse().expect("digits"));
    headers.insert("x-signature", signature.parse().expect("digits"));
    request
}

/// What a region makes of a request: it knows its own name, and the key.
fn is_signed_for(host: &str, request: &Recorded) -> Result<bool, Box<dyn Error>> {
    let (date, given) = (&request.headers["x-date"], &request.headers["x-signature"]);
    let path = request.uri.path();
    Ok(signature(&request.method, host, path, date.to_str()?) == given.to_str()?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let cluster = Cluster::start(&["eu", "us"]).await;
    cluster.region("eu").set(Fault::Status(503)).await;
    let regions = Regions::named(["eu", "us"].into_iter().zip(cluster.origins()))?;
    let client = ServiceBuilder::new()
        .layer(FailoverLayer::new(regions))
        .map_request(sign)
        .service(Client::builder(TokioExecutor::new()).build_http());

    let url = format!("{}/orders/7", cluster.region("eu").origin());
    let request = Request::put(url).body(Full::<Bytes>::from("two of them"))?;
    let response = client.oneshot(request).await?;
    let served = response.extensions().get::<Served>();
    let served = served.ok_or("the call did not move")?;
    println!("{} from {}", response.status(), served.region());

    for name in ["eu", "us"] {
        let region = cluster.region(name);
        let request = region.requests().pop().ok_or("nothing arrived")?;
        let is_good = is_signed_for(&region.authority(), &request)?;
        let (date, signature) = (&request.headers["x-date"], &request.headers["x-signature"]);
        println!("{name}: date {date:?}, signature {signature:?}, good: {is_good}");
        if !is_good {
            return Err("a region was sent a signature that is not for it".into());
        }
    }
    Ok(())
}
