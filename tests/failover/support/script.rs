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
use tokio::time::Instant;
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
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    acts: VecDeque<Act>,
    standing: HashMap<String, Act>,
    seen: Vec<Seen>,
    in_flight: usize,
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

    /// The attempts so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.inner.lock().unwrap().seen.clone()
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
        self.inner.lock().unwrap().in_flight
    }
}

struct Guard(Arc<Mutex<Inner>>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.lock().unwrap().in_flight -= 1;
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
        let index = inner.seen.len();
        inner.seen.push(Seen {
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
        let authority = inner.seen[index].authority().to_owned();
        let scripted = inner.acts.pop_front();
        let standing = || inner.standing.get(&authority).cloned();
        let mut act = scripted.or_else(standing).unwrap_or(Act::Status(200));
        inner.in_flight += 1;
        let guard = Guard(self.inner.clone());
        Box::pin(async move {
            let mut body = Some(body);
            let read = async |body: &mut Option<ReplayBody<B>>, frames| -> Result<(), BoxError> {
                for _ in 0..frames {
                    let Some(reading) = body else { break };
                    let frame = reading.frame().await.transpose()?;
                    let seen = &mut guard.0.lock().unwrap().seen[index];
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
