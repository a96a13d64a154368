use std::{
    mem,
    sync::{Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use smallvec::SmallVec;

use super::{Superseded, kept::Kept, poll_as_bytes};
use crate::BoxError;

/// How many frames are kept without an allocation: a body of the default 1 MiB in pieces of 64 KiB.
const INLINE: usize = 16;

/// For how many bytes of `max_bytes` there may be a frame more. A body in smaller pieces would take
/// many times the memory of its bytes.
const BYTES_PER_FRAME: usize = 256;

/// How many frames are kept at most.
pub(super) const fn max_frames(max_bytes: usize) -> usize {
    INLINE + max_bytes / BYTES_PER_FRAME
}

/// The caller's body and what was sent of it, shared by the call and the bodies of its attempts.
pub(super) struct Source<B> {
    state: Mutex<State<B>>,
}

struct State<B> {
    /// The caller's body, until it ends or fails.
    body: Option<B>,
    /// A frame that was read from the body but not handed out to anybody.
    unread: Option<Frame<Bytes>>,
    /// The body's error, where that was read but not handed out.
    error: Option<BoxError>,
    failed: bool,
    /// What it failed with, if that was a status.
    #[cfg(feature = "tonic")]
    status: Option<::tonic::Status>,
    /// Which attempt the source belongs to.
    generation: u64,
    /// What was read from the body, while a replay is possible; after that, what the current
    /// generation has still to hand out.
    kept: SmallVec<[Kept; INLINE]>,
    kept_bytes: usize,
    max_bytes: usize,
    keeping: bool,
    /// Whether the current generation's body was dropped.
    abandoned: bool,
    /// How many of the kept frames the current generation has handed out.
    next: usize,
    /// The data that the current generation has handed out.
    sent: u64,
    /// The length of the whole body, where it is known.
    total: Option<u64>,
    /// Whether the current generation was polled.
    begun: bool,
    /// Whether it waits for a frame of the caller's body.
    waiting: bool,
    /// Whether it gets no frame for now.
    held: bool,
    /// Who waits, or last did.
    waker: Option<Waker>,
}

impl<B> Source<B> {
    pub(super) fn new(body: B, hint: SizeHint, max_bytes: usize) -> Self {
        State::new(Some(body), hint.exact(), max_bytes).into()
    }

    /// A source of which the first frame was read already, but not handed out.
    pub(super) fn begun(body: B, hint: SizeHint, max_bytes: usize, first: Frame<Bytes>) -> Self {
        let mut state = State::new(Some(body), hint.exact(), max_bytes);
        state.unread = Some(first);
        state.into()
    }

    /// A source that failed before there was a frame.
    pub(super) fn failed(hint: SizeHint, error: BoxError) -> Self {
        // The length stays, for a client that is told 0 does not ask for a frame, nor for an error.
        let mut state = State::new(None, hint.exact(), 0);
        state.error = Some(error);
        state.into()
    }

    /// A source that ended before it was as long as it said.
    pub(super) fn ended(hint: SizeHint) -> Self {
        State::new(None, hint.exact(), 0).into()
    }

    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(|poisoned| {
            // The caller's body panicked. It must not be polled again, and what was sent of it must
            // not pass as all of it.
            let mut state = poisoned.into_inner();
            self.state.clear_poison();
            state.body = None;
            state.unread = None;
            state.error = Some("request body panicked".into());
            state.fail();
            state
        })
    }

    /// Gives the source to a new generation that begins at the first byte, and lets the old one
    /// know. `None` when what was sent is no longer kept.
    pub(super) fn supersede(&self) -> Option<u64> {
        let mut state = self.lock();
        if !state.keeping {
            return None;
        }
        state.generation += 1;
        state.abandoned = false;
        state.begun = false;
        state.waiting = false;
        state.held = false;
        state.next = 0;
        state.sent = 0;
        let generation = state.generation;
        let waker = state.waker.take();
        drop(state);
        // Woken without the lock, for a waker may poll at once.
        if let Some(waker) = waker {
            waker.wake();
        }
        Some(generation)
    }

    /// Hands out nothing more until there is a new generation, or no replay will follow.
    pub(super) fn hold(&self) {
        self.lock().held = true;
    }

    /// No replay will follow: keeps nothing but what is still to be handed out.
    pub(super) fn release(&self) {
        let mut state = self.lock();
        if mem::take(&mut state.keeping) {
            let next = mem::take(&mut state.next);
            state.kept.drain(..next);
        }
        state.drop_unneeded();
        let waker = mem::take(&mut state.held).then(|| state.waker.take());
        drop(state);
        if let Some(waker) = waker.flatten() {
            waker.wake();
        }
    }

    /// The body of this generation was dropped.
    pub(super) fn leave(&self, generation: u64) {
        let mut state = self.lock();
        state.abandoned |= state.generation == generation;
        state.drop_unneeded();
    }

    pub(super) fn is_keeping(&self) -> bool {
        self.lock().keeping
    }

    pub(super) fn has_begun(&self) -> bool {
        self.lock().begun
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.lock().waiting
    }

    /// Whether the caller's body failed, and the failure was handed out.
    pub(super) fn has_failed(&self) -> bool {
        self.lock().failed
    }

    /// The status that the caller's body failed with, if it was one.
    #[cfg(feature = "tonic")]
    pub(super) fn take_status(&self) -> Option<::tonic::Status> {
        self.lock().status.take()
    }
}

impl<B> Source<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    pub(super) fn poll_frame(
        &self,
        generation: u64,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut state = self.lock();
        let state = &mut *state;
        if state.generation != generation {
            return Poll::Ready(Some(Err(Superseded.into())));
        }
        if state.held {
            state.wait(cx);
            return Poll::Pending;
        }
        state.begun = true;
        if let Some(kept) = state.next_kept() {
            state.sent += kept.data_len();
            return Poll::Ready(Some(Ok(kept.into())));
        }
        let frame = state.poll_body(cx);
        state.waiting = frame.is_pending();
        let frame = match frame {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                state.wait(cx);
                return Poll::Pending;
            }
        };
        match &frame {
            Some(Ok(frame)) => {
                state.keep(frame);
                state.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            Some(Err(error)) => {
                state.body = None;
                state.fail();
                state.note(error);
            }
            None => state.body = None,
        }
        Poll::Ready(frame)
    }

    pub(super) fn is_end_stream(&self, generation: u64) -> bool {
        let state = self.lock();
        state.generation == generation
            && state.next == state.kept.len()
            && state.unread.is_none()
            && state.error.is_none()
            && match &state.body {
                Some(body) => body.is_end_stream(),
                // Shorter than it said, it must not pass as empty or whole.
                None => state.total.is_none_or(|total| total <= state.sent),
            }
    }

    pub(super) fn size_hint(&self, generation: u64) -> SizeHint {
        let state = self.lock();
        if state.generation != generation {
            return SizeHint::default();
        }
        if let Some(total) = state.total {
            return SizeHint::with_exact(total.saturating_sub(state.sent));
        }
        // A frame that waits unread is one of a body whose length is known.
        let ahead: u64 = state.kept[state.next..].iter().map(Kept::data_len).sum();
        let rest = match &state.body {
            Some(body) => body.size_hint(),
            None => SizeHint::with_exact(0),
        };
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(ahead));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(ahead)) {
            hint.set_upper(upper);
        }
        hint
    }
}

