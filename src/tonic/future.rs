use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use ::tonic::{body::Body, transport::Channel};
use http::{Request, Response, Uri};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{lease::Leased, pool::Pool};
use crate::BoxError;

pin_project! {
    /// The response of [`Channels`](super::Channels).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture {
        #[pin]
        state: State,
        // Kept to the end: hyper takes a connection without a handle for idle, and its keep-alive then
        // sends no pings, even if one response is awaited.
        way: Option<Way>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State {
        /// Waiting for room in the channel's queue.
        Queue { request: Option<Request<Body>> },
        /// Waiting for the response.
        Sent { #[pin] future: <Channel as Service<Request<Body>>>::Future },
        Failed { error: Option<BoxError> },
    }
}

/// The channel of a request, and where to have another.
struct Way {
    pool: Arc<Pool>,
    leased: Leased,
    /// Whether it is the second one.
    renewed: bool,
}

impl ResponseFuture {
    pub(super) fn new(pool: Arc<Pool>, leased: Leased, request: Request<Body>) -> Self {
        let request = Some(request);
        Self {
            state: State::Queue { request },
            way: Some(Way {
                pool,
                leased,
                renewed: false,
            }),
        }
    }

    pub(super) fn failed(error: BoxError) -> Self {
        Self {
            state: State::Failed { error: Some(error) },
            way: None,
        }
    }
}

impl Way {
    fn poll_ready(&mut self, uri: &Uri, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        loop {
            match ready!(self.leased.line.channel.poll_ready(cx)) {
                Ok(()) => return Poll::Ready(Ok(())),
                // Only a channel whose task is gone, with the runtime that it was made on or by a
                // panic, is never ready again.
                Err(error) => {
                    self.pool.forget(&self.leased);
                    if self.renewed {
                        return Poll::Ready(Err(error.into()));
                    }
                    self.renewed = true;
                    self.leased = self.pool.channel(uri)?;
                }
            }
        }
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        if self.leased.is_given_up() {
            self.pool.forget(&self.leased);
        }
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const DONE: &str = "a future is not polled after its end";
        const HAS_CHANNEL: &str = "a request that waits has a channel";

        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Queue { request } => {
                    let way = this.way.as_mut().expect(HAS_CHANNEL);
                    let uri = request.as_ref().expect(DONE).uri();
                    let ready = ready!(way.poll_ready(uri, cx));
                    let request = request.take().expect(DONE);
                    ready?;
                    let future = way.leased.line.channel.call(request);
                    this.state.set(State::Sent { future });
                }
                StateProj::Sent { future } => {
                    let outcome = ready!(future.poll(cx));
                    let way = this.way.as_mut().expect(HAS_CHANNEL);
                    way.leased.has_ended(outcome.is_ok());
                    return Poll::Ready(outcome.map_err(Into::into));
                }
                StateProj::Failed { error } => {
                    return Poll::Ready(Err(error.take().expect(DONE)));
                }
            }
        }
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
