use std::time::Duration;

use crate::{region::Region, session::Step};

/// The next attempt.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::session) struct Plan {
    /// What the attempt is for.
    pub(in crate::session) step: Step,
    /// Whether it goes further than the directive said.
    pub(in crate::session) is_escalated: bool,
    pub(in crate::session) pick: Pick,
    pub(in crate::session) wait: Duration,
    /// Whether somebody asked for a wait, so that nothing cuts it short.
    pub(in crate::session) is_fixed: bool,
    pub(in crate::session) keeps_token: bool,
    pub(in crate::session) is_soft: bool,
}

impl Plan {
    /// The very first attempt.
    pub(in crate::session) fn first() -> Self {
        Self {
            step: Step::First,
            is_escalated: false,
            pick: Pick::Any,
            wait: Duration::ZERO,
            is_fixed: false,
            keeps_token: false,
            is_soft: false,
        }
    }

    /// This plan in another's place, of whose wait so much is left: what somebody asked for holds.
    pub(in crate::session) fn not_before(mut self, other: &Self, left: Duration) -> Self {
        if other.is_fixed && left > self.wait {
            (self.wait, self.is_fixed) = (left, true);
        }
        self
    }
}

/// Where an attempt goes.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::session) enum Pick {
    /// To the region where the session was, unless it is excluded.
    Same(Region),
    /// To the first that is not excluded.
    Any,
    /// To where a server said; where that is refused, as if it had not.
    To(Region, Box<Pick>),
    /// To the first of a new list that is not excluded.
    Fresh,
}

/// How a directive came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum Urgency {
    /// An attempt failed, or a session ended.
    Failure,
    /// An attempt failed while a session serves that is about to be left: that is not given up.
    Covered,
    /// A session that is healthy passed on an advice.
    Advice,
    /// The program wants it now.
    Kick,
}

/// Which budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum Spent {
    Window,
    Attempts,
}
