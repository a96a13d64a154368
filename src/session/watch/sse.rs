//! Server-sent events: from the body of a response to its events.
//!
//! As the HTML standard has it (section 9.2.6, "Interpreting an event stream"), except that comments
//! are told, since a peer that comments is alive. The fields `id` and `retry` are read over: a watch
//! resumes by its lease, and how long to wait is the supervisor's to say.

mod parser;

use std::{error::Error as StdError, fmt, future::poll_fn, pin::Pin};

use bytes::Buf;
use http_body::Body;
use tokio::task::consume_budget;

#[cfg(test)]
mod tests;

pub(crate) use self::parser::{Parser, TooLong};
use crate::BoxError;

/// How many bytes the lines of one event may have, their ends counted as one byte each; and how many a
/// comment may have.
///
/// A watch is told of leases, addresses and tokens, some KiB at most; the rest is room for a server's
/// own ideas. It is also what a server can make us keep in memory per watch, beside one chunk.
const MAX_EVENT: usize = 256 * 1024;

/// What a server sends through an event stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Event(Event),
    /// A comment, whatever it says.
    KeepAlive,
}

/// An event of a stream.
///
/// Its data may be a secret, and is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Its name; `message` where the server gave none.
    pub name: String,
    /// Its lines of data, joined by LF; there is at least one, but it may be empty. Invalid UTF-8 is
    /// replaced, as the standard wants it.
    pub data: String,
}

impl Event {
    /// An event of this name with this data, for tests of [protocols](super::Protocol).
    pub fn new(name: impl Into<String>, data: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            data: data.into(),
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("name", &self.name)
            .field("data_len", &self.data.len())
            .finish()
    }
}

/// The frames in a body.
pub(super) struct Frames<B> {
    /// `None` after its end or an error: a connection is not kept for what nobody reads.
    body: Option<Pin<Box<B>>>,
    parser: Parser,
}

impl<B> Frames<B>
where
    B: Body<Error: Into<BoxError>>,
{
    pub(super) fn new(body: B) -> Self {
        Self {
            body: Some(Box::pin(body)),
            parser: Parser::new(MAX_EVENT),
        }
    }

    /// The next frame; `None` at the end of the body, where an event that has no blank line after it is
    /// lost. An error is the last one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: what has been read is kept here.
    pub(super) async fn next(&mut self) -> Option<Result<Frame, SseError>> {
        loop {
            match self.parser.next() {
                Ok(Some(frame)) => return Some(Ok(frame)),
                Ok(None) => {}
                Err(too_long) => {
                    self.body = None;
                    return Some(Err(too_long.into()));
                }
            }
            let body = self.body.as_mut()?;
            match poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
                Some(Ok(frame)) => {
                    // Trailers tell nothing.
                    if let Ok(mut data) = frame.into_data() {
                        self.parser.push(data.copy_to_bytes(data.remaining()));
                    }
                }
                Some(Err(error)) => {
                    self.body = None;
                    return Some(Err(SseError::Body(error.into())));
                }
                None => self.body = None,
            }
            // Else a server that always has more of nothing would keep the caller's timers from firing.
            consume_budget().await;
        }
    }
}

/// Why the frames ended early.
#[derive(Debug)]
pub(crate) enum SseError {
    Body(BoxError),
    TooLong(TooLong),
}

impl From<TooLong> for SseError {
    fn from(too_long: TooLong) -> Self {
        Self::TooLong(too_long)
    }
}

impl fmt::Display for SseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(_) => f.write_str("the event stream broke off"),
            Self::TooLong(too_long) => too_long.fmt(f),
        }
    }
}

impl StdError for SseError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Body(error) => Some(&**error),
            Self::TooLong(_) => None,
        }
    }
}
