use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};

use crate::BoxError;

const SPACES: &[u8] = &[b' '; 16 * 1024];

/// A body that never ends.
#[derive(Debug)]
pub(crate) enum OpenBody {
    /// Spaces for ever.
    Endless,
    /// These bytes, then silence.
    Stall(Bytes),
}

impl Body for OpenBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut *self {
            OpenBody::Endless => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(SPACES))))),
            OpenBody::Stall(bytes) if bytes.is_empty() => Poll::Pending,
            OpenBody::Stall(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
        }
    }
}
