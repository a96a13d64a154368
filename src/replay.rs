//! The same body again.
//!
//! [`ReplayBody`] is what the inner service gets in place of the caller's body. While a replay is
//! still possible the source is shared between the body of the current attempt and the call: frames
//! are kept, by reference count, as they are handed out, and the body of a later attempt hands them
//! out again before it goes on with the source where that stands.
//!
//! An attempt may fail while its upload is under way: the server answered `503` at once, or took too
//! long. The client then still holds the old body, and may for as long as the connection lives. So
//! the source is not passed on when the old body is dropped; it belongs to the newest *generation*.
//! A replay begins a new one, and a body of an older generation yields [`Superseded`] when it is
//! next polled, to which it is woken. The client takes that for a failed upload and ends the stream.
//! A client that cannot send, because the old region has stopped reading, does not poll the body and
//! keeps it, and its stream or connection, until the connection ends; the body is empty by then.

mod begun;
mod keeper;
mod kept;
mod source;
#[cfg(test)]
mod tests;

use std::{
    error::Error as StdError,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

use begun::Begun;
pub(crate) use keeper::Keeper;
use source::Source;

use crate::BoxError;

/// The body of a request as the inner service gets it.
///
/// It yields the frames of the caller's body `B`, or on a later attempt those frames again, with
/// their data as [`Bytes`]. Data of another type is copied once; `Bytes` are not. Length, end of
/// stream and trailers are those of the caller's body.
///
/// `B` is [`Unpin`], as hyper's clients ask of every body: any other can be boxed, for instance by
/// `http_body_util::BodyExt::boxed`.
///
/// # Errors
///
/// The error of the caller's body, boxed, or [`Superseded`].
pub struct ReplayBody<B> {
    repr: Repr<B>,
}

enum Repr<B> {
    /// Nothing, or a single frame of data that was ready at once: nothing to share.
    Ready { data: Option<Bytes>, begun: Begun },
    /// No body, of a request that is the layer's own and no attempt of a call.
    Own,
    /// The caller's own body, of a request that is none of the layer's business.
    Direct(B),
    /// A view of the shared source.
    Shared {
        source: Arc<Source<B>>,
        generation: u64,
    },
}

/// A new attempt took over the body of this one.
///
/// Only the client that sends the body sees it, of a request whose response nobody waits for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Superseded;

impl fmt::Display for Superseded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("request superseded by a later attempt")
    }
}

impl StdError for Superseded {}

impl<B> ReplayBody<B> {
    /// A body that is handed out once, as it is.
    pub(crate) fn direct(body: B) -> Self {
        Self {
            repr: Repr::Direct(body),
        }
    }

    /// The body of a request that is the layer's own: a probe, or a question to discovery.
    pub(crate) fn own() -> Self {
        Self { repr: Repr::Own }
    }

    /// Whether the request is the layer's own.
    #[cfg(feature = "reqwest")]
    pub(crate) fn is_own(&self) -> bool {
        matches!(self.repr, Repr::Own)
    }

    fn ready(data: Option<Bytes>, begun: Begun) -> Self {
        Self {
            repr: Repr::Ready { data, begun },
        }
    }

    fn shared(source: Arc<Source<B>>, generation: u64) -> Self {
        Self {
            repr: Repr::Shared { source, generation },
        }
    }
}

#[cfg(feature = "reqwest")]
impl<B> ReplayBody<B> {
    /// The caller's own body, of a request that is none of the layer's business.
    pub(crate) fn into_direct(mut self) -> Result<B, Self> {
        match std::mem::replace(&mut self.repr, Repr::Own) {
            Repr::Direct(body) => Ok(body),
            repr => Err(Self { repr }),
        }
    }

    /// The data of a body that is no stream, or that there is none; `None` for a stream.
    pub(crate) fn at_hand(&self) -> Option<Option<Bytes>> {
        match &self.repr {
            Repr::Ready { data, .. } => Some(data.clone()),
            Repr::Own => Some(None),
            Repr::Direct(_) | Repr::Shared { .. } => None,
        }
    }
}

