use std::{fmt, sync::Arc};

/// What a server gives a watch to be known by.
///
/// Whoever has it may be able to take the watch over, so it is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Lease(Arc<str>);

impl Lease {
    /// The lease of this text.
    pub fn new(lease: impl Into<Arc<str>>) -> Self {
        Self(lease.into())
    }

    /// Its text, as the server gave it. In a query it may have to be percent-encoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Lease {
    fn from(lease: &str) -> Self {
        Self::new(lease)
    }
}

impl From<String> for Lease {
    fn from(lease: String) -> Self {
        Self::new(lease)
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").finish_non_exhaustive()
    }
}
