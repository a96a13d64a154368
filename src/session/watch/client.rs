//! The HTTP client, whatever its type.

use std::{
    future::poll_fn,
    marker::PhantomData,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use futures_util::future::{BoxFuture, FutureExt};
use http::{Request, Response};
use http_body::{Body, Frame};
use tower_service::Service;

use crate::BoxError;

/// A client that sends requests with small bodies.
pub(super) trait Client: Send + Sync {
    /// Sends it when the client is ready.
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'static, Result<Response<Incoming>, BoxError>>;
}

/// The body of a response, whatever its type.
pub(super) type Incoming = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;

pub(super) fn incoming<R>(body: R) -> Incoming
where
    R: Body + Send + 'static,
    R::Error: Into<BoxError>,
{
    Box::pin(Erased(Box::pin(body)))
}

/// A client whose requests have bodies of type `B`.
pub(super) struct Through<S, B> {
    // A mutex because a client need not be `Sync`; it is held for a clone.
    service: Mutex<S>,
    body: PhantomData<fn() -> B>,
}

impl<S, B> Through<S, B> {
    pub(super) fn new(service: S) -> Self {
        Self {
            service: Mutex::new(service),
            body: PhantomData,
        }
    }
}

impl<S, B, R> Client for Through<S, B>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: From<Bytes> + Send,
    R: Body + Send + 'static,
    R::Error: Into<BoxError>,
{
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'static, Result<Response<Incoming>, BoxError>> {
        // A clone that panicked left nothing behind that a later one could meet.
        let lock = self.service.lock();
        let mut service = lock.unwrap_or_else(PoisonError::into_inner).clone();
        async move {
            poll_fn(|cx| service.poll_ready(cx))
                .await
                .map_err(Into::into)?;
            let sent = service.call(request.map(B::from));
            Ok(sent.await.map_err(Into::into)?.map(incoming))
        }
        .boxed()
    }
}

struct Erased<R>(Pin<Box<R>>);

impl<R> Body for Erased<R>
where
    R: Body,
    R::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let bytes = |mut data: R::Data| data.copy_to_bytes(data.remaining());
        self.0.as_mut().poll_frame(cx).map(|frame| {
            let frame = frame?.map_err(Into::into);
            Some(frame.map(|frame| frame.map_data(bytes)))
        })
    }
}
