use std::{error::Error as StdError, fmt};

/// A setting by which no supervisor can go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSettings {
    field: &'static str,
    consequence: &'static str,
}

impl InvalidSettings {
    /// This field is zero, and `consequence` is what would come of it.
    pub(super) fn zero(field: &'static str, consequence: &'static str) -> Self {
        Self { field, consequence }
    }

    /// The setting's name, as it stands in files: `healthy_after`, `backoff.base`.
    pub fn field(&self) -> &str {
        self.field
    }
}

impl fmt::Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, consequence } = self;
        write!(f, "{field} may not be zero: {consequence}")
    }
}

impl StdError for InvalidSettings {}
