//! A client in memory, under a clock that stands still while anything moves.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{
    BodyExt, Full,
    channel::{Channel, Sender},
};
use tokio::time::Instant;
use tower::Service;
use tower_failover::{
    BoxError, Region,
    session::{
        Attempt, Event, Session,
        watch::{ConnectError, Exit, Lease, Watch, Watching},
    },
};
use tower_test::mock::{self, SendResponse};

use super::{Call, RemoteAccess};

type Body = Channel<Bytes, BoxError>;
pub(super) type Stream = Sender<Bytes, BoxError>;
type Client = mock::Mock<Request<Full<Bytes>>, Response<Body>>;

/// The other side of the client.
pub(super) struct Peer(mock::Handle<Request<Full<Bytes>>, Response<Body>>);

pub(super) fn memory() -> (Client, Peer) {
    let (client, handle) = mock::pair();
    (client, Peer(handle))
}

/// A request that waits for its answer.
pub(super) struct Asked {
    pub(super) at: Instant,
    pub(super) path: String,
    pub(super) request: Request<Full<Bytes>>,
    answer: SendResponse<Response<Body>>,
}

impl Peer {
    pub(super) async fn next(&mut self) -> Asked {
        let (request, answer) = self.0.next_request().await.expect("a client");
        Asked {
            at: Instant::now(),
            path: request.uri().path().to_owned(),
            request,
            answer,
        }
    }

    /// Whether there is no client any more that could ask.
    pub(super) fn is_alone(&mut self) -> bool {
        matches!(self.0.poll_request(), Poll::Ready(None))
    }

    /// Whether nothing was asked.
    pub(super) fn is_idle(&mut self) -> bool {
        !matches!(self.0.poll_request(), Poll::Ready(Some(_)))
    }
}

impl Asked {
    /// Answers with this status, this content type and a stream of what is to come.
    pub(super) fn answer(self, status: u16, content_type: &str) -> Stream {
        self.answer_with(status, &[("content-type", content_type)])
    }

    /// Answers with this status, these headers and a stream of what is to come.
    pub(super) fn answer_with(self, status: u16, headers: &[(&str, &str)]) -> Stream {
        let (stream, body) = Channel::new(64);
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        self.answer.send_response(response.body(body).unwrap());
        stream
    }

    pub(super) fn status(self, status: u16) {
        self.answer(status, "text/plain");
    }

    /// The body, as text.
    pub(super) async fn body(&mut self) -> String {
        let body = std::mem::take(self.request.body_mut());
        let body = body.collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }
}

pub(super) fn hello(interval: Duration) -> String {
    let millis = interval.as_millis();
    format!(
        "event: hello\ndata: {{\"watchLeaseId\": \"lease-1\", \
         \"deviceWaitForViewerMs\": 45000, \"heartbeatIntervalMs\": {millis}}}\n\n"
    )
}

pub(super) fn wake() -> String {
    format!("event: wake\ndata: {}\n\n", super::CALL)
}

pub(super) async fn send(stream: &mut Stream, text: impl Into<Bytes>) {
    stream.send_data(text.into()).await.expect("a reader");
}

pub(super) fn attempt() -> Attempt<Lease> {
    let region = Region::new("eu", "https://eu.example.com").unwrap();
    Attempt::first(region, Instant::now() + Duration::from_secs(30))
}

/// Connects, where the peer answers so.
pub(super) async fn connect_to(
    status: u16,
    content_type: &str,
    pieces: &[&str],
) -> Result<Watching<Call>, ConnectError> {
    let (client, mut peer) = memory();
    let mut watch = Watch::new(client, RemoteAccess::new("secret"));
    let connected = tokio::spawn(watch.call(attempt()));
    let mut stream = peer.next().await.answer(status, content_type);
    for piece in pieces {
        // There may be no reader, where the head of the answer settles it.
        let _ = stream
            .send_data(Bytes::copy_from_slice(piece.as_bytes()))
            .await;
    }
    drop(stream);
    connected.await.unwrap()
}

/// A session that is up, and the other side of it.
pub(super) struct Opened {
    pub(super) session: Open,
    pub(super) stream: Stream,
    pub(super) peer: Peer,
}

/// Connects, and is told this interval.
pub(super) async fn open(interval: Duration) -> Opened {
    open_with(interval, |watch| watch).await
}

pub(super) async fn open_with(
    interval: Duration,
    set: impl FnOnce(Watch<RemoteAccess>) -> Watch<RemoteAccess>,
) -> Opened {
    let (client, mut peer) = memory();
    let mut watch = set(Watch::new(client, RemoteAccess::new("secret")));
    let connected = tokio::spawn(watch.call(attempt()));
    let mut stream = peer.next().await.answer(200, "text/event-stream");
    send(&mut stream, hello(interval)).await;
    let session = Box::pin(connected.await.unwrap().expect("a session"));
    Opened {
        session,
        stream,
        peer,
    }
}

pub(super) type Open = Pin<Box<Watching<Call>>>;

pub(super) async fn event(session: &mut Open) -> Event<Lease, Exit<Call>> {
    poll_fn(|cx| session.as_mut().poll_event(cx)).await
}

/// How it ends.
pub(super) async fn exit(session: &mut Open) -> Exit<Call> {
    loop {
        if let Event::Closed(exit) = event(session).await {
            return exit;
        }
    }
}

/// Looks once whether it has more to tell than what it begins with.
pub(super) fn is_pending(session: &mut Open) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        match session.as_mut().poll_event(&mut cx) {
            Poll::Pending => return true,
            Poll::Ready(Event::Resume(_) | Event::HealthyAfter(_)) => {}
            Poll::Ready(_) => return false,
        }
    }
}
