//! The wrapped client, whatever its type, for requests of the layer's own.

use std::{
    future::poll_fn,
    marker::PhantomData,
    sync::{Mutex, PoisonError},
};

use futures_util::future::{BoxFuture, FutureExt};
use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use crate::{
    BoxError,
    discovery::{Answer, Fault},
    replay::ReplayBody,
};

/// A client that sends requests without a body.
pub(crate) trait Client: Send + Sync {
    /// Asks for a region document.
    fn get(&self, request: Request<()>) -> BoxFuture<'static, Result<Answer, Fault>>;

    /// Asks for a status, and reads no more than that; `None` when there is none.
    fn probe(&self, request: Request<()>) -> BoxFuture<'static, Option<StatusCode>>;
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
        let response = self.send(request);
        async move {
            let response = response.await.map_err(|e| Fault::Client(e.into()))?;
            Answer::read(response).await
        }
        .boxed()
    }

    fn probe(&self, request: Request<()>) -> BoxFuture<'static, Option<StatusCode>> {
        let response = self.send(request);
        async move { Some(response.await.ok()?.status()) }.boxed()
    }
}

impl<S, B> Through<S, B> {
    fn send<R>(
        &self,
        request: Request<()>,
    ) -> impl Future<Output = Result<Response<R>, S::Error>> + use<S, B, R>
    where
        S: Service<Request<ReplayBody<B>>, Response = Response<R>> + Clone,
    {
        // A clone that panicked left nothing behind that a later one could meet.
        let lock = self.service.lock();
        let mut service = lock.unwrap_or_else(PoisonError::into_inner).clone();
        async move {
            poll_fn(|cx| service.poll_ready(cx)).await?;
            service.call(request.map(|()| ReplayBody::empty())).await
        }
    }
}
