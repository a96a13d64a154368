use std::{
    future::poll_fn,
    sync::{Mutex, PoisonError},
};

use ::reqwest::{Body, Request, Response};
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use tower_service::Service;

use super::{
    Watch,
    client::{Client, Incoming, incoming},
};
use crate::BoxError;

impl<P> Watch<P> {
    /// As [`new`](Self::new), through a client of reqwest, or a layer over one.
    ///
    /// Its errors are told without the URL, in which the lease may stand. Those of a layer over a client
    /// may name it.
    pub fn reqwest<S>(client: S, protocol: P) -> Self
    where
        S: Service<Request, Response = Response> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        Self::through(Reqwest(Mutex::new(client)), protocol)
    }
}

// A mutex because a client need not be `Sync`; it is held for a clone.
struct Reqwest<S>(Mutex<S>);

impl<S> Client for Reqwest<S>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'static, Result<http::Response<Incoming>, BoxError>> {
        let lock = self.0.lock();
        let mut service = lock.unwrap_or_else(PoisonError::into_inner).clone();
        async move {
            let request = request.map(Body::from).try_into()?;
            poll_fn(|cx| service.poll_ready(cx))
                .await
                .map_err(Into::into)?;
            let response = service
                .call(request)
                .await
                .map_err(|error| nameless(error.into()))?;
            Ok(http::Response::<Body>::from(response).map(incoming))
        }
        .boxed()
    }
}

/// The error without the URL, in which the lease may stand.
fn nameless(error: BoxError) -> BoxError {
    match error.downcast::<::reqwest::Error>() {
        Ok(error) => error.without_url().into(),
        Err(error) => error,
    }
}