impl<B> From<State<B>> for Source<B> {
    fn from(state: State<B>) -> Self {
        Self {
            state: Mutex::new(state),
        }
    }
}

impl<B> State<B> {
    fn new(body: Option<B>, total: Option<u64>, max_bytes: usize) -> Self {
        Self {
            body,
            unread: None,
            error: None,
            failed: false,
            #[cfg(feature = "tonic")]
            status: None,
            generation: 0,
            kept: SmallVec::new(),
            kept_bytes: 0,
            max_bytes,
            keeping: true,
            abandoned: false,
            next: 0,
            sent: 0,
            total,
            begun: false,
            waiting: false,
            held: false,
            waker: None,
        }
    }

    fn wait(&mut self, cx: &mut Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// The next frame of the caller's body.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
    where
        B: Body + Unpin,
        B::Error: Into<BoxError>,
    {
        if let Some(frame) = self.unread.take() {
            return Poll::Ready(Some(Ok(frame)));
        }
        if let Some(error) = self.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match &mut self.body {
            Some(body) => poll_as_bytes(body, cx),
            None => Poll::Ready(None),
        }
    }

    /// Lets go of the caller's body when nobody will ask for it any more. Bodies of earlier
    /// generations may live on for as long as their connections do, and they share this state.
    fn drop_unneeded(&mut self) {
        if self.abandoned && !self.keeping {
            self.body = None;
            self.unread = None;
            self.kept = SmallVec::new();
            self.next = 0;
        }
    }

    /// The next kept frame that the current generation has not handed out.
    fn next_kept(&mut self) -> Option<Kept> {
        let frame = self.kept.get_mut(self.next)?;
        self.next += 1;
        Some(if self.keeping {
            frame.clone()
        } else {
            mem::replace(frame, Kept::Data(Bytes::new()))
        })
    }

    /// Keeps a frame that is being handed out, if all that was sent fits.
    fn keep(&mut self, frame: &Frame<Bytes>) {
        if !self.keeping || frame.data_ref().is_some_and(Bytes::is_empty) {
            return;
        }
        match Kept::new(frame) {
            Some(kept)
                if kept.len() <= self.max_bytes - self.kept_bytes
                    && self.kept.len() < max_frames(self.max_bytes) =>
            {
                self.kept_bytes += kept.len();
                self.kept.push(kept);
                self.next += 1;
            }
            // All that is kept has been handed out, else the body would not have been polled.
            _ => self.stop_keeping(),
        }
    }

    /// The caller's body failed: what was sent is not all of it, and there will be no more.
    fn fail(&mut self) {
        self.failed = true;
        self.stop_keeping();
    }

    /// Remembers the error as far as it has to, for it goes to the client, and h2 forgets it.
    fn note(&mut self, _error: &BoxError) {
        #[cfg(feature = "tonic")]
        {
            self.status = _error.downcast_ref().cloned();
        }
    }

    fn stop_keeping(&mut self) {
        self.keeping = false;
        self.kept = SmallVec::new();
        self.next = 0;
    }
}
