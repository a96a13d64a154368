use std::{error::Error as StdError, fmt, sync::Arc};

use http::StatusCode;

use super::document::InvalidDocument;
use crate::{
    BoxError,
    error::InvalidRegion,
    region::{InvalidPattern, Origin},
};

/// Why no list of regions could be had.
///
/// It names everyone who was asked, and shows origins only; the error of the last one that could not
/// be reached is the [`source`](StdError::source). No call ends with it: calls end with the outcome
/// of a real attempt.
#[derive(Clone)]
pub struct DiscoveryError {
    inner: Arc<Inner>,
}

/// What a [`DiscoveryError`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DiscoveryErrorKind {
    /// What was named is no origin, or not one that regions are discovered for.
    NoHome,
    /// No client has called yet, so there is none to ask with.
    NoClient,
    /// Nobody gave a list that can be used.
    NoList,
}

struct Inner {
    home: Option<Origin>,
    /// Who was asked, and what was wrong with the answer.
    faults: Vec<(Option<Origin>, Fault)>,
}

/// What is wrong with one answer, or with the question.
#[derive(Debug)]
pub(crate) enum Fault {
    Client(BoxError),
    Status(StatusCode),
    Redirect(StatusCode),
    Encoded,
    TooLarge,
    Body,
    Document(InvalidDocument),
    /// Of the entries none is a region that may be used.
    Unusable,
    /// There was no answer in time.
    Timeout,
    /// Discovery failed a moment ago, and is left alone.
    NotNow,
    /// The client or the service of the user's panicked.
    Panic,
    /// The service of the user's failed.
    Service(BoxError),
    /// No client has called yet, so there is none to ask with.
    NoClient,
    /// The origin is no home that regions are discovered for.
    NoHome,
    /// What was set cannot be used.
    Invalid(InvalidDiscovery),
}

impl DiscoveryError {
    pub(super) fn new(home: Origin, faults: Vec<(Option<Origin>, Fault)>) -> Self {
        Self {
            inner: Arc::new(Inner {
                home: Some(home),
                faults,
            }),
        }
    }

    pub(crate) fn no_home() -> Self {
        Self::not_asked(Fault::NoHome)
    }

    pub(super) fn of(home: &Origin, fault: Fault) -> Self {
        Self::new(home.clone(), vec![(None, fault)])
    }

    pub(crate) fn timed_out(home: &Origin) -> Self {
        Self::of(home, Fault::Timeout)
    }

    pub(super) fn no_client() -> Self {
        Self::not_asked(Fault::NoClient)
    }

    /// Whether all who answered want other credentials.
    pub(crate) fn is_denied(&self) -> bool {
        let answers = self.inner.faults.iter().map(|(_, fault)| fault);
        let mut answers = answers
            .filter(|fault| !matches!(fault, Fault::Client(_) | Fault::Timeout))
            .peekable();
        answers.peek().is_some()
            && answers.all(|fault| {
                matches!(
                    fault,
                    Fault::Status(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
                )
            })
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> DiscoveryErrorKind {
        match self.inner.faults.last() {
            Some((_, Fault::NoHome)) => DiscoveryErrorKind::NoHome,
            Some((_, Fault::NoClient)) => DiscoveryErrorKind::NoClient,
            _ => DiscoveryErrorKind::NoList,
        }
    }

    fn not_asked(fault: Fault) -> Self {
        Self {
            inner: Arc::new(Inner {
                home: None,
                faults: vec![(None, fault)],
            }),
        }
    }
}

impl fmt::Display for DiscoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner.home {
            Some(home) => write!(f, "no list of the regions of {home}: ")?,
            None => f.write_str("no list of regions: ")?,
        }
        for (n, (origin, fault)) in self.inner.faults.iter().enumerate() {
            f.write_str(if n == 0 { "" } else { ", " })?;
            match origin {
                Some(origin) => write!(f, "{origin} ({fault})")?,
                None => fault.fmt(f)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for DiscoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As `Error` does it: a client's error may show a URL with its path and query.
        write!(f, "DiscoveryError({self})")
    }
}

impl StdError for DiscoveryError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner
            .faults
            .iter()
            .rev()
            .find_map(|(_, fault)| match fault {
                Fault::Client(error) | Fault::Service(error) => Some(&**error as _),
                _ => None,
            })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(_) => f.write_str("not reached"),
            Self::Status(status) => write!(f, "{}", status.as_u16()),
            Self::Redirect(status) => write!(f, "{}, redirects are not followed", status.as_u16()),
            Self::Encoded => f.write_str("the document is encoded"),
            Self::TooLarge => f.write_str("the document is larger than 64 KiB"),
            Self::Body => f.write_str("the document breaks off"),
            Self::Document(error) => error.fmt(f),
            Self::Unusable => f.write_str("no entry of the list can be used"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::Panic => f.write_str("discovery panicked"),
            Self::NotNow => f.write_str("discovery failed a moment ago"),
            Self::Service(_) => f.write_str("the discovery service failed"),
            Self::NoClient => f.write_str("there is no client to ask with before its first call"),
            Self::NoHome => f.write_str("not a home that regions are discovered for"),
            Self::Invalid(error) => error.fmt(f),
        }
    }
}

/// Why a setting of a [`Discovery`](crate::Discovery) was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidDiscovery {
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Path,
    NoHosts,
    Pattern(InvalidPattern),
    Seed(InvalidRegion),
}

impl InvalidDiscovery {
    pub(super) fn path() -> Self {
        Self { what: What::Path }
    }

    pub(super) fn no_hosts() -> Self {
        Self {
            what: What::NoHosts,
        }
    }

    pub(super) fn is_of_path(&self) -> bool {
        self.what == What::Path
    }
}

impl From<InvalidPattern> for InvalidDiscovery {
    fn from(error: InvalidPattern) -> Self {
        Self {
            what: What::Pattern(error),
        }
    }
}

impl From<InvalidRegion> for InvalidDiscovery {
    fn from(error: InvalidRegion) -> Self {
        Self {
            what: What::Seed(error),
        }
    }
}

impl fmt::Display for InvalidDiscovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Path => f.write_str("the path of a discovery begins with a slash and is a URI's"),
            What::NoHosts => f.write_str("no host is named, so there are no homes"),
            What::Pattern(error) => error.fmt(f),
            What::Seed(error) => error.fmt(f),
        }
    }
}

impl StdError for InvalidDiscovery {}
