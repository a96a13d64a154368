//! A classifier that tells what it was asked.

use std::sync::{Arc, Mutex};

use tower_failover::classify::{Classify, Outcome, Verdict};

use crate::describe::describe;

/// What a classifier saw, and what it said, in order.
pub(crate) type Seen = Arc<Mutex<Vec<(String, Verdict)>>>;

pub(crate) struct Recorder<C> {
    inner: C,
    seen: Seen,
}

impl<C: Classify> Recorder<C> {
    pub(crate) fn new(inner: C) -> (Self, Seen) {
        let seen = Seen::default();
        let recorder = Self {
            inner,
            seen: seen.clone(),
        };
        (recorder, seen)
    }
}

impl<C: Classify> Classify for Recorder<C> {
    fn classify(&self, outcome: Outcome<'_>) -> Verdict {
        let verdict = self.inner.classify(outcome);
        let text = match outcome {
            Outcome::Response(head) => match head.headers.get("grpc-status") {
                Some(code) => format!("grpc-status {}", code.to_str().unwrap()),
                None => format!("status {}", head.status.as_u16()),
            },
            Outcome::Error(error) => describe(error),
            other => format!("{other:?}"),
        };
        self.seen.lock().unwrap().push((text, verdict));
        verdict
    }
}
