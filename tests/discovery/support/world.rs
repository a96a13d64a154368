//! Hosts without sockets, for a paused clock: what each does is set beforehand.

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use tokio::time::sleep;
use tower::{Layer, Service, ServiceExt};
use tower_failover::{BoxError, Error, Failover, FailoverLayer, replay::ReplayBody};

use super::PATH;

/// What a host does to a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Status(u16),
    With(u16, &'static str, &'static str),
    /// As [`Act::Status`], once the request's body was read.
    AfterBody(u16),
    /// Answers with a list of these hosts, to be used for a minute.
    List(&'static [&'static str]),
    /// Answers with the head of a list, and no more than this of its body.
    Stall(&'static str),
    Reset,
    Hang,
    After(Duration, Box<Act>),
}

pub(crate) fn after(wait: Duration, act: Act) -> Act {
    Act::After(wait, Box::new(act))
}

/// The origin of a host that is written as `a`.
pub(crate) fn origin(host: &str) -> String {
    format!("http://{host}.example.com:80")
}

/// Hosts and the client that reaches them; clones are the same.
#[derive(Clone, Default)]
pub(crate) struct World {
    state: Arc<Mutex<State>>,
    /// Held by each request under way, and by its answer.
    token: Arc<()>,
}

#[derive(Default)]
struct State {
    acts: HashMap<String, Act>,
    met: Vec<String>,
}

impl World {
    /// Sets what a request meets from now on: `a` is a call at that host, `a?` a discovery.
    pub(crate) fn on(&self, whom: &str, act: Act) -> &Self {
        let mut state = self.state.lock().unwrap();
        state.acts.insert(whom.to_owned(), act);
        self
    }

    /// Whom requests were for, in order of arrival.
    pub(crate) fn log(&self) -> Vec<String> {
        self.state.lock().unwrap().met.clone()
    }

    /// The requests of this kind.
    pub(crate) fn count(&self, whom: &str) -> usize {
        self.log().iter().filter(|met| *met == whom).count()
    }

    /// How many requests are under way, or have an answer that somebody holds.
    pub(crate) fn open(&self) -> usize {
        Arc::strong_count(&self.token) - Arc::strong_count(&self.state)
    }

    pub(crate) fn client(&self, layer: &FailoverLayer) -> Failover<World> {
        layer.layer(self.clone())
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

impl Service<Request<ReplayBody<Full<Bytes>>>> for World {
    type Response = Response<Document>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReplayBody<Full<Bytes>>>) -> Self::Future {
        let (uri, token) = (request.uri().clone(), self.token.clone());
        let host = uri.host().unwrap_or_default();
        let host = host.trim_end_matches(".example.com");
        let whom = format!("{host}{}", if uri.path() == PATH { "?" } else { "" });
        let mut state = self.state.lock().unwrap();
        let act = state.acts.get(&whom).cloned();
        state.met.push(whom);
        drop(state);
        async move {
            let mut act = act.unwrap_or(Act::Status(200));
            while let Act::After(wait, next) = act {
                sleep(wait).await;
                act = *next;
            }
            let mut head = Response::builder();
            let mut document = Document {
                text: None,
                stalls: false,
                _token: token,
            };
            match act {
                Act::AfterBody(status) => {
                    request.collect().await?;
                    head = head.status(status);
                }
                Act::Status(status) => head = head.status(status),
                Act::With(status, name, value) => head = head.status(status).header(name, value),
                Act::List(hosts) => {
                    let entry = |host: &&str| format!(r#"{{"url":"{}"}}"#, origin(host));
                    let entries: Vec<_> = hosts.iter().map(entry).collect();
                    document.text = Some(format!(r#"{{"regions":[{}]}}"#, entries.join(",")));
                    head = head.header("cache-control", "max-age=60");
                }
                Act::Stall(text) => {
                    document.text = Some(text.to_owned());
                    document.stalls = true;
                }
                Act::Reset => return Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
                Act::Hang | Act::After(..) => std::future::pending().await,
            }
            Ok(head.body(document).expect("a response"))
        }
        .boxed()
    }
}

pub(crate) struct Document {
    text: Option<String>,
    stalls: bool,
    _token: Arc<()>,
}

impl http_body::Body for Document {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.text.take() {
            Some(text) => Poll::Ready(Some(Ok(Frame::data(text.into())))),
            None if self.stalls => Poll::Pending,
            None => Poll::Ready(None),
        }
    }
}
