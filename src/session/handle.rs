use std::{fmt, sync::Arc};

use tokio::{sync::watch, task::AbortHandle};

use super::{Close, Closed, Directive, Error, ErrorKind, Live, Status, control::Control};

/// What a supervisor came to in the end.
pub(super) type End<X> = Result<Closed<X>, Error>;

/// Shows a running supervisor and steers it.
///
/// `X` is the exit of its sessions, `C` what the program uses them by. When the last clone is dropped
/// the supervisor ends, whatever it is doing: the session, the one it replaces and the attempt under way
/// are dropped.
pub struct Handle<X, C = ()> {
    control: Arc<Control>,
    status: watch::Receiver<Status>,
    live: watch::Receiver<Option<Live<C>>>,
    end: watch::Receiver<Option<End<X>>>,
    _owner: Arc<Owner>,
}

/// Ends the task when the last handle goes.
struct Owner(AbortHandle);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a supervisor's handles look at.
pub(super) struct Shown<X, C> {
    pub(super) status: watch::Receiver<Status>,
    pub(super) live: watch::Receiver<Option<Live<C>>>,
    pub(super) end: watch::Receiver<Option<End<X>>>,
}

impl<X, C> Handle<X, C> {
    pub(super) fn new(control: Arc<Control>, shown: Shown<X, C>, task: AbortHandle) -> Self {
        Self {
            control,
            status: shown.status,
            live: shown.live,
            end: shown.end,
            _owner: Arc::new(Owner(task)),
        }
    }

    /// How the session is, now and whenever that changes. The receiver does not keep the supervisor
    /// running.
    ///
    /// ```
    /// # async fn doc(handle: tower_failover::session::Handle<()>) {
    /// let mut status = handle.status();
    /// while status.changed().await.is_ok() {
    ///     let status = status.borrow_and_update().clone();
    ///     println!("{:?} in {:?}", status.phase, status.region);
    /// }
    /// # }
    /// ```
    pub fn status(&self) -> watch::Receiver<Status> {
        let mut status = self.status.clone();
        status.mark_changed();
        status
    }

    /// The session that is up, if one is.
    pub fn current(&self) -> Option<Live<C>>
    where
        C: Clone,
    {
        self.live.borrow().clone()
    }

    /// Waits until a session is up. One that is being left for another still is.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// When there is none and will be none any more. After a good end it is [`ErrorKind::Closed`].
    pub async fn established(&self) -> Result<Live<C>, Error>
    where
        C: Clone,
    {
        let mut live = self.live.clone();
        if let Ok(Some(live)) = live.wait_for(Option::is_some).await.as_deref() {
            return Ok(live.clone());
        }
        match self.closed().await {
            Ok(_) => Err(Error::without_attempt(ErrorKind::Closed)),
            Err(error) => Err(error),
        }
    }

    /// Does this, if it is more than what is being done.
    ///
    /// While a session is up that is what it says, with an overlap if it is to
    /// [migrate](Directive::migrate). While an attempt is under way, it is given up if that is for less;
    /// while the next one is waited for, the wait ends, save for one that was
    /// [asked for](Directive::after). Attempts so begun are at least 50 ms apart. Of several at the same
    /// time the strongest counts. In a pause it is done when that is over.
    pub fn kick(&self, directive: Directive) {
        self.control.kick(directive);
    }

    /// Begins no attempt until [`unpause`](Self::unpause), because there is no network or the machine
    /// sleeps: an attempt under way is given up. Waits and the time after which the supervisor gives up
    /// stand still, and nothing counts as tried. A session that is up stays. Tokens age: what a server
    /// keeps it does not keep for longer.
    pub fn pause(&self) {
        self.control.pause(true);
    }

    /// Goes on after a [pause](Self::pause), with what was left of a wait. To end the wait with it,
    /// [kick](Self::kick) first: that is then done at once.
    pub fn unpause(&self) {
        self.control.pause(false);
    }

    /// Ends the session in good order, and the supervisor with it. That takes no longer than
    /// [`close_timeout`](super::Settings::close_timeout), and goes on if this future is dropped.
    pub async fn shutdown(&self) {
        self.shutdown_with(0).await;
    }

    /// As [`shutdown`](Self::shutdown), with a code for the peer: [`Close::Shutdown`]. The first code
    /// counts.
    pub async fn shutdown_with(&self, code: u64) {
        self.control.shutdown(Close::Shutdown { code });
        // In whatever way it ended.
        let _ = self.closed().await;
    }

    /// Waits for the end.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// When the supervisor gave up, or a directive said that there is no use in going on.
    pub async fn closed(&self) -> Result<Closed<X>, Error> {
        let mut end = self.end.clone();
        match end.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(end)) => end.clone(),
            // The task is gone without a word, or was never begun.
            Ok(None) | Err(_) => Err(Error::without_attempt(ErrorKind::Aborted)),
        }
    }
}

// By hand, for neither exits nor clients need be `Clone`.
impl<X, C> Clone for Handle<X, C> {
    fn clone(&self) -> Self {
        Self {
            control: self.control.clone(),
            status: self.status.clone(),
            live: self.live.clone(),
            end: self.end.clone(),
            _owner: self._owner.clone(),
        }
    }
}

impl<X, C> fmt::Debug for Handle<X, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("status", &*self.status.borrow())
            .finish_non_exhaustive()
    }
}
