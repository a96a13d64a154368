//! The response to a call: the future of [`Failover`](crate::Failover).

mod attempts;

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

pub(crate) use attempts::{Attempts, Replays};

use crate::{BoxError, error::Error, replay::ReplayBody};

pin_project! {
    /// The response to a call, from whichever region gave it.
    ///
    /// # Panics
    ///
    /// When a call has to wait, for an attempt or between two, outside of a Tokio runtime with its
    /// timer enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the attempt in flight, or the wait before the next one. Nothing was
    /// spawned, and no further attempt is made.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<ReplayBody<B>>>,
    {
        #[pin]
        repr: Repr<S, B>,
    }
}

pin_project! {
    #[project = ReprProj]
    enum Repr<S, B>
    where
        S: Service<Request<ReplayBody<B>>>,
    {
        /// A request that is none of the layer's business.
        PassedOn { #[pin] future: S::Future },
        Attempts { #[pin] attempts: Attempts<S, B> },
    }
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<ReplayBody<B>>>,
{
    pub(crate) fn passed_on(future: S::Future) -> Self {
        Self {
            repr: Repr::PassedOn { future },
        }
    }

    pub(crate) fn attempts(attempts: Attempts<S, B>) -> Self {
        Self {
            repr: Repr::Attempts { attempts },
        }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Send + 'static,
    R: Body + Send + 'static,
{
    type Output = Result<Response<R>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().repr.project() {
            ReprProj::PassedOn { future } => future
                .poll(cx)
                .map_err(|error| Error::passed_on(error.into())),
            ReprProj::Attempts { attempts } => attempts.poll(cx),
        }
    }
}

impl<S, B> fmt::Debug for ResponseFuture<S, B>
where
    S: Service<Request<ReplayBody<B>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
