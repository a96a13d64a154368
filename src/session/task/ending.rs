use std::sync::Arc;

use tokio::time::Instant;

use crate::session::{
    Cause, Close, Closed, Error, ErrorKind,
    course::{Course, Spent},
    directive::How,
    handle::End,
};

/// Why a supervisor ends.
pub(super) enum Ending<X> {
    Shutdown(Close),
    /// A directive said so, on this exit if it was one.
    Stop(How, Option<Arc<X>>),
    Spent(Spent),
}

impl<X> Ending<X> {
    /// What sessions that are still open are told.
    pub(super) fn close(&self) -> Close {
        match self {
            Self::Shutdown(close) => *close,
            Self::Stop(..) | Self::Spent(_) => Close::Shutdown { code: 0 },
        }
    }

    pub(super) fn result(self, course: &Course, cause: Option<Cause>) -> End<X> {
        let kind = match self {
            Self::Shutdown(_) => return Ok(Closed::Shutdown),
            Self::Stop(How::Finish, Some(exit)) => return Ok(Closed::Exited(exit)),
            Self::Stop(How::Finish, None) => return Ok(Closed::Settled),
            Self::Stop(How::Fail, _) => ErrorKind::Failed,
            Self::Spent(Spent::Window) => ErrorKind::GaveUp,
            Self::Spent(Spent::Attempts) => ErrorKind::Attempts,
        };
        Err(Error {
            kind,
            cause,
            attempts: course.attempts(),
            tried: course.tried(),
            elapsed: course.failing_for(Instant::now()),
        })
    }
}
