use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// No body, of a kind that reqwest cannot send twice, and so follows no redirect with, but for a `303`.
pub(super) struct Nowhere;

impl Body for Nowhere {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }

    /// Not that it is empty: what is known to be so is sent again.
    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
