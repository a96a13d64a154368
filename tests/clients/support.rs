//! What the tests over hyper-util's client share.

mod proxy;
mod to_proxy;

use std::{error::Error as StdError, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connect, HttpConnector},
    },
    rt::{TokioExecutor, TokioTimer},
};
use tower::{Service, ServiceExt};
use tower_failover::{
    AttemptRecord, Backoff, BoxError, Error, FailoverLayer, Handle, Health, RegionState, Regions,
    Served,
    classify::{FailureKind, Reason},
    replay::ReplayBody,
};

use crate::describe::chain;

pub(crate) use proxy::Proxy;
pub(crate) use to_proxy::ToProxy;

pub(crate) const PAYLOAD: &[u8] = b"payload";

/// hyper-util's client as it is inside the layer.
pub(crate) type Http<B = Full<Bytes>, C = HttpConnector> = Client<C, ReplayBody<B>>;

pub(crate) type Outcome = Result<Response<Incoming>, Error>;

/// hyper-util's client over this connector. What it speaks is up to the connector, or HTTP/1.1.
pub(crate) fn over<B, C>(connector: C) -> Http<B, C>
where
    B: Body + Send + Unpin,
    B::Error: Into<BoxError>,
    C: Connect + Clone,
{
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build(connector)
}

pub(crate) fn http1<B>() -> Http<B>
where
    B: Body + Send + Unpin,
    B::Error: Into<BoxError>,
{
    over(HttpConnector::new())
}

/// HTTP/2 with prior knowledge.
pub(crate) fn h2c<B>() -> Http<B>
where
    B: Body + Send + Unpin,
    B::Error: Into<BoxError>,
{
    Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build(HttpConnector::new())
}

/// A layer over these regions, the first of which is home: hardly any wait, and no probe while a test
/// runs.
pub(crate) fn layer<const N: usize>(origins: [String; N]) -> FailoverLayer {
    let (short, long) = (Duration::from_millis(1), Duration::from_secs(3600));
    FailoverLayer::new(Regions::fixed(origins).unwrap())
        .backoff(Backoff::exponential(short, short))
        .health(Health::default().probe_every(long, long))
}

/// A call of this URL, with [`PAYLOAD`] unless it is a `GET`.
pub(crate) fn request(method: Method, url: String) -> Request<Full<Bytes>> {
    let body = match method {
        Method::GET => Full::default(),
        _ => Full::from(PAYLOAD),
    };
    let request = Request::builder().method(method).uri(url);
    request.body(body).unwrap()
}

/// Sends a request; no test waits for ever.
pub(crate) async fn send<S, B>(client: &S, request: Request<B>) -> Outcome
where
    S: Service<Request<B>, Response = Response<Incoming>, Error = Error> + Clone,
{
    within(client.clone().oneshot(request)).await
}

/// Bounds a test over sockets. None takes a tenth of it.
pub(crate) async fn within<F: Future>(test: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), test)
        .await
        .expect("the test ended in time")
}

/// The attempts of a call whose first answer was not the last, each with what was made of it.
pub(crate) fn attempts(outcome: &Outcome) -> Vec<(Option<FailureKind>, Reason)> {
    let attempts = match outcome {
        Ok(response) => match response.extensions().get::<Served>() {
            Some(served) => served.attempts(),
            None => &[],
        },
        Err(error) => error.attempts(),
    };
    let told = |record: &AttemptRecord| (record.failure(), record.reason());
    attempts.iter().map(told).collect()
}

/// The regions that are out, by their places in the order of this home's calls, and why.
pub(crate) fn ejected(handle: &Handle, home: &str) -> Vec<(usize, Reason)> {
    let regions = handle.regions(home).into_iter().enumerate();
    regions
        .filter(|(_, status)| status.state() == RegionState::Ejected)
        .map(|(n, status)| (n, status.reason().unwrap()))
        .collect()
}

/// The error of this type in the chain below.
pub(crate) fn cause<E: StdError + 'static>(error: &Error) -> Option<&E> {
    chain(error).find_map(|error| error.downcast_ref())
}
