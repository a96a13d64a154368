use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::{mpsc, oneshot};

use crate::BoxError;
use crate::connection::Order;

/// A body that fails after its first data, but not before that is on the wire: hyper drops what is queued behind an error.
#[derive(Debug)]
pub(crate) struct CutBody {
    body: UnsyncBoxBody<Bytes, BoxError>,
    orders: mpsc::UnboundedSender<Order>,
    state: State,
}

#[derive(Debug)]
enum State {
    Start,
    /// The data was handed to hyper.
    Sent,
    Flushing(oneshot::Receiver<()>),
}

impl CutBody {
    pub(crate) fn new(
        body: UnsyncBoxBody<Bytes, BoxError>,
        orders: mpsc::UnboundedSender<Order>,
    ) -> Self {
        CutBody {
            body,
            orders,
            state: State::Start,
        }
    }
}

impl Body for CutBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            match &mut self.state {
                State::Start => {
                    let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
                    self.state = State::Sent;
                    return Poll::Ready(frame);
                }
                State::Sent => {
                    let (done, flushed) = oneshot::channel();
                    // Without a connection to take the order, `done` is dropped and the wait below ends.
                    let _ = self.orders.send(Order::Flush(done));
                    self.state = State::Flushing(flushed);
                }
                State::Flushing(flushed) => {
                    let _ = ready!(Pin::new(flushed).poll(cx));
                    return Poll::Ready(Some(Err("cut".into())));
                }
            }
        }
    }
}
