//! What the program asks of a running supervisor.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{Close, Directive, directive::Kind};

/// Where handles leave what they ask for, and the supervisor finds it. Nothing is lost and nothing
/// piles up: of several directives the strongest is left.
#[derive(Debug, Default)]
pub(super) struct Control {
    asked: Mutex<Asked>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Asked {
    shutdown: Option<Close>,
    is_paused: bool,
    kick: Option<Directive>,
}

/// What the supervisor is to do, the most urgent first.
#[derive(Debug, PartialEq)]
pub(super) enum Order {
    Stop(Close),
    Pause,
    Unpause,
    Kick(Directive),
}

impl Control {
    fn lock(&self) -> MutexGuard<'_, Asked> {
        // Nothing foreign runs under this lock.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn kick(&self, directive: Directive) {
        let mut asked = self.lock();
        asked.kick = Some(match asked.kick.take() {
            Some(earlier) => earlier.merged(directive),
            None => directive,
        });
        self.news.notify_one();
    }

    pub(super) fn pause(&self, is_paused: bool) {
        self.lock().is_paused = is_paused;
        self.news.notify_one();
    }

    pub(super) fn shutdown(&self, close: Close) {
        self.lock().shutdown.get_or_insert(close);
        self.news.notify_one();
    }

    /// Waits for the next order; `is_paused` is whether the last one obeyed was to pause. In a pause a
    /// directive has to wait.
    ///
    /// Cancel safe: an order that was not returned is still there.
    pub(super) async fn order(&self, is_paused: bool) -> Order {
        loop {
            if let Some(order) = self.take(is_paused) {
                return order;
            }
            // Whoever asks between the look and the wait leaves a permit.
            self.news.notified().await;
        }
    }

    fn take(&self, is_paused: bool) -> Option<Order> {
        let mut asked = self.lock();
        if let Some(close) = asked.shutdown {
            return Some(Order::Stop(close));
        }
        match (is_paused, asked.is_paused) {
            (false, true) => return Some(Order::Pause),
            (true, false) => return Some(Order::Unpause),
            (false, false) | (true, true) => {}
        }
        // A stop does not wait for the end of a pause.
        let stops = |kick: &Directive| matches!(kick.kind, Kind::Stop(_));
        if is_paused && !asked.kick.as_ref().is_some_and(stops) {
            return None;
        }
        asked.kick.take().map(Order::Kick)
    }
}
