use std::{
    any::TypeId,
    future::{Ready, ready},
    pin::Pin,
    task::{Context, Poll, ready},
};

use ::reqwest::{Body, Client, Request, Response};
use futures_util::future::Either;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    lent,
    outgoing::{Outgoing, Sent},
    terms::Terms,
    whole::Whole,
};
use crate::{BoxError, replay::ReplayBody};

/// A client of reqwest's kind as one of hyper's kind, for one call.
#[derive(Clone, Debug)]
pub(crate) struct Adapter<S> {
    inner: S,
    /// Whether that is reqwest's own. Any other may keep a copy of a request, or end one elsewhere.
    is_client: bool,
    terms: Terms,
}

impl<S> Adapter<S>
where
    S: 'static,
{
    pub(super) fn new(inner: S, terms: Terms) -> Self {
        Self {
            inner,
            is_client: TypeId::of::<S>() == TypeId::of::<Client>(),
            terms,
        }
    }
}

impl<S> Service<http::Request<ReplayBody<Body>>> for Adapter<S>
where
    S: Service<Request, Response = Response> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = http::Response<Whole>;
    type Error = BoxError;
    type Future = Either<Sending<S>, Ready<Result<Self::Response, BoxError>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: http::Request<ReplayBody<Body>>) -> Self::Future {
        let outgoing = match Outgoing::new(request, self.terms, self.is_client) {
            Ok(outgoing) => outgoing,
            Err(error) => return Either::Right(ready(Err(error))),
        };
        let again = outgoing.again.map(|request| {
            let service = self.inner.clone();
            Box::new(Again { service, request })
        });
        Either::Left(Sending {
            state: State::Sent {
                future: self.inner.call(outgoing.request),
            },
            sent: outgoing.sent,
            again,
        })
    }
}

pin_project! {
    /// What comes of one attempt.
    pub(crate) struct Sending<S>
    where
        S: Service<Request>,
    {
        #[pin]
        state: State<S::Future>,
        sent: Sent,
        again: Option<Box<Again<S>>>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Sent { #[pin] future: F },
        /// That is over. If it is to be sent again, the service has to be ready for it.
        Over,
    }
}

/// What it takes to send a request once more.
struct Again<S> {
    service: S,
    request: Request,
}

impl<S> Future for Sending<S>
where
    S: Service<Request, Response = Response>,
    S::Error: Into<BoxError>,
{
    type Output = Result<http::Response<Whole>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Sent { future } => match ready!(future.poll(cx)) {
                    Ok(response) if this.again.is_some() && this.sent.asks_again(&response) => {
                        this.state.set(State::Over);
                    }
                    Ok(response) => return Poll::Ready(Ok(this.sent.answered(response))),
                    Err(error) => {
                        lent::end(|| this.state.set(State::Over));
                        return Poll::Ready(Err(this.sent.failed(error.into())));
                    }
                },
                StateProj::Over => {
                    let again = this.again.as_mut();
                    let again = again.expect("nothing is polled once it is done");
                    if let Err(error) = ready!(again.service.poll_ready(cx)) {
                        return Poll::Ready(Err(this.sent.failed(error.into())));
                    }
                    if let Some(again) = this.again.take() {
                        let Again {
                            mut service,
                            mut request,
                        } = *again;
                        this.sent.bound(&mut request);
                        let future = service.call(request);
                        this.state.set(State::Sent { future });
                    }
                }
            }
        }
    }
}
