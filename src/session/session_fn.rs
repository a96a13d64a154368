use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::sync::{mpsc, watch};

use super::{Close, Directive, Event, Session};

/// A session that is an async block, which tells of itself by a [`Link`].
///
/// What the block returns is the exit; `client` is what the program uses the session by.
///
/// ```
/// use tower_failover::session::{Directive, Link, session_fn};
/// # use tokio::sync::mpsc;
///
/// # fn connected(mut messages: mpsc::Receiver<String>) -> impl tower_failover::session::Session {
/// session_fn((), |mut link: Link<String>| async move {
///     loop {
///         tokio::select! {
///             message = messages.recv() => match message.as_deref() {
///                 Some("go away") => link.advise(Directive::migrate()),
///                 Some(token) => link.resume(token.to_owned()),
///                 None => return "the server hung up",
///             },
///             _ = link.closing() => return "said goodbye",
///         }
///     }
/// })
/// # }
/// ```
pub fn session_fn<R, C, F>(client: C, session: impl FnOnce(Link<R>) -> F) -> SessionFn<F, R, C>
where
    F: Future,
{
    let (events, told) = mpsc::unbounded_channel();
    let (close, closing) = watch::channel(None);
    SessionFn {
        future: session(Link { events, closing }),
        exit: None,
        told,
        close,
        client,
    }
}

/// By what the block of a [`session_fn`] tells of its session, and hears that it is to end.
pub struct Link<R = ()> {
    events: mpsc::UnboundedSender<Told<R>>,
    closing: watch::Receiver<Option<Close>>,
}

/// The events of a session, save for its end.
enum Told<R> {
    Resume(R),
    ResumeWindow(Duration),
    HealthyAfter(Duration),
    Advice(Directive),
}

impl<R> Link<R> {
    /// Tells the token by which a later session can resume this one.
    pub fn resume(&self, token: R) {
        self.tell(Told::Resume(token));
    }

    /// Tells for how long after the session's end its token is of use.
    pub fn resume_window(&self, time: Duration) {
        self.tell(Told::ResumeWindow(time));
    }

    /// Tells after which time the session counts as healthy.
    pub fn healthy_after(&self, time: Duration) {
        self.tell(Told::HealthyAfter(time));
    }

    /// Passes on what the server advises.
    pub fn advise(&self, directive: Directive) {
        self.tell(Told::Advice(directive));
    }

    fn tell(&self, event: Told<R>) {
        // Nobody hears it any more when the session is about to be dropped.
        let _ = self.events.send(event);
    }

    /// Waits until the session is to end. Whoever keeps the link is given
    /// [time](super::Settings::close_timeout) for that, so look at it; once it is dropped the session
    /// ends with the request.
    ///
    /// Cancel safe.
    pub async fn closing(&mut self) -> Close {
        match self
            .closing
            .wait_for(Option::is_some)
            .await
            .map(|close| *close)
        {
            Ok(Some(close)) => close,
            // The session that asks is gone, and with it this future.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

impl<R> fmt::Debug for Link<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

pin_project! {
    /// See [`session_fn`].
    pub struct SessionFn<F: Future, R, C> {
        #[pin]
        future: F,
        // What it returned while events were still to be told.
        exit: Option<F::Output>,
        told: mpsc::UnboundedReceiver<Told<R>>,
        close: watch::Sender<Option<Close>>,
        client: C,
    }
}

impl<F, R, C> Session for SessionFn<F, R, C>
where
    F: Future,
    C: Clone,
{
    type Resume = R;
    type Exit = F::Output;
    type Client = C;

    fn client(&self) -> C {
        self.client.clone()
    }

    fn poll_event(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event<R, F::Output>> {
        let this = self.project();
        if this.exit.is_none() {
            if let Poll::Ready(exit) = this.future.poll(cx) {
                *this.exit = Some(exit);
            }
        }
        if this.exit.is_some() {
            // Whoever else has the link could tell for ever.
            this.told.close();
        }
        match this.told.poll_recv(cx) {
            Poll::Ready(Some(told)) => return Poll::Ready(told.into()),
            Poll::Ready(None) | Poll::Pending => {}
        }
        match this.exit.take() {
            Some(exit) => Poll::Ready(Event::Closed(exit)),
            None => Poll::Pending,
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>, close: Close) -> Poll<()> {
        let this = self.project();
        if this.exit.is_some() || this.close.is_closed() {
            return Poll::Ready(());
        }
        this.close
            .send_if_modified(|told| told.replace(close).is_none());
        this.future.poll(cx).map(|exit| *this.exit = Some(exit))
    }
}

impl<R, X> From<Told<R>> for Event<R, X> {
    fn from(told: Told<R>) -> Self {
        match told {
            Told::Resume(token) => Self::Resume(token),
            Told::ResumeWindow(time) => Self::ResumeWindow(time),
            Told::HealthyAfter(time) => Self::HealthyAfter(time),
            Told::Advice(directive) => Self::Advice(directive),
        }
    }
}

impl<F: Future, R, C> fmt::Debug for SessionFn<F, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionFn").finish_non_exhaustive()
    }
}
