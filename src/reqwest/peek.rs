use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ::reqwest::{Body, Request, Response, ResponseBuilderExt};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::peek::{self, Peek};

/// As over clients of `http`. Each body of a response is boxed anew.
impl<S> Service<Request> for Peek<S>
where
    S: Service<Request, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = PeekFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.get_mut().poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let is_unary = self.is_unary(request.url().path());
        let future = Opened {
            future: self.get_mut().call(request),
        };
        PeekFuture {
            future: peek::ResponseFuture::new(future, is_unary),
        }
    }
}

pin_project! {
    /// The response of [`Peek`] over a client of reqwest, as [`peek::ResponseFuture`] is over others.
    #[must_use = "futures do nothing unless polled"]
    pub struct PeekFuture<F> {
        #[pin]
        future: peek::ResponseFuture<Opened<F>, Body>,
    }
}

impl<F, E> Future for PeekFuture<F>
where
    F: Future<Output = Result<Response, E>>,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().future.poll(cx))?;
        Poll::Ready(Ok(response.map(Body::wrap).into()))
    }
}

impl<F> fmt::Debug for PeekFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeekFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// A response of reqwest as one of `http`.
    struct Opened<F> {
        #[pin]
        future: F,
    }
}

impl<F, E> Future for Opened<F>
where
    F: Future<Output = Result<Response, E>>,
{
    type Output = Result<http::Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().future.poll(cx))?;
        // The conversion loses the URL, and the one back looks for it where this puts it.
        let url = http::Response::builder().url(response.url().clone());
        let url = url
            .body(())
            .expect("a URL is no header that may be invalid");
        let mut response: http::Response<Body> = response.into();
        response
            .extensions_mut()
            .extend(url.into_parts().0.extensions);
        Poll::Ready(Ok(response))
    }
}
