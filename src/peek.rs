//! What is said in a response's body, for a classifier that sees only heads.
//!
//! RPC systems put failures where HTTP does not: gRPC into the trailers, Twirp and Connect into a JSON
//! body. [`PeekLayer`] stands inside the failover layer, looks at what comes first of a body, and
//! writes it into the head:
//!
//! | response | what it does | the classifier sees |
//! |---|---|---|
//! | gRPC, with a failure in trailers that follow the head at once | moves the trailers into the head | `grpc-status` and all that came with it: what gRPC calls *trailers-only*, and clients take as such |
//! | status of 400 or above with a JSON body | reads the body and keeps it for the caller | an [`RpcCode`] in the extensions, where the body has one |
//! | any other | nothing | the head |
//!
//! The caller gets the response whole: every frame that was read is handed out again.
//!
//! # Examples
//!
//! ```
//! use tower::ServiceBuilder;
//! use tower_failover::{FailoverLayer, Regions, classify::Grpc, peek::PeekLayer};
//! # use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//!
//! # fn f() -> Result<(), tower_failover::BoxError> {
//! # let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
//! let regions = Regions::fixed(["http://eu.internal:50051", "http://us.internal:50051"])?;
//! let service = ServiceBuilder::new()
//!     .layer(FailoverLayer::new(regions).classifier(Grpc))
//!     .layer(PeekLayer::new().unary(|path| path != "/chat.Chat/Listen"))
//!     .service(client);
//! # let _: tower_failover::Failover<tower_failover::peek::Peek<Client<_, tower_failover::replay::ReplayBody<http_body_util::Full<bytes::Bytes>>>>> = service;
//! # Ok(())
//! # }
//! ```
//!
//! A classifier that asks for the code of a Twirp or Connect error:
//!
//! ```
//! use tower_failover::{
//!     classify::{self, Classify, Failure, GrpcCode, Http, Outcome, Reason, Verdict},
//!     peek::RpcCode,
//! };
//!
//! let classifier = classify::from_fn(|outcome| {
//!     let code = match outcome {
//!         Outcome::Response(head) => head.extensions.get::<RpcCode>(),
//!         _ => None,
//!     };
//!     match code.map(RpcCode::as_str) {
//!         // This API says so before it does anything, whatever the HTTP status is.
//!         Some("unavailable") => {
//!             Verdict::Failed(Failure::declined(Reason::Grpc(GrpcCode::UNAVAILABLE)))
//!         }
//!         // A bug in the handler: any region would answer the same.
//!         Some("internal") => Verdict::Final,
//!         _ => Http.classify(outcome),
//!     }
//! });
//! # let _ = classifier;
//! ```

mod body;
mod code;
mod future;

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

#[cfg(test)]
mod tests;

pub use self::{body::PeekBody, code::RpcCode, future::ResponseFuture};

/// Tells calls apart by their paths.
type Paths = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Wraps a client so that a classifier outside it sees failures that are said in bodies.
///
/// # Defaults
///
/// No call is taken for unary; up to 64 KiB, for up to 1 s, are read of the body of an error. An
/// [attempt timeout](crate::FailoverLayer::attempt_timeout) has to leave time for that.
#[derive(Clone, Default)]
#[must_use]
pub struct PeekLayer {
    unary: Option<Paths>,
}

impl PeekLayer {
    /// A layer that waits for no message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says which gRPC calls, by their paths (`/package.Service/Method`), have one message for an answer.
    ///
    /// For these it waits for what follows the head: a message, or trailers with a failure. Their
    /// callers wait for the same, so that costs nothing, and the attempt timeout goes on meanwhile. A
    /// call that streams would get its head only with its first message, which may be much later.
    ///
    /// # Defaults
    ///
    /// None: what comes along with the head is seen without waiting, as tonic's servers send it, and
    /// the head of a stream is never held back.
    pub fn unary(mut self, is_unary: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.unary = Some(Arc::new(is_unary));
        self
    }
}

impl fmt::Debug for PeekLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeekLayer").finish_non_exhaustive()
    }
}

impl<S> Layer<S> for PeekLayer {
    type Service = Peek<S>;

    fn layer(&self, inner: S) -> Peek<S> {
        Peek {
            inner,
            unary: self.unary.clone(),
        }
    }
}

/// A client that looks at what comes first of a response's body; made by [`PeekLayer`].
#[derive(Clone)]
pub struct Peek<S> {
    inner: S,
    unary: Option<Paths>,
}

impl<S> Peek<S> {
    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service, alone.
    pub fn into_inner(self) -> S {
        self.inner
    }

    /// Whether calls with this path have one message for an answer.
    pub(crate) fn is_unary(&self, path: &str) -> bool {
        let is_unary = self.unary.as_ref();
        is_unary.is_some_and(|is_unary| is_unary(path))
    }
}

impl<S: fmt::Debug> fmt::Debug for Peek<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peek")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for Peek<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body + Unpin,
{
    type Response = Response<PeekBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let is_unary = self.is_unary(request.uri().path());
        ResponseFuture::new(self.inner.call(request), is_unary)
    }
}
