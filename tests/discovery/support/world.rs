//! Hosts without sockets, for a paused clock: what each does is set beforehand, and what they were
//! asked is remembered.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use http::{HeaderMap, Request, Response, Uri};
use http_body::Body;
use http_body_util::Full;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};
use tower_failover::{BoxError, Error, Failover, FailoverLayer, replay::ReplayBody};

use super::{Act, Document, PATH, json_of};

/// The origin of a host that is written as `a`.
pub(crate) fn origin(host: &str) -> String {
    format!("https://{host}.example.com:443")
}

/// Hosts and the client that reaches them; clones are the same.
#[derive(Clone, Default)]
pub(crate) struct World {
    state: Arc<Mutex<State>>,
    /// Held by each request under way, and by its answer.
    token: Arc<()>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    acts: HashMap<String, Act>,
    seen: Vec<Seen>,
    /// Of calls, and of discoveries.
    counts: [usize; 2],
}

/// A request as a host got it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The host as it is written in [`World::on`].
    whom: String,
    pub(crate) origin: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) at: Instant,
    /// How many calls there were before, or discoveries if it is one.
    pub(crate) nth: usize,
}

impl Seen {
    fn is_discovery(&self) -> bool {
        self.path == PATH
    }
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Sets what a request meets from now on: `a` is a call at that host, `a?` a discovery. Without a
    /// host it is for all that have nothing of their own.
    ///
    /// A host outside of `example.com` is written in full, one without TLS as `http a:80`, and a port
    /// other than 443 is written too.
    pub(crate) fn on(&self, whom: &str, act: Act) -> &Self {
        self.state().acts.insert(whom.to_owned(), act);
        self
    }

    /// As [`on`](Self::on), of calls at an origin.
    pub(crate) fn at(&self, origin: &str, act: Act) -> &Self {
        self.on(&label(&origin.parse().unwrap()), act)
    }

    /// Hosts that all list these origins.
    pub(crate) fn listing(origins: &[&str]) -> Self {
        let world = Self::default();
        world.list(origins);
        world
    }

    /// All list these origins from now on, and do not say for how long.
    pub(crate) fn list(&self, origins: &[&str]) {
        self.on("?", Act::Document(None, json_of(origins)));
    }

    /// Whom requests were for, in order of arrival.
    pub(crate) fn log(&self) -> Vec<String> {
        let state = self.state();
        state.seen.iter().map(|seen| seen.whom.clone()).collect()
    }

    /// The requests of this kind.
    pub(crate) fn count(&self, whom: &str) -> usize {
        self.log().iter().filter(|met| *met == whom).count()
    }

    /// Whom requests were for since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        let seen = std::mem::take(&mut self.state().seen);
        seen.into_iter().map(|seen| seen.whom).collect()
    }

    /// How often a list was asked for since the last time.
    pub(crate) fn questions(&self) -> usize {
        let seen = std::mem::take(&mut self.state().seen);
        seen.iter().filter(|seen| seen.is_discovery()).count()
    }

    /// The requests that were calls.
    pub(crate) fn calls(&self) -> Vec<Seen> {
        let state = self.state();
        let calls = state.seen.iter().filter(|seen| !seen.is_discovery());
        calls.cloned().collect()
    }

    /// Who was called, by origin.
    pub(crate) fn called(&self) -> Vec<String> {
        self.calls().into_iter().map(|seen| seen.origin).collect()
    }

    /// Who was asked for the list, by origin.
    pub(crate) fn asked(&self) -> Vec<String> {
        let state = self.state();
        let asked = state.seen.iter().filter(|seen| seen.is_discovery());
        asked.map(|seen| seen.origin.clone()).collect()
    }

    /// Whether this was among the headers of a request for the list.
    pub(crate) fn was_shown(&self, origin: &str, header: &str) -> bool {
        let state = self.state();
        let asked = state.seen.iter().filter(|seen| seen.is_discovery());
        let mut asked = asked.filter(|seen| seen.origin == origin);
        asked.any(|seen| seen.headers.contains_key(header))
    }

    /// How many requests are under way, or have an answer that somebody holds.
    pub(crate) fn open(&self) -> usize {
        Arc::strong_count(&self.token) - Arc::strong_count(&self.state)
    }

    pub(crate) fn client(&self, layer: &FailoverLayer) -> Failover<World> {
        layer.layer(self.clone())
    }

    /// Answers as it was told, to a request with any body.
    pub(crate) fn answer<B>(&self, request: Request<ReplayBody<B>>) -> Answering
    where
        B: Body + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let token = self.token.clone();
        let (head, body) = request.into_parts();
        let act = self.state().meet(&head.uri, head.headers);
        act.answer(body, token).boxed()
    }
}

impl State {
    /// Remembers a request, and tells what it meets.
    fn meet(&mut self, uri: &Uri, headers: HeaderMap) -> Act {
        let scheme = uri.scheme_str().expect("a scheme");
        let authority = uri.authority().expect("an authority");
        let mut seen = Seen {
            whom: label(uri),
            origin: format!("{scheme}://{authority}"),
            path: uri.path().to_owned(),
            headers,
            at: Instant::now(),
            nth: 0,
        };
        let is_discovery = seen.is_discovery();
        let count = &mut self.counts[usize::from(is_discovery)];
        seen.nth = *count;
        *count += 1;
        let (mut own, mut all) = (self.acts.get(&seen.whom), "");
        if is_discovery {
            seen.whom.push('?');
            let refuses = own.filter(|act| matches!(act, Act::Refuse));
            (own, all) = (self.acts.get(&seen.whom).or(refuses), "?");
        }
        let act = own.or_else(|| self.acts.get(all)).cloned();
        let mut act = act.unwrap_or(Act::Status(200));
        act.decide(&seen);
        self.seen.push(seen);
        act
    }
}

fn label(uri: &Uri) -> String {
    let host = uri.host().unwrap().to_ascii_lowercase();
    let host = host.strip_suffix(".example.com").unwrap_or(&host);
    match (uri.scheme_str(), uri.port_u16()) {
        (Some("http"), port) => format!("http {host}:{}", port.unwrap_or(80)),
        (_, None | Some(443)) => host.to_owned(),
        (_, Some(port)) => format!("{host}:{port}"),
    }
}

/// A `GET` of a host.
pub(crate) fn get_of(host: &str) -> Request<Full<Bytes>> {
    super::get(&origin(host))
}

/// The answer to a request, without its body.
pub(crate) async fn head_of(
    client: &Failover<World>,
    request: Request<Full<Bytes>>,
) -> Result<Response<()>, Error> {
    let response = client.clone().oneshot(request).await;
    response.map(|response| response.map(drop))
}

type Answering = BoxFuture<'static, Result<Response<Document>, BoxError>>;

impl Service<Request<ReplayBody<Full<Bytes>>>> for World {
    type Response = Response<Document>;
    type Error = BoxError;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReplayBody<Full<Bytes>>>) -> Answering {
        self.answer(request)
    }
}
