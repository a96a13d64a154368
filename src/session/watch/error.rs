use std::{error::Error as StdError, fmt, time::Duration};

use http::{HeaderValue, StatusCode};

use crate::BoxError;

/// How much of a content type is shown: of what stands there instead of an event stream, the name.
const MAX_TYPE: usize = 64;

/// Why a watch did not come up.
///
/// Where the client failed, or what it read made no sense, that is the [`source`](StdError::source).
#[derive(Debug)]
pub struct ConnectError {
    kind: ConnectErrorKind,
    content_type: Option<String>,
    retry_after: Option<Duration>,
    source: Option<BoxError>,
}

/// What kept a watch from coming up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The answer was 401.
    Unauthorized,
    /// The answer was 409: another holds the lease.
    Conflict,
    /// The answer was any other that is no success.
    Status(StatusCode),
    /// The answer was a success, but no event stream.
    ContentType,
    /// The answer was an event stream with a `Content-Encoding`, which was not asked for.
    Encoded,
    /// The stream ended before its hello.
    Ended,
    /// The stream broke off before its hello, or the server sent too much at once.
    Broken,
    /// The [protocol](super::Protocol::hello) did not understand the hello.
    Malformed,
    /// The client had no answer.
    Client,
    /// The [protocol](super::Protocol::open) had no request.
    Request,
}

impl ConnectError {
    /// An error of this kind; as such, for tests of classifiers.
    pub fn new(kind: ConnectErrorKind) -> Self {
        Self {
            kind,
            content_type: None,
            retry_after: None,
            source: None,
        }
    }

    /// The same with the server's wish not to be asked before; as such, for tests of classifiers.
    pub fn retry_later(mut self, wait: impl Into<Option<Duration>>) -> Self {
        self.retry_after = wait.into();
        self
    }

    pub(super) fn from_source(kind: ConnectErrorKind, source: impl Into<BoxError>) -> Self {
        let source = Some(source.into());
        Self {
            source,
            ..Self::new(kind)
        }
    }

    pub(super) fn content_type(was: Option<&HeaderValue>) -> Self {
        let text = |was: &HeaderValue| {
            let text = String::from_utf8_lossy(was.as_bytes());
            text.chars().take(MAX_TYPE).collect()
        };
        Self {
            content_type: was.map(text),
            ..Self::new(ConnectErrorKind::ContentType)
        }
    }

    /// What kept the watch from coming up.
    pub fn kind(&self) -> &ConnectErrorKind {
        &self.kind
    }

    /// When the server wishes to be asked again: `Retry-After`, as it stood there.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            ConnectErrorKind::Unauthorized => "not authorized to watch",
            ConnectErrorKind::Conflict => "another holds the lease",
            ConnectErrorKind::Status(status) => {
                return write!(f, "the watch was answered with {status}");
            }
            ConnectErrorKind::ContentType => {
                return match &self.content_type {
                    // Quoted, so that nothing in it can pass for text of ours.
                    Some(was) => write!(f, "an answer of type {was:?}, not an event stream"),
                    None => f.write_str("an answer of no type, not an event stream"),
                };
            }
            ConnectErrorKind::Encoded => "an event stream that is encoded",
            ConnectErrorKind::Ended => "the event stream ended before its hello",
            ConnectErrorKind::Broken => "the event stream broke off before its hello",
            ConnectErrorKind::Malformed => "the hello was not understood",
            ConnectErrorKind::Client => "the watch was not answered",
            ConnectErrorKind::Request => "there is no request to watch by",
        })
    }
}

impl StdError for ConnectError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&**self.source.as_ref()?)
    }
}
