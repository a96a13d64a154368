//! The layer under clients that tonic generates.
//!
//! A generated client takes any service of HTTP requests, and the layer is one. What is below it has
//! to send each attempt to the region that the attempt is for, which a
//! [`Channel`](::tonic::transport::Channel) does not: it writes its own endpoint's origin over that of
//! every request. There are two ways:
//!
//! - [`Channels`] holds a channel of each region. It is for programs that use channels now: their
//!   endpoints' settings, TLS among them, stay as they are.
//! - hyper-util's client speaks HTTP/2 to any origin, with a connector of your choice. It is for
//!   programs that have such a client already, and for connectors that channels do not take.
//!
//! ```
//! use std::time::Duration;
//!
//! use hyper_util::{
//!     client::legacy::{Client, connect::HttpConnector},
//!     rt::TokioExecutor,
//! };
//! use tower::ServiceBuilder;
//! use tower_failover::{FailoverLayer, Regions, classify::Grpc, tonic::Channels};
//!
//! # use failover_grpc::proto::echo_client::EchoClient;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower_failover::BoxError> {
//! let regions = Regions::fixed(["http://eu.api.example.com", "http://us.api.example.com"])?;
//! let layer = FailoverLayer::new(regions).classifier(Grpc);
//!
//! // Over a channel for each region.
//! let channels = Channels::new(|endpoint| Ok(endpoint.connect_timeout(Duration::from_secs(2))));
//! let failover = ServiceBuilder::new().layer(layer.clone()).service(channels);
//! let client = EchoClient::new(failover);
//!
//! // Over hyper-util's client.
//! let http2 = Client::builder(TokioExecutor::new())
//!     .http2_only(true)
//!     .build(HttpConnector::new());
//! let failover = ServiceBuilder::new().layer(layer).service(http2);
//! let client = EchoClient::with_origin(failover, "http://eu.api.example.com".parse()?);
//! # Ok(())
//! # }
//! ```
//!
//! A client without an origin calls the first region, where regions are fixed; with one it says which
//! of them is home.
//!
//! # Which calls are replayed
//!
//! All calls of gRPC are POSTs. A call that was never sent is replayed, and so is one that the region
//! declined. Any other failed call is replayed only if it is known to be replayable: by
//! `idempotency-key` in its metadata, by an [`Override`](crate::Override) in its extensions, or by the
//! layer's [`Replay`](crate::Replay). Once there is the head of a response the call stays with its
//! region, and its stream of messages too.
//!
//! A gRPC server that is not available answers `200`: set [`Grpc`](crate::classify::Grpc) as the
//! classifier. It sees codes that come in heads; for those of unary calls that come after, there is
//! [`PeekLayer`](crate::peek::PeekLayer).
//!
//! # Time
//!
//! [`Request::set_timeout`](::tonic::Request::set_timeout) is the time of the whole call. Each attempt's
//! `grpc-timeout` says what is left of it. An endpoint's `timeout` is one attempt's, and may have
//! passed after the call was processed.
//!
//! A region that does not answer a connection attempt looks like one that does not answer a call,
//! unless the connection attempt ends first: set a `connect_timeout` that is a small part of the
//! layer's [`attempt_timeout`](crate::FailoverLayer::attempt_timeout), and the timeout of the TLS
//! configuration likewise, for the former covers TCP alone.
//!
//! Calls that wait for the same channel do not wait together. When it cannot connect, one of them ends,
//! and then it tries again for the next: the last of N calls that came at once goes on to another region
//! after N times the `connect_timeout`. Replayable calls go on before that, when the attempt timeout has
//! passed. Others have no attempt timeout, and wait for all of that time; only a short `connect_timeout`,
//! a total timeout or a timeout of the call bounds it. A call that begins after the first of them
//! failed does not join them, for the region is out by then.
//!
//! # Errors
//!
//! A call whose last outcome is an error ends with a [`Status`](::tonic::Status) that says so in gRPC's
//! terms:
//!
//! | the call | code |
//! |---|---|
//! | ran out of time, or its last attempt did | `DEADLINE_EXCEEDED` |
//! | was reset, with an error code of HTTP/2 | as gRPC has it for that code: mostly `INTERNAL`, `CANCELLED` or `UNAVAILABLE` |
//! | was not sent, or lost with its connection | `UNAVAILABLE` |
//! | cannot be sent as it is, or a message cannot be encoded | `INTERNAL`, or the status of the encoder |
//!
//! A region's own status comes as it is, and tells nothing of attempts: of a response without messages
//! tonic keeps the metadata, but not the [`Served`](crate::Served) in its extensions. A status of this
//! table names the attempts in its message, and has the [`Error`](crate::Error) as its source:
//!
//! ```
//! use std::error::Error as _;
//!
//! fn explain(status: &tonic::Status) {
//!     let error = status.source().and_then(|source| source.downcast_ref::<tower_failover::Error>());
//!     for attempt in error.into_iter().flat_map(|error| error.attempts()) {
//!         println!("{attempt}");
//!     }
//! }
//! # explain(&tonic::Status::unavailable("there"));
//! ```
//!
//! A generated client makes a status of its own, `UNKNOWN`, of a service that fails to become ready.
//! Both of the services above are always ready.

