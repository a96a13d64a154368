use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Sleep, sleep};
use tower_failover::BoxError;
use tower_service::Service;

/// What an instance of a gated service says when it is polled for readiness.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Readiness {
    Now,
    After(Duration),
    Never,
    /// Fails with [`io::ErrorKind::NotConnected`].
    Fail,
}

/// Watches over tower's contract: an instance is called only once it was polled ready, and is polled
/// no more when that failed. Stricter than most, each instance takes just one request.
///
/// Instances become ready by a script, one entry for each that is polled; when that is at its end
/// they are ready at once.
#[derive(Debug)]
pub(crate) struct Gate<S> {
    service: S,
    shared: Arc<Mutex<Shared>>,
    state: State,
}

#[derive(Debug, Default)]
struct Shared {
    script: VecDeque<Readiness>,
    polled: usize,
    ready: usize,
}

#[derive(Debug)]
enum State {
    New,
    Waiting(Option<Pin<Box<Sleep>>>),
    Ready,
    Over,
}

impl<S> Gate<S> {
    pub(crate) fn new(service: S, script: impl IntoIterator<Item = Readiness>) -> Self {
        let gate = Self {
            service,
            shared: Arc::default(),
            state: State::New,
        };
        gate.shared.lock().unwrap().script.extend(script);
        gate
    }

    /// How many instances were polled for readiness.
    pub(crate) fn polled(&self) -> usize {
        self.shared.lock().unwrap().polled
    }

    /// How many instances are ready and have not been called or dropped.
    pub(crate) fn reserved(&self) -> usize {
        self.shared.lock().unwrap().ready
    }
}

impl<S: Clone> Clone for Gate<S> {
    fn clone(&self) -> Self {
        Self {
            service: self.service.clone(),
            shared: self.shared.clone(),
            state: State::New,
        }
    }
}

impl<S> Drop for Gate<S> {
    fn drop(&mut self) {
        if let State::Ready = self.state {
            self.shared.lock().unwrap().ready -= 1;
        }
    }
}

impl<S, R> Service<R> for Gate<S>
where
    S: Service<R, Error = BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if let State::New = self.state {
            let mut shared = self.shared.lock().unwrap();
            shared.polled += 1;
            self.state = match shared.script.pop_front().unwrap_or(Readiness::Now) {
                Readiness::Now => {
                    shared.ready += 1;
                    State::Ready
                }
                Readiness::After(wait) => State::Waiting(Some(Box::pin(sleep(wait)))),
                Readiness::Never => State::Waiting(None),
                Readiness::Fail => {
                    self.state = State::Over;
                    return Poll::Ready(Err(io::Error::from(io::ErrorKind::NotConnected).into()));
                }
            };
        }
        match &mut self.state {
            State::Waiting(Some(timer)) => ready!(timer.as_mut().poll(cx)),
            State::Waiting(None) => return Poll::Pending,
            State::Ready => {}
            State::New | State::Over => panic!("polled after it had failed or was called"),
        }
        if let State::Waiting(_) = self.state {
            self.state = State::Ready;
            self.shared.lock().unwrap().ready += 1;
        }
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        assert!(
            matches!(self.state, State::Ready),
            "called before it was ready"
        );
        self.state = State::Over;
        self.shared.lock().unwrap().ready -= 1;
        self.service.call(request)
    }
}
