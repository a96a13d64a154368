use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::classify::GrpcCode;

/// The body of a response of which something may have been read: it hands out the same frames, with
/// their data as [`Bytes`], from the first.
pub struct PeekBody<R: Body> {
    /// What was read, and not handed out again.
    read: VecDeque<Result<Frame<Bytes>, R::Error>>,
    /// `None` where nothing is to come.
    rest: Option<R>,
}

impl<R: Body> PeekBody<R> {
    pub(super) fn new(body: R) -> Self {
        Self {
            read: VecDeque::new(),
            rest: Some(body),
        }
    }

    /// The trailers, if they are what was read, tell of a failure, and have no more than this many
    /// fields. They are then gone from here, and nothing is left.
    pub(super) fn take_failure(&mut self, max_fields: usize) -> Option<HeaderMap> {
        let first = self.read.front()?.as_ref().ok()?;
        let trailers = first.trailers_ref()?;
        if GrpcCode::of(trailers)? == GrpcCode::OK || trailers.len() > max_fields {
            return None;
        }
        self.rest = None;
        let first = self.read.pop_front()?.ok()?;
        first.into_trailers().ok()
    }
}

impl<R: Body + Unpin> PeekBody<R> {
    /// Reads one more frame and keeps it: the data in it, or `None` at the end, be it by an error.
    pub(super) fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(result) = ready!(self.poll_rest(cx)) else {
            return Poll::Ready(None);
        };
        let frame = result.as_ref().ok();
        let data = frame.map(|frame| frame.data_ref().cloned().unwrap_or_default());
        self.read.push_back(result);
        Poll::Ready(data)
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        let Some(rest) = &mut self.rest else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(rest).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.rest = None;
        }
        let into_bytes = |mut data: R::Data| data.copy_to_bytes(data.remaining());
        Poll::Ready(frame.map(|result| result.map(|frame| frame.map_data(into_bytes))))
    }
}

impl<R: Body + Unpin> Body for PeekBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        match self.read.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => self.poll_rest(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.as_ref();
        let mut hint = rest.map_or(SizeHint::with_exact(0), Body::size_hint);
        let frames = self.read.iter().flatten();
        let read: usize = frames.filter_map(Frame::data_ref).map(Bytes::len).sum();
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(read as u64));
        }
        hint.set_lower(hint.lower().saturating_add(read as u64));
        hint
    }
}

// What was read is not pinned.
impl<R: Body + Unpin> Unpin for PeekBody<R> {}

impl<R: Body> fmt::Debug for PeekBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeekBody").finish_non_exhaustive()
    }
}
