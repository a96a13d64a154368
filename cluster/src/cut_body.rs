use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::{mpsc, oneshot};

use crate::BoxError;
use crate::connection::Order;

/// A body of ten bytes that then fails, but not before they are on the wire: hyper drops what is queued behind an error.
#[derive(Debug)]
pub(crate) struct CutBody {
    orders: mpsc::UnboundedSender<Order>,
    state: State,
}

#[derive(Debug)]
enum State {
    Start,
    /// The bytes were handed to hyper.
    Sent,
    Flushing(oneshot::Receiver<()>),
}

impl CutBody {
    pub(crate) fn new(orders: mpsc::UnboundedSender<Order>) -> Self {
        CutBody {
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
                    self.state = State::Sent;
                    return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"0123456789")))));
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
