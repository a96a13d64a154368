use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Empty};
use tokio::{sync::watch, time::Instant};
use tower_failover::{Attempt, BoxError, replay::ReplayBody};
use tower_service::Service;

/// What the scripted service does with one attempt.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Answers with this status, after it has read the body.
    Status(u16),
    /// Answers with this status and header, after it has read the body.
    StatusWith(u16, &'static str, String),
    /// Answers without having looked at the body.
    Early(u16),
    /// Fails with an io error of this kind, without having looked at the body.
    Fail(std::io::ErrorKind),
    /// Fails with an io error of this kind, after it has read the body.
    FailAfterBody(std::io::ErrorKind),
    /// Never answers.
    Hang,
    /// Waits, then does the other thing.
    After(Duration, Box<Act>),
    /// Reads the body, then does the other thing.
    AfterBody(Box<Act>),
    /// Reads so many frames of the body, then does the other thing.
    AfterFrames(usize, Box<Act>),
}

/// A request as the inner service got it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) extensions: http::Extensions,
    pub(crate) attempt: Option<u32>,
    pub(crate) at: Instant,
    /// What was read of the body.
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
    /// Whether the body was read to its end.
    pub(crate) complete: bool,
}

impl Seen {
    /// Host and port of the region.
    pub(crate) fn authority(&self) -> &str {
        self.uri
            .authority()
            .map_or("", |authority| authority.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .map(|v| HeaderValue::to_str(v).unwrap())
    }
}

/// A service that acts by a script, one act for each attempt in their order; when the script is at
/// its end, regions do what they were [told](Self::always), by default answer 200. It records what
/// it was asked.
///
/// The layer's own probes are kept apart: they take nothing from the script, and regions do to them
/// what they were told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    acts: VecDeque<Act>,
    standing: HashMap<String, Act>,
    calls: Log,
    probe: Probe,
    probes: Log,
}

/// Requests of one kind.
#[derive(Debug, Default)]
struct Log {
    seen: Vec<Seen>,
    /// How many were sent, and how many of them have ended.
    course: watch::Sender<(usize, usize)>,
}

impl Log {
    fn in_flight(&self) -> usize {
        let (sent, ended) = *self.course.borrow();
        sent - ended
    }
}

/// What the probes of a layer look like, and what they meet.
#[derive(Debug)]
struct Probe {
    method: Method,
    path: String,
    standing: HashMap<String, Act>,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            method: Method::HEAD,
            path: "/".to_owned(),
            standing: HashMap::new(),
        }
    }
}

impl Probe {
    /// Nothing of any caller's is in it.
    fn is(&self, head: &http::request::Parts) -> bool {
        let path = head.uri.path_and_query().map(|path| path.as_str());
        (&head.method, path) == (&self.method, Some(&*self.path))
            && head.headers.is_empty()
            && head.extensions.is_empty()
    }
}

impl Inner {
    fn log(&mut self, is_probe: bool) -> &mut Log {
        if is_probe {
            &mut self.probes
        } else {
            &mut self.calls
        }
    }
}

impl Script {
    pub(crate) fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        let script = Self::default();
        script.inner.lock().unwrap().acts.extend(acts);
        script
    }

    /// Tells a region, by its authority, what to do from now on when the script is at its end.
    pub(crate) fn always(&self, region: &str, act: Act) {
        let mut inner = self.inner.lock().unwrap();
        inner.standing.insert(region.to_owned(), act);
    }

    /// Tells a region what to do to probes, where that is not what it does to calls.
    pub(crate) fn on_probe(&self, region: &str, act: Act) {
        let mut inner = self.inner.lock().unwrap();
        inner.probe.standing.insert(region.to_owned(), act);
    }

    /// Says by what probes are known where the layer makes others than by default.
    pub(crate) fn probed_by(&self, method: Method, path: &str) {
        let mut inner = self.inner.lock().unwrap();
        (inner.probe.method, inner.probe.path) = (method, path.to_owned());
    }

    /// The attempts so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.inner.lock().unwrap().calls.seen.clone()
    }

    /// How many attempts there were in this region.
    pub(crate) fn count(&self, region: &str) -> usize {
        let inner = self.inner.lock().unwrap();
        let seen = inner.calls.seen.iter();
        seen.filter(|seen| seen.authority() == region).count()
    }

    /// The probes so far.
    pub(crate) fn probes(&self) -> Vec<Seen> {
        self.inner.lock().unwrap().probes.seen.clone()
    }

    /// Where the attempts so far went, by host.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.seen()
            .iter()
            .map(|seen| seen.authority().to_owned())
            .collect()
    }

    /// How many attempts have neither ended nor been dropped.
    pub(crate) fn in_flight(&self) -> usize {
        self.inner.lock().unwrap().calls.in_flight()
    }

    /// How many probes have neither ended nor been dropped.
    pub(crate) fn probing(&self) -> usize {
        self.inner.lock().unwrap().probes.in_flight()
    }

    /// How many probes there were.
    pub(crate) fn probed(&self) -> usize {
        self.inner.lock().unwrap().probes.seen.len()
    }

    /// Waits until so many probes were sent.
    pub(crate) async fn probe_sent(&self, n: usize) {
        self.probes_are(|(sent, _)| sent >= n).await;
    }

    /// Waits until so many probes have ended.
    pub(crate) async fn probe_ended(&self, n: usize) {
        self.probes_are(|(_, ended)| ended >= n).await;
    }

    async fn probes_are(&self, so: impl Fn((usize, usize)) -> bool) {
        let mut course = self.inner.lock().unwrap().probes.course.subscribe();
        let wait = course.wait_for(|course| so(*course));
        let bound = Duration::from_secs(7 * 24 * 3600);
        let course = tokio::time::timeout(bound, wait).await;
        course.expect("probes within a week").unwrap();
    }
}

