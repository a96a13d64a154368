use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use ::tonic::transport::Channel;

/// A channel, which of those there were it is, and what is known of it.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) channel: Channel,
    pub(super) number: u64,
    calls: Arc<Calls>,
}

/// What the calls over a channel tell each other.
#[derive(Default)]
struct Calls {
    /// How many wait for their outcome.
    waiting: AtomicUsize,
    /// Whether the last outcome was a response. After an error there may be no connection.
    answered: AtomicBool,
}

/// A channel for one call, until the call has an outcome or is given up.
pub(super) struct Leased {
    pub(super) line: Line,
    is_over: bool,
}

impl Line {
    pub(super) fn new(channel: Channel, number: u64) -> Self {
        Self {
            channel,
            number,
            calls: Arc::default(),
        }
    }

    pub(super) fn lease(&self) -> Leased {
        self.calls.waiting.fetch_add(1, Ordering::Relaxed);
        Leased {
            line: self.clone(),
            is_over: false,
        }
    }
}

impl Leased {
    pub(super) fn has_ended(&mut self, with_response: bool) {
        let calls = &self.line.calls;
        calls.answered.store(with_response, Ordering::Relaxed);
        self.end();
    }

    /// Whether the channel is left with a connection that nobody finishes.
    ///
    /// A channel goes on connecting only while a call waits for it. The next call, whenever that is,
    /// would be told how this attempt to connect ended, whose time was over long ago.
    pub(super) fn is_given_up(&mut self) -> bool {
        self.end() && !self.line.calls.answered.load(Ordering::Relaxed)
    }

    /// Whether this was the last call that waited.
    fn end(&mut self) -> bool {
        // Whoever is the last sees whether the others were answered.
        !mem::replace(&mut self.is_over, true)
            && self.line.calls.waiting.fetch_sub(1, Ordering::AcqRel) == 1
    }
}
