//! The wrapped client, whatever its type, for requests of the layer's own.

use std::{
    future::poll_fn,
    marker::PhantomData,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::{BoxFuture, FutureExt};
use http::{Request, Response, StatusCode};
use http_body::Body;
use tokio::time::{Instant, timeout_at};
use tower_service::Service;

use crate::{
    BoxError,
    classify::GrpcCode,
    discovery::{Answer, Fault},
    replay::ReplayBody,
    time::after,
};

/// A client that sends requests without a body.
pub(crate) trait Client: Send + Sync {
    /// Asks for a region document.
    fn get(&self, request: Request<()>) -> BoxFuture<'static, Result<Answer, Fault>>;

    /// Asks for a status, and reads no more than that, within this time.
    fn probe(&self, request: Request<()>, within: Duration) -> BoxFuture<'static, Probe>;
}

/// What came of a probe.
#[derive(Debug)]
pub(crate) enum Probe {
    Answered(StatusCode),
    /// The region answered that it is not available, in the terms of gRPC.
    Unavailable,
    Failed(BoxError),
    TimedOut,
    /// The client was not ready to send it.
    NotSent,
}

/// A client whose requests have bodies of type `B`.
pub(crate) struct Through<S, B> {
    // A mutex because a client need not be `Sync`; it is held for a clone.
    service: Mutex<S>,
    body: PhantomData<fn() -> B>,
}

impl<S, B> Through<S, B> {
    pub(crate) fn new(service: S) -> Self {
        Self {
            service: Mutex::new(service),
            body: PhantomData,
        }
    }

    fn service(&self) -> S
    where
        S: Clone,
    {
        // A clone that panicked left nothing behind that a later one could meet.
        let lock = self.service.lock();
        lock.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<S, B, R> Client for Through<S, B>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Send + 'static,
    R: Body + Send + 'static,
{
    fn get(&self, request: Request<()>) -> BoxFuture<'static, Result<Answer, Fault>> {
        let mut service = self.service();
        async move {
            let client = |error: S::Error| Fault::Client(error.into());
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(client)?;
            let request = request.map(|()| ReplayBody::own());
            Answer::read(service.call(request).await.map_err(client)?).await
        }
        .boxed()
    }

    fn probe(&self, request: Request<()>, within: Duration) -> BoxFuture<'static, Probe> {
        let mut service = self.service();
        async move {
            let until = after(Instant::now(), within);
            match timeout_at(until, poll_fn(|cx| service.poll_ready(cx))).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Probe::NotSent,
            }
            let request = request.map(|()| ReplayBody::own());
            match timeout_at(until, service.call(request)).await {
                Ok(Ok(response)) => match GrpcCode::of(response.headers()) {
                    Some(GrpcCode::UNAVAILABLE) => Probe::Unavailable,
                    _ => Probe::Answered(response.status()),
                },
                Ok(Err(error)) => Probe::Failed(error.into()),
                Err(_) => Probe::TimedOut,
            }
        }
        .boxed()
    }
}
