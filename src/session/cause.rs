use std::{any::Any, borrow::Cow, error::Error as StdError, fmt, sync::Arc};

use super::NoRegion;
use crate::BoxError;

/// Why there is no session, or why it is left.
///
/// Its text names the kind and the [reason](Self::reason); what the connector or the session said stands
/// in [`downcast_ref`](Self::downcast_ref) and, of errors, in [`error`](Self::error).
#[derive(Clone)]
pub struct Cause {
    kind: CauseKind,
    reason: Option<Cow<'static, str>>,
    detail: Option<Detail>,
}

/// What kind of cause it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CauseKind {
    /// The connector failed.
    ConnectFailed,
    /// The attempt took too long.
    TimedOut,
    /// There was no region to go to.
    NoRegion,
    /// The session ended.
    Exited,
    /// The session passed on an advice.
    Advised,
    /// The program asked for it.
    Kicked,
}

#[derive(Clone)]
enum Detail {
    Error(Arc<dyn StdError + Send + Sync>),
    Exit(Arc<dyn Exit>),
}

/// An exit of whatever type.
trait Exit: Any + fmt::Debug + Send + Sync {
    fn as_any(&self) -> &dyn Any;
}

impl<X: Any + fmt::Debug + Send + Sync> Exit for X {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Cause {
    fn new(kind: CauseKind, detail: Option<Detail>) -> Self {
        Self {
            kind,
            reason: None,
            detail,
        }
    }

    pub(super) fn connect_failed(error: impl Into<BoxError>) -> Self {
        let error = Detail::Error(error.into().into());
        Self::new(CauseKind::ConnectFailed, Some(error))
    }

    pub(super) fn timed_out() -> Self {
        Self::new(CauseKind::TimedOut, None)
    }

    pub(super) fn no_region(error: NoRegion) -> Self {
        Self::new(CauseKind::NoRegion, Some(Detail::Error(Arc::new(error))))
    }

    pub(super) fn exited(exit: Arc<impl fmt::Debug + Send + Sync + 'static>) -> Self {
        Self::new(CauseKind::Exited, Some(Detail::Exit(exit)))
    }

    pub(super) fn advised() -> Self {
        Self::new(CauseKind::Advised, None)
    }

    pub(super) fn kicked() -> Self {
        Self::new(CauseKind::Kicked, None)
    }

    pub(super) fn because(mut self, reason: Option<Cow<'static, str>>) -> Self {
        self.reason = reason;
        self
    }

    /// What kind of cause it is.
    pub fn kind(&self) -> CauseKind {
        self.kind
    }

    /// The reason that the [directive](super::Directive::because) gave.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// What the connector failed with, or why there was no region.
    pub fn error(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.detail {
            Some(Detail::Error(error)) => Some(&**error),
            Some(Detail::Exit(_)) | None => None,
        }
    }

    /// What the connector failed with or what the session ended with, if it is a `T`.
    pub fn downcast_ref<T: StdError + 'static>(&self) -> Option<&T> {
        self.error()?.downcast_ref()
    }

    /// What the session ended with, if it is an `X`.
    pub fn exit<X: 'static>(&self) -> Option<&X> {
        match &self.detail {
            // Of what is in the `Arc`, which is an exit itself.
            Some(Detail::Exit(exit)) => (**exit).as_any().downcast_ref(),
            Some(Detail::Error(_)) | None => None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            CauseKind::ConnectFailed => "connecting failed",
            CauseKind::TimedOut => "connecting took too long",
            CauseKind::NoRegion => "no region to go to",
            CauseKind::Exited => "the session ended",
            CauseKind::Advised => "the server advised it",
            CauseKind::Kicked => "the program asked for it",
        })?;
        match &self.reason {
            Some(reason) => write!(f, " ({reason})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cause = f.debug_struct("Cause");
        cause.field("kind", &self.kind);
        if let Some(reason) = &self.reason {
            cause.field("reason", reason);
        }
        match &self.detail {
            Some(Detail::Error(error)) => cause.field("error", error),
            Some(Detail::Exit(exit)) => cause.field("exit", exit),
            None => &mut cause,
        };
        cause.finish()
    }
}
