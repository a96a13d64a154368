//! The body of a watch: its pieces in turn, and comments between them.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, pending};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use super::desk::Live;
use super::piece::{Piece, comment, event};
use crate::BoxError;
use crate::connection::{Ending, Order};

/// Puts pieces on a stream while it lasts.
#[derive(Clone, Debug)]
pub(super) struct Feed(mpsc::UnboundedSender<Piece>);

impl Feed {
    pub(super) fn new() -> (Feed, mpsc::UnboundedReceiver<Piece>) {
        let (sender, inbox) = mpsc::unbounded_channel();
        (Feed(sender), inbox)
    }

    /// A stream that is gone takes none.
    pub(super) fn send(&self, piece: Piece) {
        let _ = self.0.send(piece);
    }

    pub(super) fn end(&self) {
        self.send(Piece::End);
    }
}

/// Of a stream that is gone.
impl Default for Feed {
    fn default() -> Self {
        Feed::new().0
    }
}

/// How pieces are written.
#[derive(Debug)]
pub(super) struct Writing {
    /// The whole event.
    pub(super) hello: String,
    pub(super) line_end: &'static str,
    pub(super) bytewise: bool,
    pub(super) keep_alive: Duration,
}

/// What is still to come on a stream.
#[derive(Debug)]
pub(super) struct Stream {
    writing: Writing,
    /// Rendered, and not handed out, where it goes byte by byte.
    rest: Bytes,
    queue: VecDeque<Piece>,
    inbox: mpsc::UnboundedReceiver<Piece>,
    keep_alive: Interval,
    /// When the queue goes on.
    resume_at: Option<Instant>,
    is_silent: bool,
    orders: mpsc::UnboundedSender<Order>,
    _live: Live,
}

impl Stream {
    pub(super) fn new(
        writing: Writing,
        opening: Vec<Piece>,
        inbox: mpsc::UnboundedReceiver<Piece>,
        orders: mpsc::UnboundedSender<Order>,
        live: Live,
    ) -> Self {
        let first = Instant::now() + writing.keep_alive;
        let mut keep_alive = interval_at(first, writing.keep_alive);
        keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Stream {
            writing,
            rest: Bytes::new(),
            queue: opening.into(),
            inbox,
            keep_alive,
            resume_at: None,
            is_silent: false,
            orders,
            _live: live,
        }
    }

    /// The next data, the error that breaks the stream off, or its end.
    async fn next(&mut self) -> Option<Result<Bytes, BoxError>> {
        loop {
            if !self.rest.is_empty() {
                return Some(Ok(self.rest.split_to(1)));
            }
            let line_end = self.writing.line_end;
            let text = match self.piece().await {
                Piece::End => return None,
                Piece::Cut => {
                    self.flush().await;
                    return Some(Err("cut".into()));
                }
                Piece::Reset => {
                    self.flush().await;
                    // Nobody takes the order only when the connection has ended already.
                    let _ = self.orders.send(Order::End(Ending::Reset));
                    pending().await
                }
                _ if self.is_silent => continue,
                Piece::Hello => self.writing.hello.clone(),
                Piece::Event(name, data) => event(&name, &data, line_end),
                Piece::Comment(text) => comment(&text, line_end),
                Piece::Text(text) => text,
                Piece::Endless => {
                    self.queue.push_front(Piece::Endless);
                    "endless ".repeat(1024)
                }
                Piece::Wait(wait) => {
                    self.resume_at = Some(Instant::now() + wait);
                    continue;
                }
                Piece::Silence => {
                    self.is_silent = true;
                    continue;
                }
            };
            self.rest = text.into();
            if !self.writing.bytewise && !self.rest.is_empty() {
                return Some(Ok(std::mem::take(&mut self.rest)));
            }
        }
    }

    async fn piece(&mut self) -> Piece {
        loop {
            if self.resume_at.is_none() {
                if let Some(piece) = self.queue.pop_front() {
                    return piece;
                }
            }
            tokio::select! {
                biased;
                // The live stream has a feed itself, so there is always one.
                Some(piece) = self.inbox.recv() => match piece {
                    last if last.is_last() => return last,
                    piece => self.queue.push_back(piece),
                },
                () = until(self.resume_at) => self.resume_at = None,
                _ = self.keep_alive.tick() => return Piece::Comment("keep-alive".to_owned()),
            }
        }
    }

    /// Waits until all data that was handed out is on the wire: hyper drops what is queued behind an error.
    async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        // Without a connection to take the order, `done` is dropped and the wait ends.
        let _ = self.orders.send(Order::Flush(done));
        let _ = flushed.await;
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

type Next = Pin<Box<dyn Future<Output = (Option<Result<Bytes, BoxError>>, Stream)> + Send>>;

/// A [`Stream`] as hyper reads it. It has no task of its own, so it is gone with its connection.
pub(super) struct Streaming(Option<Next>);

impl Streaming {
    pub(super) fn new(stream: Stream) -> Self {
        Streaming(Some(next(stream)))
    }
}

fn next(mut stream: Stream) -> Next {
    Box::pin(async move { (stream.next().await, stream) })
}

impl Body for Streaming {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(waiting) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let (data, stream) = ready!(waiting.as_mut().poll(cx));
        self.0 = matches!(data, Some(Ok(_))).then(|| next(stream));
        Poll::Ready(data.map(|data| data.map(Frame::data)))
    }
}

impl fmt::Debug for Streaming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming").finish_non_exhaustive()
    }
}
