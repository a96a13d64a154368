use std::{
    future::Future,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response, request::Parts};
use http_body_util::Full;
use tokio::time::Instant;
use tower::Service;
use tower_failover::{BoxError, replay::ReplayBody};

use super::PATH;

type Answered = Result<Response<Full<Bytes>>, BoxError>;
type Answers = dyn Fn(Seen) -> BoxFuture<'static, Answered> + Send + Sync;

/// A client without sockets, for tests on a paused clock: it answers as it was told, and remembers
/// what it was asked.
#[derive(Clone)]
pub(crate) struct Net {
    answers: Arc<Answers>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// A request as the client got it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) origin: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) at: Instant,
}

impl Seen {
    fn of(head: &Parts) -> Self {
        let scheme = head.uri.scheme_str().expect("a scheme");
        let authority = head.uri.authority().expect("an authority");
        Self {
            origin: format!("{scheme}://{authority}"),
            path: head.uri.path().to_owned(),
            headers: head.headers.clone(),
            at: Instant::now(),
        }
    }

    pub(crate) fn is_discovery(&self) -> bool {
        self.path == PATH
    }
}

impl Net {
    pub(crate) fn new<F, A>(answers: F) -> Self
    where
        F: Fn(Seen) -> A + Send + Sync + 'static,
        A: Future<Output = Answered> + Send + 'static,
    {
        Self {
            answers: Arc::new(move |seen| Box::pin(answers(seen))),
            seen: Arc::default(),
        }
    }

    /// The requests that were calls.
    pub(crate) fn calls(&self) -> Vec<Seen> {
        self.seen(|seen| !seen.is_discovery())
    }

    /// Who was called.
    pub(crate) fn called(&self) -> Vec<String> {
        self.calls().into_iter().map(|seen| seen.origin).collect()
    }

    /// Who was asked for the list.
    pub(crate) fn asked(&self) -> Vec<String> {
        let asked = self.seen(Seen::is_discovery);
        asked.into_iter().map(|seen| seen.origin).collect()
    }

    fn seen(&self, which: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        let seen = self.seen.lock().expect("no panic under it");
        seen.iter().filter(|seen| which(seen)).cloned().collect()
    }
}

impl Service<Request<ReplayBody<Full<Bytes>>>> for Net {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Answered>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReplayBody<Full<Bytes>>>) -> Self::Future {
        let seen = Seen::of(&request.into_parts().0);
        self.seen
            .lock()
            .expect("no panic under it")
            .push(seen.clone());
        (self.answers)(seen)
    }
}

/// An answer of this status, without a body.
pub(crate) fn status(status: u16) -> Answered {
    Ok(Response::builder().status(status).body(Full::default())?)
}

/// The list of these regions, with this `Cache-Control`.
pub(crate) fn listing(cache_control: &str, urls: &[&str]) -> Answered {
    let regions = urls.iter().enumerate();
    let regions = regions.map(|(n, url)| format!(r#"{{"region":"r{n}","url":"{url}"}}"#));
    let regions: Vec<_> = regions.collect();
    Ok(Response::builder()
        .header("cache-control", cache_control)
        .body(format!(r#"{{"regions":[{}]}}"#, regions.join(",")).into())?)
}
