use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use ::reqwest::{Body, Client};
use futures_util::future::Either;
use tokio::sync::{mpsc, oneshot};
use tower_service::Service;

use super::run::{Order, Outcome};
use crate::{
    BoxError,
    replay::ReplayBody,
    report::Attempt,
    reqwest::{adapter::Adapter, outgoing::Outgoing, terms::Terms, whole::Whole},
};

/// A service that has attempts made by the middleware whose call it is for. The layer's own requests go
/// through the client: they may outlive the call.
#[derive(Clone, Debug)]
pub(super) struct Runs {
    client: Adapter<Client>,
    terms: Terms,
    orders: mpsc::UnboundedSender<Order>,
}

impl Runs {
    pub(super) fn new(client: Client, terms: Terms, orders: mpsc::UnboundedSender<Order>) -> Self {
        Self {
            client: Adapter::new(client, terms),
            terms,
            orders,
        }
    }

    fn order(&self, request: http::Request<ReplayBody<Body>>) -> Result<Reply, BoxError> {
        let attempt = request.extensions().get::<Attempt>().cloned();
        let outgoing = Outgoing::new(request, self.terms, false)?;
        let (reply, answer) = oneshot::channel();
        let order = Order {
            outgoing,
            attempt,
            reply,
        };
        self.orders.send(order).map_err(|_| Over)?;
        Ok(Reply { answer })
    }
}

impl Service<http::Request<ReplayBody<Body>>> for Runs {
    type Response = http::Response<Whole>;
    type Error = BoxError;
    type Future = Either<
        <Adapter<Client> as Service<http::Request<ReplayBody<Body>>>>::Future,
        Either<Reply, std::future::Ready<Outcome>>,
    >;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.client.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<ReplayBody<Body>>) -> Self::Future {
        if request.body().is_own() {
            return Either::Left(self.client.call(request));
        }
        Either::Right(match self.order(request) {
            Ok(reply) => Either::Left(reply),
            Err(error) => Either::Right(std::future::ready(Err(error))),
        })
    }
}

/// What comes of an attempt that was ordered. The attempt ends when this is dropped.
#[derive(Debug)]
pub(super) struct Reply {
    answer: oneshot::Receiver<Outcome>,
}

impl Future for Reply {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        Pin::new(&mut self.answer)
            .poll(cx)
            .map(|answer| answer.unwrap_or_else(|_| Err(Over.into())))
    }
}

/// The call that attempts would be made for is over.
#[derive(Debug)]
struct Over;

impl std::fmt::Display for Over {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the call is over")
    }
}

impl std::error::Error for Over {}
