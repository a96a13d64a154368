use crate::{discovery::Query, region::Origin};

/// Why a list is needed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need<'a> {
    /// A region failed.
    Another,
    /// This one says that others serve the request.
    Instead(&'a Origin),
    /// Somebody wants a newer list than is known.
    Newer,
    /// A session does, at its own pace. The list that is known, and when others ask, stay as they are.
    Session,
}

/// Whether what is known of the regions of a home does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Enough,
    /// The list has to be asked for.
    TooLittle,
    /// It would have to be, but that failed a moment ago.
    NotNow,
}

/// Who asks, as far as it matters for who shares the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::discovery) struct Asker {
    /// A hash of its credentials.
    pub(super) credentials: u64,
    /// Another of the regions that a session does without, if there are any.
    pub(super) exclusions: Option<u64>,
}

impl Asker {
    pub(in crate::discovery) fn of(query: &Query, need: Need<'_>) -> Self {
        let exclusions = match need {
            Need::Session => query.exclusions(),
            Need::Another | Need::Instead(_) | Need::Newer => None,
        };
        Self {
            credentials: query.credentials(),
            exclusions,
        }
    }
}