/// Wraps the body of a request that may be replayed as long as no more than `max_bytes` were sent;
/// `None` where there is never a replay. Only if it is `watched` can be told of every body whether it
/// was begun.
pub(crate) fn wrap<B>(
    mut body: B,
    max_bytes: Option<usize>,
    watched: bool,
) -> (ReplayBody<B>, Keeper<B>)
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    let ready = |data: Option<Bytes>, again: Option<Bytes>, begun: Begun| {
        let keeper = Keeper::ready(again, begun.clone());
        (ReplayBody::ready(data, begun), keeper)
    };
    if body.is_end_stream() {
        return ready(None, None, Begun::unknown());
    }
    let hint = body.size_hint();
    let kept = max_bytes.unwrap_or(0);
    let fits = |bytes: &u64| max_bytes.is_none_or(|max| *bytes <= max as u64);
    let source = if let Some(length) = hint.exact().filter(fits) {
        // A body that knows its length usually has it at hand, so it is asked for one frame. The
        // waker may do nothing: before anybody waits for the body it is polled again.
        let mut cx = Context::from_waker(Waker::noop());
        match poll_as_bytes(&mut body, &mut cx) {
            Poll::Pending => Source::new(body, hint, kept),
            Poll::Ready(None) if length == 0 => return ready(None, None, Begun::unknown()),
            Poll::Ready(None) => Source::ended(hint),
            Poll::Ready(Some(Err(error))) => Source::failed(hint, error),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                // Of another length than it said, the body must not pass as whole.
                Ok(data) if body.is_end_stream() && data.len() as u64 == length => {
                    let again = max_bytes.is_some().then(|| data.clone());
                    let begun = if watched {
                        Begun::not_yet()
                    } else {
                        Begun::unknown()
                    };
                    return ready(Some(data), again, begun);
                }
                Ok(data) => Source::begun(body, hint, kept, Frame::data(data)),
                Err(frame) => Source::begun(body, hint, kept, frame),
            },
        }
    } else {
        Source::new(body, hint, kept)
    };
    let source = Arc::new(source);
    (
        ReplayBody::shared(source.clone(), 0),
        Keeper::shared(source),
    )
}

/// The next frame of the caller's body, in the types of [`ReplayBody`].
fn poll_as_bytes<B>(
    body: &mut B,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    Pin::new(body).poll_frame(cx).map(|frame| {
        frame.map(|result| match result {
            Ok(frame) => Ok(frame.map_data(into_bytes)),
            Err(error) => Err(error.into()),
        })
    })
}

fn into_bytes(mut data: impl Buf) -> Bytes {
    data.copy_to_bytes(data.remaining())
}

impl<B> Body for ReplayBody<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.get_mut().repr {
            Repr::Ready { data, begun } => {
                begun.set();
                Poll::Ready(data.take().map(|data| Ok(Frame::data(data))))
            }
            Repr::Own => Poll::Ready(None),
            Repr::Direct(body) => poll_as_bytes(body, cx),
            Repr::Shared { source, generation } => source.poll_frame(*generation, cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.repr {
            Repr::Ready { data, .. } => data.is_none(),
            Repr::Own => true,
            Repr::Direct(body) => body.is_end_stream(),
            Repr::Shared { source, generation } => source.is_end_stream(*generation),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.repr {
            Repr::Ready { data, .. } => {
                SizeHint::with_exact(data.as_ref().map_or(0, |data| data.len() as u64))
            }
            Repr::Own => SizeHint::with_exact(0),
            Repr::Direct(body) => body.size_hint(),
            Repr::Shared { source, generation } => source.size_hint(*generation),
        }
    }
}

impl<B> Drop for ReplayBody<B> {
    fn drop(&mut self) {
        if let Repr::Shared { source, generation } = &self.repr {
            source.leave(*generation);
        }
    }
}

impl<B> fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayBody").finish_non_exhaustive()
    }
}
