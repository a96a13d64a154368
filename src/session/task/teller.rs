use tokio::{sync::watch, time::Instant};

use crate::session::{Error, ErrorKind, Live, Phase, Status, handle::End};

/// Tells all handles what goes on. However the task ends, they hear of it.
pub(in crate::session) struct Teller<X, C> {
    status: watch::Sender<Status>,
    live: watch::Sender<Option<Live<C>>>,
    end: watch::Sender<Option<End<X>>>,
}

impl<X, C> Teller<X, C> {
    pub(in crate::session) fn new(
        status: watch::Sender<Status>,
        live: watch::Sender<Option<Live<C>>>,
        end: watch::Sender<Option<End<X>>>,
    ) -> Self {
        Self { status, live, end }
    }

    pub(super) fn show(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(change);
    }

    pub(super) fn live(&self, live: Option<Live<C>>) {
        self.live.send_replace(live);
    }

    /// The last word.
    pub(super) fn end(&self, end: End<X>) {
        self.live(None);
        self.status.send_modify(|status| {
            status.phase = Phase::Stopped;
            status.since = Instant::now();
            status.next_at = None;
            status.cause = end.as_ref().err().and_then(|error| error.cause.clone());
        });
        self.end.send_replace(Some(end));
    }
}

impl<X, C> Drop for Teller<X, C> {
    fn drop(&mut self) {
        if self.end.borrow().is_none() {
            self.end(Err(Error::without_attempt(ErrorKind::Aborted)));
        }
    }
}
