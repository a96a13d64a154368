//! A session, as its supervisor and as its server see it.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{Instant, Sleep, sleep},
};
use tower_failover::session::{Close, Event, Session};

use super::{Exit, Script, Token};

/// A session as its server sees it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) events: mpsc::UnboundedSender<Event<Token, Exit>>,
    /// Why it was asked to end.
    pub(crate) closed: Option<Close>,
    pub(crate) dropped: bool,
    /// How long it takes to end in good order.
    pub(crate) closing: Duration,
}

/// Something that is told by itself, and when.
pub(super) type Alarm = (Pin<Box<Sleep>>, Event<Token, Exit>);

/// A session of a [`Script`]; its client is its number, from 0.
pub(crate) struct Scripted {
    pub(super) script: Script,
    pub(super) number: usize,
    pub(super) peer: Arc<Mutex<Peer>>,
    pub(super) told: mpsc::UnboundedReceiver<Event<Token, Exit>>,
    /// What it tells by itself, and when.
    pub(super) time: Option<Alarm>,
    pub(super) closed: Option<Pin<Box<Sleep>>>,
}

impl Session for Scripted {
    type Resume = Token;
    type Exit = Exit;
    type Client = usize;

    fn client(&self) -> usize {
        self.number
    }

    fn poll_event(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event<Token, Exit>> {
        if let Poll::Ready(Some(event)) = self.told.poll_recv(cx) {
            return Poll::Ready(event);
        }
        let Some((time, _)) = &mut self.time else {
            return Poll::Pending;
        };
        std::task::ready!(time.as_mut().poll(cx));
        let (_, event) = self.time.take().expect("looked at");
        if let Event::Advice(_) = event {
            let mut state = self.script.lock();
            let dials = state.dials.len();
            state.advised.push((Instant::now(), dials));
        }
        Poll::Ready(event)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>, close: Close) -> Poll<()> {
        let (first, closing) = {
            let mut peer = self.peer.lock().expect("no panic");
            (peer.closed.replace(close), peer.closing)
        };
        assert!(first.is_none_or(|first| first == close), "another reason");
        let closed = self.closed.get_or_insert_with(|| Box::pin(sleep(closing)));
        closed.as_mut().poll(cx)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.peer.lock().expect("no panic").dropped = true;
    }
}
