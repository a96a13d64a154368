use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::{BoxFuture, FutureExt};

use super::{
    Exit, Lease, Protocol,
    client::{Client, Incoming},
    heartbeat::Heartbeat,
    reading::read,
    sse::Frames,
};
use crate::{
    region::Region,
    session::{Close, Event, Link, Session, SessionFn, session_fn},
};

/// A watch that is up: the session of a [`Watch`](super::Watch).
///
/// Its token is the [`Lease`]. When it is to be closed and no later one is to take it over, the lease is
/// [released](Protocol::release).
pub struct Watching<T> {
    session: SessionFn<BoxFuture<'static, Exit<T>>, Lease, ()>,
}

/// What a watch begins with.
pub(super) struct Open<P> {
    pub(super) client: Arc<dyn Client>,
    pub(super) protocol: Arc<P>,
    pub(super) region: Region,
    pub(super) lease: Lease,
    pub(super) interval: Duration,
    pub(super) frames: Frames<Incoming>,
    /// The protocol that read the hello.
    pub(super) reader: P,
}

/// Why a watch is over.
enum Over<T> {
    Exit(Exit<T>),
    Closing(Close),
}

impl<T> Watching<T> {
    pub(super) fn new<P>(open: Open<P>) -> Self
    where
        P: Protocol<Done = T> + Send + Sync + 'static,
        T: Send + 'static,
    {
        let session = session_fn((), |link| {
            link.resume(open.lease.clone());
            link.healthy_after(open.interval);
            open.run(link).boxed()
        });
        Self { session }
    }
}

impl<P: Protocol> Open<P> {
    async fn run(self, mut link: Link<Lease>) -> Exit<P::Done> {
        let heartbeat = Heartbeat {
            client: self.client,
            protocol: self.protocol,
            region: self.region,
            lease: self.lease.clone(),
            interval: self.interval,
        };
        let reading = read(self.frames, self.reader, self.lease, self.interval);
        let over = {
            let (mut beats, mut reading) = (pin!(heartbeat.keep()), pin!(reading));
            let mut closing = pin!(link.closing());
            poll_fn(|cx| {
                if let Poll::Ready(close) = closing.as_mut().poll(cx) {
                    return Poll::Ready(Over::Closing(close));
                }
                // Before the events: what comes of a lease that is lost is not for us any more.
                if let Poll::Ready(lost) = beats.as_mut().poll(cx) {
                    return Poll::Ready(Over::Exit(Exit::Heartbeat(lost)));
                }
                reading.as_mut().poll(cx).map(Over::Exit)
            })
            .await
            // Here the heartbeats end, before a release.
        };
        match over {
            Over::Exit(exit) => exit,
            Over::Closing(Close::Shutdown { .. } | Close::Superseded) => {
                heartbeat.release().await;
                Exit::Ended
            }
            Over::Closing(Close::Interrupted | Close::DrainTimeout) => Exit::Ended,
        }
    }
}

impl<T> Session for Watching<T> {
    type Resume = Lease;
    type Exit = Exit<T>;
    type Client = ();

    fn client(&self) {}

    fn poll_event(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event<Lease, Exit<T>>> {
        Pin::new(&mut self.session).poll_event(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>, close: Close) -> Poll<()> {
        Pin::new(&mut self.session).poll_close(cx, close)
    }
}

impl<T> fmt::Debug for Watching<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watching").finish_non_exhaustive()
    }
}