struct Guard {
    inner: Arc<Mutex<Inner>>,
    is_probe: bool,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut inner = self.inner.lock().unwrap();
        let course = &inner.log(self.is_probe).course;
        course.send_modify(|(_, ended)| *ended += 1);
    }
}

impl<B> Service<Request<ReplayBody<B>>> for Script
where
    B: http_body::Body + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Empty<Bytes>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReplayBody<B>>) -> Self::Future {
        let (head, body) = request.into_parts();
        let mut inner = self.inner.lock().unwrap();
        let is_probe = inner.probe.is(&head);
        let log = inner.log(is_probe);
        let index = log.seen.len();
        log.course.send_modify(|(sent, _)| *sent += 1);
        log.seen.push(Seen {
            attempt: head.extensions.get().map(Attempt::number),
            method: head.method,
            uri: head.uri,
            version: head.version,
            headers: head.headers,
            extensions: head.extensions,
            at: Instant::now(),
            body: Bytes::new(),
            trailers: None,
            complete: false,
        });
        let authority = log.seen[index].authority().to_owned();
        let own = if is_probe {
            inner.probe.standing.get(&authority).cloned()
        } else {
            inner.acts.pop_front()
        };
        let standing = || inner.standing.get(&authority).cloned();
        let mut act = own.or_else(standing).unwrap_or(Act::Status(200));
        let guard = Guard {
            inner: self.inner.clone(),
            is_probe,
        };
        Box::pin(async move {
            let mut body = Some(body);
            let read = async |body: &mut Option<ReplayBody<B>>, frames| -> Result<(), BoxError> {
                for _ in 0..frames {
                    let Some(reading) = body else { break };
                    let frame = reading.frame().await.transpose()?;
                    let mut inner = guard.inner.lock().unwrap();
                    let seen = &mut inner.log(is_probe).seen[index];
                    match frame.map(Frame::into_data) {
                        Some(Ok(data)) => seen.body = [&seen.body[..], &data[..]].concat().into(),
                        Some(Err(frame)) => seen.trailers = frame.into_trailers().ok(),
                        None => {
                            seen.complete = true;
                            *body = None;
                        }
                    }
                }
                Ok(())
            };
            let act = loop {
                match act {
                    Act::After(wait, then) => {
                        tokio::time::sleep(wait).await;
                        act = *then;
                    }
                    Act::AfterBody(then) => {
                        read(&mut body, usize::MAX).await?;
                        act = *then;
                    }
                    Act::AfterFrames(frames, then) => {
                        read(&mut body, frames).await?;
                        act = *then;
                    }
                    other => break other,
                }
            };
            let response = |status: u16| Response::builder().status(status);
            let response = match act {
                Act::Status(status) => {
                    read(&mut body, usize::MAX).await?;
                    response(status)
                }
                Act::StatusWith(status, name, value) => {
                    read(&mut body, usize::MAX).await?;
                    response(status).header(name, value)
                }
                Act::Early(status) => response(status),
                Act::Fail(kind) => return Err(std::io::Error::from(kind).into()),
                Act::FailAfterBody(kind) => {
                    read(&mut body, usize::MAX).await?;
                    return Err(std::io::Error::from(kind).into());
                }
                Act::Hang => std::future::pending().await,
                Act::After(..) | Act::AfterBody(..) | Act::AfterFrames(..) => {
                    unreachable!("unwrapped above")
                }
            };
            Ok(response.body(Empty::new()).unwrap())
        })
    }
}
