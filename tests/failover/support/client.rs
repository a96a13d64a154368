use std::time::Duration;

use http_body::Body;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connect, HttpConnector},
    },
    rt::{TokioExecutor, TokioTimer},
};
use tower_failover::{BoxError, replay::ReplayBody};

/// hyper-util's client as it is inside the layer.
pub(crate) type Http<B, C = HttpConnector> = Client<C, ReplayBody<B>>;

/// hyper-util's client over HTTP/1.1.
pub(crate) fn http1<B>() -> Http<B>
where
    B: Body + Send + Unpin,
    B::Error: Into<BoxError>,
{
    http1_over(HttpConnector::new())
}

/// hyper-util's client over HTTP/2 with prior knowledge.
pub(crate) fn http2<B>() -> Http<B>
where
    B: Body + Send + Unpin,
    B::Error: Into<BoxError>,
{
    http2_over(HttpConnector::new())
}

pub(crate) fn http1_over<B, C>(connector: C) -> Http<B, C>
where
    B: Body + Send + Unpin,
    B::Error: Into<BoxError>,
    C: Connect + Clone,
{
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build(connector)
}

pub(crate) fn http2_over<B, C>(connector: C) -> Http<B, C>
where
    B: Body + Send + Unpin,
    B::Error: Into<BoxError>,
    C: Connect + Clone,
{
    Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build(connector)
}

/// Bounds a test over sockets. None takes a tenth of it.
pub(crate) async fn within<F: Future>(test: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), test)
        .await
        .expect("the test ended in time")
}
