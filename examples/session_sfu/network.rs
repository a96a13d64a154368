//! The network of the device that the call is made on.

use std::time::Duration;

use tokio::time::Instant;
use tower_failover::session::Directive;

use super::sfu::{Call, advised};

/// Tells the supervisor when there is no network, and what to do when it is back.
pub(crate) struct Network {
    call: Call,
    resume_window: Duration,
    lost: Option<Instant>,
}

impl Network {
    pub(crate) fn new(call: Call, resume_window: Duration) -> Self {
        let lost = None;
        Self {
            call,
            resume_window,
            lost,
        }
    }

    pub(crate) fn down(&mut self) {
        self.lost.get_or_insert_with(Instant::now);
        self.call.pause();
    }

    pub(crate) fn up(&mut self) {
        let Some(lost) = self.lost.take() else { return };
        self.call.kick(match lost.elapsed() < self.resume_window {
            true => Directive::resume(),
            false => advised("REJOIN"),
        });
        self.call.unpause();
    }
}
