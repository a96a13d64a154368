//! The sessions that are open: the one that is up, and at most one that it follows.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::{Close, Event, Session};
use crate::{region::Region, time::after};

/// A session and where it is.
pub(super) struct Open<S> {
    session: Pin<Box<S>>,
    pub(super) region: Region,
    pub(super) since: Instant,
    pub(super) is_healthy: bool,
}

/// A session that is about to be left, or is being closed.
struct Predecessor<S> {
    open: Open<S>,
    /// When it is closed, or, if it is being closed, dropped.
    until: Pin<Box<Sleep>>,
    /// Why it is being closed; `None` while it serves.
    closing: Option<Close>,
}

pub(super) struct Sessions<S> {
    current: Option<Open<S>>,
    predecessor: Option<Predecessor<S>>,
    close_timeout: Duration,
}

/// What the open sessions tell.
pub(super) enum Told<R, X> {
    /// Of the one that is up.
    Event(Event<R, X>),
    /// Of the one that is about to be left.
    Leaving(Event<R, X>),
    /// The time of the one that was about to be left is over.
    Left,
}

impl<S: Session> Sessions<S> {
    pub(super) fn new(close_timeout: Duration) -> Self {
        Self {
            current: None,
            predecessor: None,
            close_timeout,
        }
    }

    pub(super) fn is_any_open(&self) -> bool {
        self.current.is_some() || self.predecessor.is_some()
    }

    /// Whether a session that is about to be left still serves.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving().is_some()
    }

    fn leaving(&self) -> Option<&Predecessor<S>> {
        self.predecessor
            .as_ref()
            .filter(|old| old.closing.is_none())
    }

    /// The session that serves.
    pub(super) fn serving(&self) -> Option<&Open<S>> {
        let current = self.current.as_ref();
        current.or_else(|| self.leaving().map(|old| &old.open))
    }

    /// The session that is up has been so for long enough.
    pub(super) fn healthy(&mut self) {
        if let Some(current) = &mut self.current {
            current.is_healthy = true;
        }
    }

    /// A session is up. The one before it is done.
    pub(super) fn begin(&mut self, session: S, region: Region, now: Instant) -> S::Client {
        self.close(Close::Superseded, now);
        let client = session.client();
        self.current = Some(Open {
            session: Box::pin(session),
            region,
            since: now,
            is_healthy: false,
        });
        client
    }

    /// The session that is up is gone.
    pub(super) fn end(&mut self) {
        self.current = None;
    }

    /// The session that is up is about to be left, and serves no longer than until then. One that was
    /// still there makes room.
    pub(super) fn leave(&mut self, until: Instant) {
        if let Some(open) = self.current.take() {
            self.predecessor = Some(Predecessor {
                open,
                until: Box::pin(sleep_until(until)),
                closing: None,
            });
        }
    }

    /// The session that is about to be left has no more time than this.
    pub(super) fn hurry(&mut self, until: Instant) {
        if let Some(old) = &mut self.predecessor {
            if old.closing.is_none() && until < old.until.deadline() {
                old.until.as_mut().reset(until);
            }
        }
    }

    /// The session that was about to be left is gone by itself.
    pub(super) fn left(&mut self) {
        self.predecessor = None;
    }

    /// Asks the session that serves to end.
    pub(super) fn close(&mut self, close: Close, now: Instant) {
        self.leave(now);
        let dropped_at = after(now, self.close_timeout);
        if let Some(old) = &mut self.predecessor {
            if old.closing.is_none() {
                old.closing = Some(close);
                old.until.as_mut().reset(dropped_at);
            }
        }
    }

    /// Asks all sessions to end, and waits for that.
    pub(super) async fn close_all(&mut self, close: Close) {
        let mut rest = self.predecessor.take();
        self.close(close, Instant::now());
        if let Some(old) = &mut rest {
            if old.closing.is_none() {
                old.closing = Some(close);
                let dropped_at = after(Instant::now(), self.close_timeout);
                old.until.as_mut().reset(dropped_at);
            }
        }
        std::future::poll_fn(|cx| {
            poll_closed(&mut self.predecessor, cx);
            poll_closed(&mut rest, cx);
            match (&self.predecessor, &rest) {
                (None, None) => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
    }

    /// The next thing that one of them tells.
    pub(super) fn poll_told(&mut self, cx: &mut Context<'_>) -> Poll<Told<S::Resume, S::Exit>> {
        poll_closed(&mut self.predecessor, cx);
        if let Some(old) = self
            .predecessor
            .as_mut()
            .filter(|old| old.closing.is_none())
        {
            // Its time is over however much it still tells.
            if old.until.as_mut().poll(cx).is_ready() {
                self.close(Close::DrainTimeout, Instant::now());
                return Poll::Ready(Told::Left);
            }
            if let Poll::Ready(event) = old.open.session.as_mut().poll_event(cx) {
                return Poll::Ready(Told::Leaving(event));
            }
        }
        match &mut self.current {
            Some(current) => current.session.as_mut().poll_event(cx).map(Told::Event),
            None => Poll::Pending,
        }
    }
}

/// Drops the session if it was being closed and is, or if its time for that is over.
fn poll_closed<S: Session>(old: &mut Option<Predecessor<S>>, cx: &mut Context<'_>) {
    let Some(Predecessor {
        open,
        until,
        closing: Some(close),
    }) = old
    else {
        return;
    };
    if open.session.as_mut().poll_close(cx, *close).is_ready() || until.as_mut().poll(cx).is_ready()
    {
        *old = None;
    }
}
