use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use ::reqwest::{Body, Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{adapter::Adapter, fault::unwrapped, whole::Whole};
use crate::{BoxError, error::Error, future};

pin_project! {
    /// The response to a call, as [`future::ResponseFuture`] is for requests of `http`.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S>
    where
        S: Service<Request, Response = Response>,
        S: Clone,
        S::Error: Into<BoxError>,
    {
        #[pin]
        repr: Repr<S>,
    }
}

pin_project! {
    #[project = ReprProj]
    enum Repr<S>
    where
        S: Service<Request, Response = Response>,
        S: Clone,
        S::Error: Into<BoxError>,
    {
        Call { #[pin] future: future::ResponseFuture<Adapter<S>, Body> },
        /// A request that no client can send; the inner one says why.
        Untouched { #[pin] future: S::Future },
    }
}

impl<S> ResponseFuture<S>
where
    S: Service<Request, Response = Response> + Clone,
    S::Error: Into<BoxError>,
{
    pub(super) fn call(future: future::ResponseFuture<Adapter<S>, Body>) -> Self {
        Self {
            repr: Repr::Call { future },
        }
    }

    pub(super) fn untouched(future: S::Future) -> Self {
        Self {
            repr: Repr::Untouched { future },
        }
    }
}

impl<S> Future for ResponseFuture<S>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Output = Result<Response, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().repr.project() {
            ReprProj::Call { future } => future.poll(cx).map(|outcome| match outcome {
                Ok(response) => Ok(Whole::unwrap(response).0),
                Err(error) => Err(unwrapped(error)),
            }),
            ReprProj::Untouched { future } => future
                .poll(cx)
                .map_err(|error| Error::passed_on(error.into())),
        }
    }
}

impl<S> fmt::Debug for ResponseFuture<S>
where
    S: Service<Request, Response = Response> + Clone,
    S::Error: Into<BoxError>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
