use std::{fmt, sync::Arc};

use bytes::Bytes;

use super::{ReplayBody, begun::Begun, source::Source};

/// The call's end of a body: makes the bodies of later attempts, and when dropped lets go of what is
/// kept for them.
pub(crate) struct Keeper<B> {
    repr: Repr<B>,
}

enum Repr<B> {
    /// Nothing, or the one frame that the body is.
    Ready {
        data: Option<Bytes>,
        begun: Begun,
    },
    Shared(Arc<Source<B>>),
}

impl<B> Keeper<B> {
    pub(super) fn ready(data: Option<Bytes>, begun: Begun) -> Self {
        Self {
            repr: Repr::Ready { data, begun },
        }
    }

    pub(super) fn shared(source: Arc<Source<B>>) -> Self {
        Self {
            repr: Repr::Shared(source),
        }
    }

    /// Whether all that was sent is still at hand. It may not be a moment later, while the body is
    /// being sent.
    pub(crate) fn can_replay(&self) -> bool {
        match &self.repr {
            Repr::Ready { .. } => true,
            Repr::Shared(source) => source.is_keeping(),
        }
    }

    /// The body of a new attempt, from its first byte. The body of the attempt before ends, if it is
    /// still being sent. `None` when more was sent than is kept.
    pub(crate) fn supersede(&self) -> Option<ReplayBody<B>> {
        match &self.repr {
            Repr::Ready { data, begun } => Some(ReplayBody::ready(data.clone(), begun.another())),
            Repr::Shared(source) => {
                let generation = source.supersede()?;
                Some(ReplayBody::shared(source.clone(), generation))
            }
        }
    }

    /// The body once more, for a request beside the current one; `None` where it is a stream.
    pub(crate) fn duplicate(&self) -> Option<ReplayBody<B>> {
        match &self.repr {
            Repr::Ready { data, .. } => Some(ReplayBody::ready(data.clone(), Begun::unknown())),
            Repr::Shared(_) => None,
        }
    }

    /// Whether the client is known to have begun to read the body of the current attempt.
    pub(crate) fn has_begun(&self) -> bool {
        match &self.repr {
            Repr::Ready { begun, .. } => begun.get(),
            Repr::Shared(source) => source.has_begun(),
        }
    }

    /// Whether the body of the current attempt waits for more of the caller's body.
    pub(crate) fn awaits_caller(&self) -> bool {
        match &self.repr {
            Repr::Ready { .. } => false,
            Repr::Shared(source) => source.is_waiting(),
        }
    }

    /// Keeps the client from reading any more of the body for the current attempt, until there is
    /// another one or the call is over.
    pub(crate) fn hold(&self) {
        if let Repr::Shared(source) = &self.repr {
            source.hold();
        }
    }

    /// Lets go of what is kept: there will be no replay.
    pub(crate) fn release(&mut self) {
        *self = Self::ready(None, Begun::unknown());
    }

    /// Whether the caller's body failed while it was sent.
    pub(crate) fn has_failed(&self) -> bool {
        match &self.repr {
            Repr::Ready { .. } => false,
            Repr::Shared(source) => source.has_failed(),
        }
    }

    /// The status that it failed with, if it was one. There is none the second time.
    #[cfg(feature = "tonic")]
    pub(crate) fn take_status(&self) -> Option<::tonic::Status> {
        match &self.repr {
            Repr::Ready { .. } => None,
            Repr::Shared(source) => source.take_status(),
        }
    }
}

impl<B> Drop for Keeper<B> {
    fn drop(&mut self) {
        if let Repr::Shared(source) = &self.repr {
            source.release();
        }
    }
}

impl<B> fmt::Debug for Keeper<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").finish_non_exhaustive()
    }
}
