use std::{error::Error as StdError, fmt};

use crate::{BoxError, region::Origin};

/// The URI of a request has no `http` or `https` origin, so there is no region to send it to.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NoOrigin;

impl fmt::Display for NoOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("request without an origin")
    }
}

impl StdError for NoOrigin {}

/// The endpoint of a region could not be configured. Its source is the error of the closure that
/// [`Channels`](super::Channels) was made with.
#[derive(Debug)]
pub struct NotConfigured {
    origin: Origin,
    source: BoxError,
}

impl NotConfigured {
    pub(super) fn new(origin: Origin, source: BoxError) -> Self {
        Self { origin, source }
    }
}

impl fmt::Display for NotConfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "endpoint of {} not configured", self.origin)
    }
}

impl StdError for NotConfigured {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
    }
}
