//! A client over the layer, and a project in several regions to call.

mod act;
mod events;
mod home;
mod lists;
mod sources;
mod untrusted;
mod world;

use std::time::Duration;

use bytes::Bytes;
use failover_cluster::LiveKit;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{Layer, ServiceExt};
use tower_failover::{
    Backoff, Discovery, Error, Failover, FailoverLayer, Regions, replay::ReplayBody,
};

pub(crate) use act::*;
pub(crate) use events::Events;
pub(crate) use home::*;
pub(crate) use lists::{json_of, lists};
pub(crate) use sources::*;
pub(crate) use untrusted::Untrusted;
pub(crate) use world::*;

/// Where the regions are asked for.
pub(crate) const PATH: &str = "/settings/regions";

/// Far more than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) type HttpClient = Client<HttpConnector, ReplayBody<Full<Bytes>>>;
pub(crate) type FailoverClient = Failover<HttpClient>;

/// A client of hyper-util's, with a pool of its own.
pub(crate) fn http_client() -> HttpClient {
    Client::builder(TokioExecutor::new()).build_http()
}

/// What the tests begin with: discovery over HTTP, and no waits between attempts.
pub(crate) fn layer() -> FailoverLayer {
    layer_with(|discovery| discovery)
}

/// As [`layer`], with these settings of the discovery.
pub(crate) fn layer_with(set: impl FnOnce(Discovery) -> Discovery) -> FailoverLayer {
    layer_of(set(Discovery::http(PATH)))
}

/// As [`layer`], with another discovery.
pub(crate) fn layer_of(discovery: Discovery) -> FailoverLayer {
    FailoverLayer::new(Regions::discover(discovery)).backoff(no_wait())
}

pub(crate) fn no_wait() -> Backoff {
    Backoff::exponential(Duration::ZERO, Duration::ZERO)
}

pub(crate) fn client(layer: &FailoverLayer) -> FailoverClient {
    layer.layer(http_client())
}

/// A call of the mock's API, replayable by its key; `mock` is what the mock is told to do
/// (`X-Lk-Mock`).
pub(crate) fn call(origin: &str, mock: &str) -> Request<Full<Bytes>> {
    Request::post(format!("{origin}/twirp/livekit.RoomService/CreateRoom"))
        .header("authorization", format!("Bearer {}", LiveKit::SECRET))
        .header("content-type", "application/json")
        .header("idempotency-key", "one")
        .header("x-lk-mock", mock)
        .body(Full::from(r#"{"name":"stage"}"#))
        .expect("a request")
}

/// A `GET` of the same.
pub(crate) fn get(origin: &str) -> Request<Full<Bytes>> {
    Request::get(format!("{origin}/"))
        .body(Full::default())
        .expect("a request")
}

/// Sends a request; no test waits for ever.
pub(crate) async fn send(
    client: &FailoverClient,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, Error> {
    tokio::time::timeout(PATIENCE, client.clone().oneshot(request))
        .await
        .expect("an outcome in time")
}

/// Sends a request and tells status and region of the answer.
pub(crate) async fn answer(
    client: &FailoverClient,
    request: Request<Full<Bytes>>,
) -> (u16, String) {
    let response = send(client, request).await.expect("an answer");
    let region = response.headers().get("x-region");
    let region = region.map(|name| name.to_str().expect("ASCII").to_owned());
    (response.status().as_u16(), region.unwrap_or_default())
}

/// How often each region was asked for the list.
pub(crate) fn asked(livekit: &LiveKit) -> Vec<usize> {
    let asked = |region: &failover_cluster::Server| region.hits_at(PATH);
    livekit.regions().iter().map(asked).collect()
}
