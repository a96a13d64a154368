use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use super::Directive;

/// What lives between one connect and the next: a WebSocket, a QUIC connection, an event stream.
///
/// The supervisor polls a session for as long as it is up, and drops it when it is over. Any future is a
/// session that tells nothing but its end; [`session_fn`](super::session_fn) makes one of an async
/// block that tells more.
pub trait Session {
    /// The token by which a later session takes up where this one ended.
    type Resume;
    /// What it ends with.
    type Exit;
    /// By what the program uses the session, such as a sender of messages: see
    /// [`Handle::established`](super::Handle::established).
    type Client;

    /// What the program gets to use the session by. Asked for once, when it is up.
    fn client(&self) -> Self::Client;

    /// The next thing that happens. Not called again after [`Event::Closed`].
    fn poll_event(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Event<Self::Resume, Self::Exit>>;

    /// Ends the session in good order: says goodbye, lets work under way finish. Ready when that is
    /// done; then, or when its time is over, the session is dropped. Called until then, always with the
    /// same reason, and no event is asked for any more.
    ///
    /// Without it dropping is all there is.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>, close: Close) -> Poll<()> {
        let _ = (cx, close);
        Poll::Ready(())
    }
}

/// What a session tells.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Event<R, X> {
    /// A later session can resume this one by this token.
    Resume(R),
    /// For how long after its end it can; instead of
    /// [`resume_window`](super::Settings::resume_window).
    ResumeWindow(Duration),
    /// When it counts as healthy, from when it came up; instead of
    /// [`healthy_after`](super::Settings::healthy_after). Never less than 50 ms; where a server names it,
    /// ask for more than that, for a session that is healthy at once is redialed at once.
    HealthyAfter(Duration),
    /// The server's advice: it is shutting down, full, or wants the session elsewhere.
    Advice(Directive),
    /// It is over.
    Closed(X),
}

// By hand, for a token may be all that is needed to take the session over.
impl<R, X: fmt::Debug> fmt::Debug for Event<R, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resume(_) => f.debug_struct("Resume").finish_non_exhaustive(),
            Self::ResumeWindow(time) => f.debug_tuple("ResumeWindow").field(time).finish(),
            Self::HealthyAfter(time) => f.debug_tuple("HealthyAfter").field(time).finish(),
            Self::Advice(directive) => f.debug_tuple("Advice").field(directive).finish(),
            Self::Closed(exit) => f.debug_tuple("Closed").field(exit).finish(),
        }
    }
}

/// Why a session is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Close {
    /// The next session is up, or is about to be begun without its token: nobody comes back to it.
    Superseded,
    /// The next session is about to be begun in its place and to resume it, so the server is to keep
    /// what that takes.
    Interrupted,
    /// It was to be left for another one, and its time is over before that is up, which may still resume
    /// it.
    DrainTimeout,
    /// The program wants no more sessions.
    Shutdown {
        /// The code that was given to [`shutdown_with`](super::Handle::shutdown_with), for the peer.
        code: u64,
    },
}

impl<F: Future> Session for F {
    type Resume = ();
    type Exit = F::Output;
    type Client = ();

    fn client(&self) {}

    fn poll_event(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event<(), F::Output>> {
        self.poll(cx).map(Event::Closed)
    }
}
