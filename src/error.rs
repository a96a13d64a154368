//! The error types.

use std::{error::Error as StdError, fmt};

use crate::{
    BoxError,
    report::{AttemptRecord, Stop},
};

/// Why a call ended without a response.
///
/// It names every attempt; the error of the last one is the [`source`](StdError::source), unchanged,
/// so that it can still be downcast to what the client returned. A call whose last outcome is a
/// response ends with that response, not with an error. A response that is followed by another
/// attempt is given up before that: if the attempt then cannot be made, the call ends with an error.
///
/// What is below an [`io::Error`](std::io::Error), such as the error of a TLS library, is reached by its
/// [`get_ref`](std::io::Error::get_ref), for its `source` passes over it.
///
/// With the feature `tonic`, the source of the error of a gRPC call that was attempted is a
/// `tonic::Status`, and the client's error is the source of that; see the module `tonic`.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    stop: Option<Stop>,
    attempts: Vec<AttemptRecord>,
    source: Option<BoxError>,
}

/// What an [`Error`] says of the call as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No attempt was processed by any server: the call may be repeated safely.
    NeverSent,
    /// At least one attempt may have been processed, or was answered with a failure.
    Unknown,
    /// The total time was over; attempts may have been processed.
    Timeout,
    /// The request cannot be sent as it is, or its body failed. No region is at fault.
    Request,
    /// The request was for an origin that is none of the layer's regions; its error is passed on.
    OutOfScope,
    /// The inner service failed before there was a request.
    NotReady,
}

impl Error {
    pub(crate) fn new(
        kind: ErrorKind,
        stop: Option<Stop>,
        attempts: Vec<AttemptRecord>,
        source: Option<BoxError>,
    ) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                stop,
                attempts,
                source,
            }),
        }
    }

    /// The error of a request that the layer did not touch.
    pub(crate) fn passed_on(source: BoxError) -> Self {
        Self::new(ErrorKind::OutOfScope, None, Vec::new(), Some(source))
    }

    /// The error of an inner service that is not ready for a first attempt.
    pub(crate) fn not_ready(source: BoxError) -> Self {
        Self::new(ErrorKind::NotReady, None, Vec::new(), Some(source))
    }

    /// Says it as gRPC does too, by a status between this error and its source.
    #[cfg(feature = "tonic")]
    pub(crate) fn with_status(mut self) -> Self {
        let source = self.inner.source.take();
        self.inner.source = Some(crate::tonic::status(&self, source));
        self
    }

    /// Takes the source out.
    #[cfg(feature = "reqwest")]
    pub(crate) fn take_source(&mut self) -> Option<BoxError> {
        self.inner.source.take()
    }

    /// The same error, with this source.
    #[cfg(feature = "reqwest")]
    pub(crate) fn with_source(mut self, source: impl Into<Option<BoxError>>) -> Self {
        self.inner.source = source.into();
        self
    }

    /// What is known of the call as a whole.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Every attempt of the call, the first first.
    pub fn attempts(&self) -> &[AttemptRecord] {
        &self.inner.attempts
    }

    /// Why no further attempt was made, where one was considered.
    pub fn stop(&self) -> Option<Stop> {
        self.inner.stop
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.inner.kind {
            ErrorKind::NeverSent => "request not sent",
            ErrorKind::Unknown => "call failed",
            ErrorKind::Timeout => "call ran out of time",
            ErrorKind::Request => "request failed on this side",
            ErrorKind::OutOfScope => "request outside of the regions failed",
            ErrorKind::NotReady => "client not ready",
        })?;
        for (n, attempt) in self.inner.attempts.iter().enumerate() {
            f.write_str(if n == 0 { ": " } else { ", " })?;
            attempt.fmt(f)?;
        }
        match self.inner.stop {
            Some(stop) => write!(f, "; {stop}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            kind,
            stop,
            attempts,
            source: _,
        } = &*self.inner;
        // The client's error may show a URL with its path and query; `source()` gives it to whoever
        // wants that.
        f.debug_struct("Error")
            .field("kind", kind)
            .field("stop", stop)
            .field("attempts", attempts)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}

/// Why a list of regions, or one of its entries, was refused.
///
/// It names the entry by its place in the list and shows nothing of its text, which may hold what
/// does not belong into a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRegion {
    fault: RegionFault,
    entry: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegionFault {
    Syntax,
    Scheme,
    Port,
    Path,
    UserInfo,
    Duplicate,
    Empty,
    NotFixed,
    NoHome,
}

impl InvalidRegion {
    pub(crate) fn at(self, entry: usize) -> Self {
        Self {
            entry: Some(entry),
            ..self
        }
    }
}

impl From<RegionFault> for InvalidRegion {
    fn from(fault: RegionFault) -> Self {
        Self { fault, entry: None }
    }
}

impl fmt::Display for InvalidRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(entry) = self.entry {
            write!(f, "region {}: ", entry + 1)?;
        }
        f.write_str(match self.fault {
            RegionFault::Syntax => "not an origin such as https://eu.example.com",
            RegionFault::Scheme => "the scheme is neither http nor https",
            RegionFault::Port => "the port is not between 1 and 65535",
            RegionFault::Path => "a path, query or fragment is not part of an origin",
            RegionFault::UserInfo => "user information is not part of an origin",
            RegionFault::Duplicate => "the origin stands in the set already",
            RegionFault::Empty => "a set needs at least one region",
            RegionFault::NotFixed => "only a fixed set of regions has aliases",
            RegionFault::NoHome => "not a home of these regions",
        })
    }
}

impl StdError for InvalidRegion {}
