use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::{BoxError, replay::ReplayBody};

/// Whether the client has begun to send a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Mark(Arc<AtomicBool>);

impl Mark {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A body that tells when a client begins to send its request.
///
/// A client that has no connection yet does not touch it. Before hyper writes a head it asks whether
/// there is a body; over HTTP/2 it may send that head long before there is room for the body.
pub(super) struct Watched {
    inner: ReplayBody<::reqwest::Body>,
    mark: Mark,
}

impl Watched {
    pub(super) fn new(inner: ReplayBody<::reqwest::Body>) -> (Self, Mark) {
        let mark = Mark::default();
        let watched = Self {
            inner,
            mark: mark.clone(),
        };
        (watched, mark)
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        // For clients that do not ask.
        self.mark.set();
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.mark.set();
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