mod error;
mod future;
mod lease;
mod pool;
mod status;

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use ::tonic::{body::Body, transport::Endpoint};
use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use self::pool::Pool;
pub(crate) use self::status::{failed_with, status};
pub use self::{
    error::{NoOrigin, NotConfigured},
    future::ResponseFuture,
};
use crate::BoxError;

/// A [`Channel`](::tonic::transport::Channel) for each region, chosen by the origin of the request.
///
/// Channels connect when they are first used, and again when they are used after their connection
/// broke. 64 are kept; one that was not used for the longest time goes first, once its calls are done.
/// Clones share them.
///
/// It is always ready, for only a request tells which channel has to be; its future waits for that. It
/// takes requests of any body. Each body is boxed, once for each attempt, for that is what a channel
/// takes.
///
/// # Errors
///
/// What the channel returns, [`NoOrigin`], or [`NotConfigured`].
///
/// # Panics
///
/// A call panics outside of a Tokio runtime, on which channels spawn their connections, unless their
/// endpoints have an executor.
///
/// # Cancel safety
///
/// A dropped future takes its request from the channel's queue, or ends its stream. The channel is
/// dropped with it if no other call waits for it and the last outcome over it was not a response: it
/// would stop connecting half-way, and fail the next call with what became of that.
#[derive(Clone)]
pub struct Channels {
    pool: Arc<Pool>,
}

impl Channels {
    /// Channels whose endpoints `configure` sets up.
    ///
    /// It is given an [`Endpoint`] that has the region's origin and tonic's defaults, and is asked once
    /// for each channel, so what it returns may differ from region to region:
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use tonic::transport::ClientTlsConfig;
    /// use tower_failover::tonic::Channels;
    ///
    /// let tls = ClientTlsConfig::new().timeout(Duration::from_secs(2));
    /// let channels = Channels::new(move |endpoint| {
    ///     Ok(endpoint
    ///         .connect_timeout(Duration::from_secs(2))
    ///         .http2_keep_alive_interval(Duration::from_secs(20))
    ///         .tls_config(tls.clone())?)
    /// });
    /// ```
    ///
    /// TLS needs one of tonic's TLS features; without any, a channel to an `https` origin is in the
    /// clear.
    ///
    /// Leave an endpoint's `concurrency_limit` and `rate_limit` alone, and limit calls outside of the
    /// layer. Calls that wait for a limit of the endpoint wait in their attempts, and that they do
    /// counts as slowness of the region, which then is taken for failed without having been asked.
    ///
    /// An error means that the region cannot be used from here: its request was never sent, and the
    /// next one asks again.
    pub fn new<F>(configure: F) -> Self
    where
        F: Fn(Endpoint) -> Result<Endpoint, BoxError> + Send + Sync + 'static,
    {
        Self {
            pool: Arc::new(Pool::new(configure)),
        }
    }
}

/// Channels with tonic's defaults, among which is no timeout for connecting.
impl Default for Channels {
    fn default() -> Self {
        Self::new(Ok)
    }
}

impl fmt::Debug for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Channels").field(&self.pool).finish()
    }
}

impl<B> Service<Request<B>> for Channels
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let request = request.map(Body::new);
        match self.pool.channel(request.uri()) {
            Ok(leased) => ResponseFuture::new(self.pool.clone(), leased, request),
            Err(error) => ResponseFuture::failed(error),
        }
    }
}
