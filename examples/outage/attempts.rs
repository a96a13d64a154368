//! Counts attempts where they leave the client.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
};

use http::Request;
use tower::Service;

/// A request extension: how often the call was sent. A replay carries the extensions of its call; a
/// probe belongs to no call and is not counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<AtomicU32>);

impl Tally {
    pub(crate) fn attempts(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The HTTP client under whatever retries.
#[derive(Clone, Debug)]
pub(crate) struct Counted<S>(pub(crate) S);

impl<S, B> Service<Request<B>> for Counted<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        if let Some(Tally(attempts)) = request.extensions().get() {
            attempts.fetch_add(1, Ordering::Relaxed);
        }
        self.0.call(request)
    }
}
