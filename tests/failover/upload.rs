//! Streaming uploads over sockets, at the pace of the test: what becomes of the bytes that were sent
//! when home fails before the upload ends.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use failover_cluster::{Fault, Recorded, Server};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::{sync::mpsc, task::JoinHandle};
use tower::{Layer, ServiceExt};
use tower_failover::{
    Backoff, BoxError, Error, ErrorKind, Failover, FailoverLayer, Health, Regions, Served,
    classify::Reason,
};

use crate::support::{Http, http1, http2, within};

const PIECE: usize = 16 * 1024;
const MIB: usize = 1024 * 1024;
const TRAILER: HeaderName = HeaderName::from_static("x-sum");

/// A body of which the test holds the other end.
#[derive(Debug)]
struct Stream {
    frames: mpsc::UnboundedReceiver<Result<Frame<Bytes>, BoxError>>,
    length: Option<u64>,
}

impl Body for Stream {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(self.frames.poll_recv(cx));
        if let (Some(length), Some(Ok(frame))) = (&mut self.length, &frame) {
            *length -= frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

#[derive(Debug)]
struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Broken {}

/// The caller's end of an upload. Dropping it ends the body.
#[derive(Debug)]
struct Caller {
    frames: mpsc::UnboundedSender<Result<Frame<Bytes>, BoxError>>,
    sent: Vec<u8>,
}

impl Caller {
    fn new(length: Option<u64>) -> (Self, Stream) {
        let (sender, frames) = mpsc::unbounded_channel();
        let caller = Self {
            frames: sender,
            sent: Vec::new(),
        };
        (caller, Stream { frames, length })
    }

    fn frame(&self, frame: Result<Frame<Bytes>, BoxError>) {
        self.frames.send(frame).expect("somebody holds the body");
    }

    /// Sends that many bytes, no piece of them like another.
    fn send(&mut self, bytes: usize) {
        let end = self.sent.len() + bytes;
        while self.sent.len() < end {
            let begin = self.sent.len();
            let stop = end.min(begin + PIECE);
            let number = u32::try_from(begin / 4).expect("an upload of this size");
            let words = (number..).flat_map(u32::to_le_bytes);
            self.sent.extend(words.take(stop - begin));
            let piece = Bytes::copy_from_slice(&self.sent[begin..]);
            self.frame(Ok(Frame::data(piece)));
        }
    }

    fn fail(self) {
        self.frame(Err(Broken.into()));
    }

    fn end(self) -> Vec<u8> {
        self.sent
    }

    fn end_with_trailers(self) -> Vec<u8> {
        self.frame(Ok(Frame::trailers(trailers())));
        self.sent
    }
}

fn trailers() -> HeaderMap {
    HeaderMap::from_iter([(TRAILER, HeaderValue::from_static("42"))])
}

type Client = Failover<Http<Stream>>;
type Call = JoinHandle<Result<Response<Incoming>, Error>>;

/// Two regions and a client for uploads to them.
#[derive(Debug)]
struct Place {
    home: Server,
    other: Server,
    client: Client,
}

impl Place {
    /// On each wire. A single blamed failure ejects.
    async fn each(set: impl Fn(FailoverLayer) -> FailoverLayer) -> [Self; 2] {
        let (home, other) = (Server::http1("home").await, Server::http1("other").await);
        let http1 = set(layer(&home, &other)).layer(http1());
        let http1 = Self {
            home,
            other,
            client: http1,
        };
        let (home, other) = (Server::h2c("home").await, Server::h2c("other").await);
        let http2 = set(layer(&home, &other)).layer(http2());
        let http2 = Self {
            home,
            other,
            client: http2,
        };
        [http1, http2]
    }

    /// Begins an upload of unknown length.
    fn upload(&self, method: Method) -> (Call, Caller) {
        self.upload_of(method, None)
    }

    fn upload_of(&self, method: Method, length: Option<u64>) -> (Call, Caller) {
        let (caller, body) = Caller::new(length);
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/upload", self.home.origin()))
            // Without it hyper sends no trailers over HTTP/1.1.
            .header(http::header::TRAILER, TRAILER.as_str())
            .body(body)
            .expect("a valid request");
        (tokio::spawn(self.client.clone().oneshot(request)), caller)
    }

    fn hits(&self) -> (usize, usize) {
        (self.home.hits(), self.other.hits())
    }

    /// Where a call goes that meets no fault.
    async fn next_call_goes_to(&self) -> String {
        let (call, caller) = self.upload(Method::PUT);
        drop(caller);
        let response = finish(call).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        region(&response).to_owned()
    }
}

fn layer(home: &Server, other: &Server) -> FailoverLayer {
    let (short, never) = (Duration::from_millis(1), Duration::from_secs(3600));
    FailoverLayer::new(Regions::fixed([home.origin(), other.origin()]).expect("valid origins"))
        .backoff(Backoff::exponential(short, short))
        .health(Health::default().consecutive(1).probe_every(never, never))
        // So that it is not the time that fails the uploads.
        .attempt_timeout(None)
        .max_replay_body(8 * MIB)
}

async fn finish(call: Call) -> Result<Response<Incoming>, Error> {
    within(call).await.expect("the call does not panic")
}

fn region(response: &Response<Incoming>) -> &str {
    response.headers()["x-region"].to_str().expect("a word")
}

fn assert_whole(request: &Recorded, sent: &[u8]) {
    assert!(request.complete);
    // Not with assert_eq: a megabyte says little.
    assert_eq!(request.body.len(), sent.len());
    assert!(request.body == sent);
}

fn assert_cut(request: &Recorded, sent: &[u8]) {
    assert!(!request.complete);
    assert!(request.body.len() < sent.len());
    assert!(sent.starts_with(&request.body));
}

// ---- Home fails before the upload ends

/// The caller pauses in the middle; in the pause home fails, the other region is asked, and home's
/// upload ends.
async fn an_upload_moves(place: &Place) {
    let (call, mut caller) = place.upload(Method::PUT);
    caller.send(MIB);
    within(place.other.wait_hits(1)).await;
    within(place.home.wait_no_open_uploads()).await;
    assert!(!call.is_finished());

    caller.send(2 * MIB);
    let sent = caller.end_with_trailers();
    let response = finish(call).await.expect("an answer");
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(region(&response), "other");
    let served = response
        .extensions()
        .get::<Served>()
        .expect("a served extension");
    assert_eq!(served.attempts().len(), 2);
    assert_eq!(place.hits(), (1, 1));
    assert_cut(&place.home.requests()[0], &sent);
    let replay = &place.other.requests()[0];
    assert_whole(replay, &sent);
    assert_eq!(replay.trailers.as_ref(), Some(&trailers()));
    assert!(!replay.headers.contains_key("content-length"));
}

#[tokio::test]
async fn an_upload_that_is_answered_503_at_once_moves_where_it_stands() {
    for place in Place::each(|layer| layer).await {
        place.home.set(Fault::EarlyStatus(503)).await;
        an_upload_moves(&place).await;
    }
}

#[tokio::test]
async fn an_upload_that_is_answered_503_midway_moves_where_it_stands() {
    for place in Place::each(|layer| layer).await {
        place.home.set(Fault::StatusAfter(MIB / 2, 503)).await;
        an_upload_moves(&place).await;
    }
}

#[tokio::test]
async fn an_upload_that_is_not_answered_in_time_moves_where_it_stands() {
    for place in Place::each(|layer| layer.attempt_timeout(Duration::from_millis(200))).await {
        place.home.set(Fault::BlackHole).await;
        an_upload_moves(&place).await;
    }
}

#[tokio::test]
async fn an_upload_whose_connection_breaks_moves_where_it_stands() {
    for fault in [Fault::Close, Fault::Reset] {
        for place in Place::each(|layer| layer).await {
            place.home.set(fault.clone()).await;
            an_upload_moves(&place).await;
        }
    }
}

#[tokio::test]
async fn an_upload_moves_from_region_to_region() {
    for place in Place::each(|layer| layer.retry_same_region(true)).await {
        place.home.set(Fault::StatusAfter(MIB / 4, 503)).await;
        let early = Fault::StatusAfter(MIB / 2, 503);
        place.other.set(Fault::First(1, Box::new(early))).await;
        let (call, mut caller) = place.upload(Method::PUT);
        caller.send(MIB);
        within(place.other.wait_hits(1)).await;
        // Back to home, for that is the one in order.
        within(place.home.wait_hits(2)).await;
        within(place.other.wait_no_open_uploads()).await;
        drop(caller);
        let response = finish(call).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(place.hits(), (2, 1));
        within(place.home.wait_no_open_uploads()).await;
    }
}

#[tokio::test]
async fn a_length_known_to_the_caller_is_known_to_the_next_region() {
    for place in Place::each(|layer| layer).await {
        place.home.set(Fault::StatusAfter(MIB / 2, 503)).await;
        let (call, mut caller) = place.upload_of(Method::PUT, Some(2 * MIB as u64));
        caller.send(MIB);
        within(place.other.wait_hits(1)).await;
        within(place.home.wait_no_open_uploads()).await;
        caller.send(MIB);
        let sent = caller.end();
        let response = finish(call).await.unwrap();
        assert_eq!(region(&response), "other");
        for request in [&place.home.requests()[0], &place.other.requests()[0]] {
            assert_eq!(request.headers["content-length"], "2097152");
        }
        assert_whole(&place.other.requests()[0], &sent);
    }
}

#[tokio::test]
async fn a_refused_upload_is_sent_once() {
    for place in Place::each(|layer| layer).await {
        place.home.set(Fault::Refuse).await;
        let (call, mut caller) = place.upload(Method::POST);
        caller.send(MIB);
        let sent = caller.end_with_trailers();
        assert_eq!(region(&finish(call).await.unwrap()), "other");
        assert_eq!(place.hits(), (0, 1));
        assert_whole(&place.other.requests()[0], &sent);
        assert_eq!(place.other.requests()[0].trailers, Some(trailers()));
    }
}

#[tokio::test]
async fn trailers_are_replayed_after_a_failure_that_came_after_them() {
    for place in Place::each(|layer| layer).await {
        place.home.set(Fault::Status(503)).await;
        let (call, mut caller) = place.upload(Method::PUT);
        caller.send(MIB);
        let sent = caller.end_with_trailers();
        assert_eq!(region(&finish(call).await.unwrap()), "other");
        for request in [&place.home.requests()[0], &place.other.requests()[0]] {
            assert_whole(request, &sent);
            assert_eq!(request.trailers.as_ref(), Some(&trailers()));
        }
    }
}

#[tokio::test]
async fn trailers_alone_are_replayed() {
    for place in Place::each(|layer| layer).await {
        place.home.set(Fault::Status(503)).await;
        let (call, caller) = place.upload(Method::PUT);
        caller.end_with_trailers();
        assert_eq!(region(&finish(call).await.unwrap()), "other");
        for request in [&place.home.requests()[0], &place.other.requests()[0]] {
            assert_whole(request, b"");
            assert_eq!(request.trailers.as_ref(), Some(&trailers()));
        }
    }
}

// ---- What is not replayed

/// Home's answer comes before the upload ends and is the caller's; the upload goes on to its end.
async fn an_upload_stays(place: &Place, method: Method, status: u16) {
    let (call, mut caller) = place.upload(method);
    caller.send(MIB);
    let response = finish(call).await.expect("home answers");
    assert_eq!(response.status(), status);
    assert_eq!(region(&response), "home");
    assert!(response.extensions().get::<Served>().is_none());
    assert_eq!(place.home.open_uploads(), 1);
    caller.send(MIB / 2);
    let sent = caller.end();
    within(place.home.wait_no_open_uploads()).await;
    assert_whole(&place.home.requests()[0], &sent);
    assert_eq!(place.hits(), (1, 0));
}

#[tokio::test]
async fn an_upload_goes_on_to_its_end_after_a_success() {
    for fault in [
        Fault::EarlyStatus(200),
        Fault::StatusAfter(MIB / 2, 200),
        Fault::EarlyStatus(404),
    ] {
        let status = if let Fault::EarlyStatus(404) = fault {
            404
        } else {
            200
        };
        for place in Place::each(|layer| layer).await {
            place.home.set(fault.clone()).await;
            an_upload_stays(&place, Method::PUT, status).await;
        }
    }
}

#[tokio::test]
async fn an_upload_that_may_not_be_sent_again_goes_on_to_its_end_after_a_503() {
    for place in Place::each(|layer| layer).await {
        place.home.set(Fault::StatusAfter(MIB / 2, 503)).await;
        an_upload_stays(&place, Method::POST, 503).await;
    }
}

#[tokio::test]
async fn an_upload_over_the_cap_is_committed_to_its_region() {
    for place in Place::each(|layer| layer.max_replay_body(MIB / 4)).await {
        place.home.set(Fault::StatusAfter(MIB / 2, 503)).await;
        an_upload_stays(&place, Method::PUT, 503).await;
    }
}

#[tokio::test]
async fn an_upload_over_the_cap_is_waited_for_past_the_attempt_timeout() {
    let timeout = Duration::from_millis(100);
    let set = |layer: FailoverLayer| layer.max_replay_body(MIB / 4).attempt_timeout(timeout);
    for place in Place::each(set).await {
        place.home.set(Fault::Delay(3 * timeout)).await;
        let (call, mut caller) = place.upload(Method::PUT);
        caller.send(MIB);
        let sent = caller.end();
        let response = finish(call).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(place.hits(), (1, 0));
        assert_whole(&place.home.requests()[0], &sent);
    }
}

#[tokio::test]
async fn an_upload_exactly_at_the_cap_is_replayed_and_one_byte_more_is_not() {
    for (bytes, answers) in [(MIB, "other"), (MIB + 1, "home")] {
        for length in [None, Some(bytes as u64)] {
            for place in Place::each(|layer| layer.max_replay_body(MIB)).await {
                place.home.set(Fault::Status(503)).await;
                let (call, mut caller) = place.upload_of(Method::PUT, length);
                caller.send(bytes);
                let sent = caller.end();
                assert_eq!(region(&finish(call).await.unwrap()), answers);
                let replays = usize::from(answers == "other");
                assert_eq!(place.hits(), (1, replays));
                for request in place.home.requests().iter().chain(&place.other.requests()) {
                    assert_whole(request, &sent);
                }
            }
        }
    }
}

// ---- The caller's body fails

fn assert_body_failed(error: &Error, attempts: usize) {
    assert_eq!(error.kind(), ErrorKind::Request, "{error:?}");
    assert_eq!(error.attempts().len(), attempts, "{error:?}");
    assert_eq!(error.attempts()[attempts - 1].reason(), Reason::Body);
}

#[tokio::test]
async fn a_body_that_fails_midway_is_nobodys_fault_and_not_replayed() {
    for place in Place::each(|layer| layer).await {
        let (call, mut caller) = place.upload(Method::PUT);
        caller.send(MIB);
        within(place.home.wait_hits(1)).await;
        caller.fail();
        let error = finish(call).await.unwrap_err();
        assert_body_failed(&error, 1);
        assert_eq!(place.hits(), (1, 0));
        within(place.home.wait_no_open_uploads()).await;
        assert!(!place.home.requests()[0].complete);

        assert_eq!(place.next_call_goes_to().await, "home");
        assert_eq!(place.hits(), (2, 0));
    }
}

#[tokio::test]
async fn a_body_that_fails_at_once_does_not_pass_as_empty() {
    for length in [None, Some(MIB as u64)] {
        for place in Place::each(|layer| layer).await {
            let (caller, body) = Caller::new(length);
            caller.fail();
            let request = Request::put(format!("{}/upload", place.home.origin()));
            let call = place.client.clone().oneshot(request.body(body).unwrap());
            let error = finish(tokio::spawn(call)).await.unwrap_err();
            assert_body_failed(&error, 1);
            within(place.home.wait_no_open_uploads()).await;
            assert!(place.home.requests().iter().all(|r| !r.complete));
            assert_eq!(place.other.hits(), 0);
            assert_eq!(place.next_call_goes_to().await, "home");
        }
    }
}

#[tokio::test]
async fn a_body_that_fails_in_the_replay_ends_the_call() {
    for place in Place::each(|layer| layer.retry_same_region(true)).await {
        place.home.set(Fault::StatusAfter(MIB / 2, 503)).await;
        let (call, mut caller) = place.upload(Method::PUT);
        caller.send(MIB);
        within(place.other.wait_hits(1)).await;
        caller.fail();
        let error = finish(call).await.unwrap_err();
        assert_body_failed(&error, 2);
        assert_eq!(place.hits(), (1, 1));
        // Home is out for its 503; the other region is not to blame.
        assert_eq!(place.next_call_goes_to().await, "other");
    }
}
