//! Each way in which a connection can fail, provoked on a real one, and what the layer makes of it.
//!
//! These are the canaries for `classify/transport.rs`, which tells errors apart by types that hyper
//! does not promise.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use failover_cluster::{Fault, Server};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body::{Body, Frame};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    rt::{Read, ReadBufCursor, Write},
};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connect, Connected, Connection, HttpConnector},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_failover::{
    AttemptRecord, Backoff, BoxError, Error, ErrorKind, FailoverLayer, Regions, Served, Stop,
    classify::{self, Classify, FailureKind, Reason, Verdict},
};

use crate::support::{Http, http1, http1_over, http2, http2_over, within};

const CHANGED: &str = "hyper-util, hyper or h2 no longer reports this failure in the way that \
    src/classify/transport.rs knows. If one of them was updated, look for two majors of h2 or hyper \
    in `cargo tree --duplicates`, whose types differ though their names are the same";

/// What a request may be after an attempt failed.
const NEVER_SENT: Option<FailureKind> = Some(FailureKind::NeverSent);
const UNKNOWN: Option<FailureKind> = Some(FailureKind::Unknown);

const PAYLOAD: &[u8] = b"payload";

trait Connector: Connect + Clone + Send + Sync + 'static {}
impl<C: Connect + Clone + Send + Sync + 'static> Connector for C {}

type Outcome = Result<Response<Incoming>, Error>;

/// A layer of its own, with nothing remembered, over these two regions; hardly any wait.
fn layer(home: &str, other: &Server) -> FailoverLayer {
    let regions = Regions::fixed([home, &other.origin()]).unwrap();
    let short = Duration::from_millis(1);
    FailoverLayer::new(regions).backoff(Backoff::exponential(short, short))
}

async fn send<S, B>(client: S, method: Method, uri: &str, body: B) -> Outcome
where
    S: Service<Request<B>, Response = Response<Incoming>, Error = Error>,
{
    let uri = format!("{uri}/path");
    let request = Request::builder().method(method).uri(uri).body(body);
    within(client.oneshot(request.unwrap())).await
}

fn payload() -> Full<Bytes> {
    Full::new(Bytes::from_static(PAYLOAD))
}

/// How the first attempt of a call ended.
fn first(outcome: &Outcome) -> AttemptRecord {
    let attempts = match outcome {
        Ok(response) => match response.extensions().get::<Served>() {
            Some(served) => served.attempts(),
            None => panic!("home answered {}", response.status()),
        },
        Err(error) => error.attempts(),
    };
    attempts[0].clone()
}

/// Calls `home`, which fails, with a GET and a POST, and checks what the layer makes of it.
async fn expect<C: Connector>(
    client: Http<Full<Bytes>, C>,
    home: &str,
    failure: Option<FailureKind>,
    reason: Reason,
) {
    let other = Server::http1("other").await;
    expect_beside(&other, client, home, failure, reason).await;
}

/// As [`expect`], for a client that speaks HTTP/2.
async fn expect_h2<C: Connector>(
    client: Http<Full<Bytes>, C>,
    home: &str,
    failure: Option<FailureKind>,
    reason: Reason,
) {
    let other = Server::h2c("other").await;
    expect_beside(&other, client, home, failure, reason).await;
}

async fn expect_beside<C: Connector>(
    other: &Server,
    client: Http<Full<Bytes>, C>,
    home: &str,
    failure: Option<FailureKind>,
    reason: Reason,
) {
    for method in [Method::GET, Method::POST] {
        expect_one(other, client.clone(), home, method, failure, reason).await;
    }
}

async fn expect_one<C: Connector>(
    other: &Server,
    client: Http<Full<Bytes>, C>,
    home: &str,
    method: Method,
    failure: Option<FailureKind>,
    reason: Reason,
) {
    let earlier = other.hits();
    let service = layer(home, other).layer(client);
    let outcome = send(service, method.clone(), home, payload()).await;

    let failure = match reason {
        // Nobody watches the body of a request that may be sent twice anyhow.
        Reason::GoAway if method == Method::GET => UNKNOWN,
        _ => failure,
    };
    let record = first(&outcome);
    let seen = (record.failure(), record.reason());
    assert_eq!(seen, (failure, reason), "{CHANGED}: {method} {outcome:?}");
    assert_eq!(record.region().origin().as_str(), home);
    let replayed = failure == NEVER_SENT || method == Method::GET;
    assert_eq!(other.hits() - earlier, usize::from(replayed), "{method}");
    if replayed {
        assert_eq!(outcome.unwrap().status(), StatusCode::OK);
        let request = other.requests().pop().unwrap();
        assert_eq!((request.method, &*request.body), (method, PAYLOAD));
    } else {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown);
        assert_eq!(error.stop(), Some(Stop::NotReplayable));
        assert_eq!(error.attempts().len(), 1);
    }
}

/// A listener that does one thing to every connection.
struct Peer {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Peer {
    async fn start<F, Fut>(act: F) -> Self
    where
        F: Fn(TcpStream) -> Fut + Send + 'static,
        Fut: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        let task = tokio::spawn(async move {
            let mut tasks = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                // An error of the wire says that the client was faster to hang up.
                tasks.spawn(act(stream));
            }
        });
        Self {
            address,
            connections,
            task,
        }
    }

    fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Connects, and at `slow` waits until the peer has done something first, as a TLS handshake does.
fn patient(slow: SocketAddr) -> impl Connector {
    service_fn(move |uri: Uri| {
        Box::pin(async move {
            let address: SocketAddr = uri.authority().unwrap().as_str().parse().unwrap();
            let stream = TcpStream::connect(address).await?;
            if address == slow {
                stream.peek(&mut [0]).await?;
            }
            io::Result::Ok(TokioIo::new(stream))
        })
    })
}

/// Reads a request head of HTTP/1.1.
async fn read_head(stream: &mut TcpStream) -> io::Result<()> {
    let mut last = [0; 4];
    while last != *b"\r\n\r\n" {
        last.rotate_left(1);
        last[3] = stream.read_u8().await?;
    }
    Ok(())
}

/// Sends FIN and waits for the client's, so that no RST overtakes what was written.
async fn finish(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(())
}

// ---- Before there is a connection

#[tokio::test]
async fn a_refused_connection_was_never_sent() {
    let home = Server::http1("home").await;
    home.set(Fault::Refuse).await;
    expect(http1(), &home.origin(), NEVER_SENT, Reason::Refused).await;
    expect_h2(http2(), &home.origin(), NEVER_SENT, Reason::Refused).await;
    assert_eq!(home.hits(), 0);
}

#[tokio::test]
async fn an_unknown_host_was_never_sent() {
    // A label may have 63 characters, so the resolver refuses this name without asking anybody.
    let home = format!("http://{}.invalid:80", "x".repeat(64));
    expect(http1(), &home, NEVER_SENT, Reason::Connect).await;
    expect_h2(http2(), &home, NEVER_SENT, Reason::Connect).await;
}

#[tokio::test]
async fn a_scheme_that_the_connector_does_not_speak_was_never_sent() {
    let home = Server::http1("home").await;
    let https = format!("https://{}", home.authority());
    expect(http1(), &https, NEVER_SENT, Reason::Connect).await;
    assert_eq!(home.connections(), 0);
}

#[tokio::test]
async fn a_reset_while_connecting_was_never_sent() {
    let home = Peer::start(async |stream: TcpStream| stream.set_zero_linger()).await;
    let connector = patient(home.address);
    expect(
        http1_over(connector.clone()),
        &home.origin(),
        NEVER_SENT,
        Reason::Connect,
    )
    .await;
    expect_h2(
        http2_over(connector),
        &home.origin(),
        NEVER_SENT,
        Reason::Connect,
    )
    .await;
    assert_eq!(home.connections(), 4);
}

/// Needs a kernel that drops what its queue of connections cannot take.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connect_timeout_was_never_sent() {
    let full = failover_cluster::FullPort::open().await;
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(Duration::from_millis(200)));
    expect(
        http1_over(connector),
        &full.origin(),
        NEVER_SENT,
        Reason::ConnectTimeout,
    )
    .await;
}

// ---- On a connection of the caller's making

/// Every answer is an error that other connections give before there is one.
struct Refusing {
    stream: TokioIo<TcpStream>,
    refuses: bool,
}

impl Read for Refusing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        Poll::Ready(if self.refuses {
            Err(io::ErrorKind::ConnectionRefused.into())
        } else {
            Ok(())
        })
    }
}

impl Write for Refusing {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Connection for Refusing {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// Connects, and at `home` to what is [`Refusing`].
fn refusing(home: String) -> impl Connector {
    service_fn(move |uri: Uri| {
        let refuses = uri.authority().unwrap().as_str() == home;
        Box::pin(async move {
            let stream = TcpStream::connect(uri.authority().unwrap().as_str()).await?;
            let stream = TokioIo::new(stream);
            io::Result::Ok(Refusing { stream, refuses })
        })
    })
}

#[tokio::test]
async fn http1_refused_after_the_request_was_sent_may_have_been_processed() {
    let home = Server::http1("home").await;
    let client = http1_over(refusing(home.authority()));
    expect(client, &home.origin(), UNKNOWN, Reason::Reset).await;
    assert_eq!(home.hits(), 2);
}

#[tokio::test]
async fn h2_refused_after_the_request_was_sent_may_have_been_processed() {
    let home = Peer::start(async |mut stream: TcpStream| {
        read_h2_head_in_silence(&mut stream).await?;
        stream.write_all(&SETTINGS).await?;
        finish(stream).await
    })
    .await;
    let client = http2_over(refusing(home.address.to_string()));
    expect_h2(client, &home.origin(), UNKNOWN, Reason::Reset).await;
    assert_eq!(home.connections(), 2);
}

// ---- HTTP/1.1

#[tokio::test]
async fn http1_closed_before_the_request_was_written_was_never_sent() {
    let home = Peer::start(finish).await;
    let client = http1_over(patient(home.address));
    // To hyper this is the same "incomplete message" as in the next test: only that the client names
    // no connection tells them apart.
    expect(client, &home.origin(), NEVER_SENT, Reason::Connect).await;
    assert_eq!(home.connections(), 2);
}

#[tokio::test]
async fn http1_closed_after_the_request_was_read_may_have_been_processed() {
    let home = Server::http1("home").await;
    home.set(Fault::Close).await;
    expect(http1(), &home.origin(), UNKNOWN, Reason::Reset).await;
    assert_eq!(home.hits(), 2);
}

#[tokio::test]
async fn http1_reset_after_the_request_was_read_may_have_been_processed() {
    let home = Server::http1("home").await;
    home.set(Fault::Reset).await;
    expect(http1(), &home.origin(), UNKNOWN, Reason::Reset).await;
    assert_eq!(home.hits(), 2);
}

/// When the reset meets the client while it writes, either is true to what the client knows.
#[tokio::test]
async fn http1_reset_at_accept_is_replayed_just_as_it_is_reported() {
    let home = Peer::start(async |stream: TcpStream| stream.set_zero_linger()).await;
    let other = Server::http1("other").await;
    let mut hits = 0;
    for _ in 0..50 {
        let service = layer(&home.origin(), &other).layer(http1());
        let outcome = send(service, Method::POST, &home.origin(), payload()).await;
        let failure = first(&outcome).failure();
        assert!(failure == NEVER_SENT || failure == UNKNOWN, "{outcome:?}");
        assert_eq!(outcome.is_ok(), failure == NEVER_SENT, "{outcome:?}");
        hits += usize::from(outcome.is_ok());
        assert_eq!(other.hits(), hits);
    }
}

#[tokio::test]
async fn http1_half_a_response_head_may_have_been_processed() {
    let home = Server::http1("home").await;
    home.set(Fault::HalfHead).await;
    expect(http1(), &home.origin(), UNKNOWN, Reason::Reset).await;
    assert_eq!(home.hits(), 2);
}

#[tokio::test]
async fn http1_garbage_is_a_protocol_error() {
    let home = Server::http1("home").await;
    home.set(Fault::Garbage).await;
    expect(http1(), &home.origin(), UNKNOWN, Reason::Protocol).await;
    assert_eq!(home.hits(), 2);
}

#[tokio::test]
async fn http1_reused_connection_closed_on_the_second_request_may_have_been_processed() {
    let home = Peer::start(async |mut stream: TcpStream| {
        read_head(&mut stream).await?;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .await?;
        read_head(&mut stream).await?;
        finish(stream).await
    })
    .await;
    let other = Server::http1("other").await;
    for (method, replayed) in [(Method::GET, true), (Method::POST, false)] {
        let earlier = (home.connections(), other.hits());
        let service = layer(&home.origin(), &other).layer(http1());
        let empty = || Full::new(Bytes::new());
        let outcome = send(service.clone(), method.clone(), &home.origin(), empty()).await;
        assert!(outcome.unwrap().extensions().get::<Served>().is_none());

        let outcome = send(service, method.clone(), &home.origin(), empty()).await;
        let record = first(&outcome);
        let seen = (record.failure(), record.reason());
        assert_eq!(seen, (UNKNOWN, Reason::Reset), "{CHANGED}: {outcome:?}");
        assert_eq!(outcome.is_ok(), replayed);
        let now = (home.connections(), other.hits());
        assert_eq!(now, (earlier.0 + 1, earlier.1 + usize::from(replayed)));
    }
}

// ---- HTTP/2

/// What a server sends first: SETTINGS, empty.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
const HEADERS: u8 = 1;

/// Serves HTTP/2 by hand until the request's head was read.
async fn read_h2_head(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(&SETTINGS).await?;
    read_h2_head_in_silence(stream).await
}

/// As [`read_h2_head`], but sends nothing; clients do not wait for that.
async fn read_h2_head_in_silence(stream: &mut TcpStream) -> io::Result<()> {
    stream
        .read_exact(&mut [0; b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len()])
        .await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        stream.read_exact(&mut vec![0; length as usize]).await?;
        if head[3] == HEADERS {
            return Ok(());
        }
    }
}

fn go_away(last_stream: u32, reason: h2::Reason) -> Vec<u8> {
    let mut frame = vec![0, 0, 8, 7, 0, 0, 0, 0, 0];
    frame.extend(last_stream.to_be_bytes());
    frame.extend(u32::from(reason).to_be_bytes());
    frame
}

/// A server that answers every first request of a connection with a GOAWAY.
async fn going_away(last_stream: u32, reason: h2::Reason) -> Peer {
    Peer::start(move |mut stream: TcpStream| async move {
        read_h2_head(&mut stream).await?;
        stream.write_all(&go_away(last_stream, reason)).await?;
        finish(stream).await
    })
    .await
}

#[tokio::test]
async fn h2_goaway_of_a_server_that_took_no_stream_was_never_sent() {
    for code in [
        h2::Reason::NO_ERROR,
        h2::Reason::ENHANCE_YOUR_CALM,
        h2::Reason::INTERNAL_ERROR,
        h2::Reason::PROTOCOL_ERROR,
    ] {
        let home = going_away(0, code).await;
        expect_h2(http2(), &home.origin(), NEVER_SENT, Reason::GoAway).await;
        assert_eq!(home.connections(), 2, "{code}");
    }
}

/// Nothing shows whether it was begun, and the server may have been about to accept it.
#[tokio::test]
async fn h2_request_without_a_body_is_not_repeated_after_a_goaway() {
    let other = Server::h2c("other").await;
    for code in [h2::Reason::NO_ERROR, h2::Reason::ENHANCE_YOUR_CALM] {
        let home = going_away(0, code).await;
        let service = layer(&home.origin(), &other).layer(http2());
        let empty = Full::<Bytes>::default();
        let outcome = send(service, Method::POST, &home.origin(), empty).await;
        assert_eq!(outcome.unwrap_err().stop(), Some(Stop::NotReplayable));
    }
    assert_eq!(other.hits(), 0);
}

#[tokio::test]
async fn h2_goaway_that_takes_the_stream_may_have_been_processed() {
    for reason in [h2::Reason::NO_ERROR, h2::Reason::INTERNAL_ERROR] {
        let home = going_away(1, reason).await;
        expect_h2(http2(), &home.origin(), UNKNOWN, Reason::Reset).await;
        assert_eq!(home.connections(), 2, "{reason}");
    }
}

/// A whole HTTP/2 server, and requests that are not the first on their connection.
#[tokio::test]
async fn h2_live_goaway_below_the_request_was_never_sent() {
    let (home, other) = (Server::h2c("home").await, Server::h2c("other").await);
    let (origin, client) = (home.origin(), http2());
    for method in [Method::GET, Method::POST] {
        home.set(Fault::None).await;
        let service = layer(&origin, &other).layer(client.clone());
        let outcome = send(service, Method::GET, &origin, payload()).await;
        assert_eq!(outcome.unwrap().headers()["x-region"], "home");

        home.set(Fault::GoAway).await;
        let connections = home.connections();
        expect_one(
            &other,
            client.clone(),
            &origin,
            method,
            NEVER_SENT,
            Reason::GoAway,
        )
        .await;
        assert_eq!(home.connections(), connections, "it was reused");
    }
    assert_eq!(home.hits(), 4);
}

#[tokio::test]
async fn h2_refused_stream_was_never_sent() {
    let home = Server::h2c("home").await;
    home.set(Fault::RefusedStream).await;
    expect_h2(http2(), &home.origin(), NEVER_SENT, Reason::NotProcessed).await;
    assert_eq!((home.hits(), home.connections()), (2, 1));
}

#[tokio::test]
async fn h2_stream_reset_for_another_reason_may_have_been_processed() {
    for reason in [
        h2::Reason::NO_ERROR,
        h2::Reason::INTERNAL_ERROR,
        h2::Reason::CANCEL,
        h2::Reason::HTTP_1_1_REQUIRED,
        h2::Reason::ENHANCE_YOUR_CALM,
    ] {
        let home = Server::h2c("home").await;
        home.set(Fault::ResetStream(reason.into())).await;
        expect_h2(http2(), &home.origin(), UNKNOWN, Reason::Reset).await;
        assert_eq!((home.hits(), home.connections()), (2, 1), "{reason}");
    }
}

#[tokio::test]
async fn h2_connection_closed_after_the_request_was_read_may_have_been_processed() {
    for fault in [Fault::Close, Fault::Reset] {
        let home = Server::h2c("home").await;
        home.set(fault).await;
        expect_h2(http2(), &home.origin(), UNKNOWN, Reason::Reset).await;
        assert_eq!(home.hits(), 2);
    }
}

#[tokio::test]
async fn h2_closed_before_the_request_was_written_was_never_sent() {
    let home = Peer::start(finish).await;
    let client = http2_over(patient(home.address));
    expect_h2(client, &home.origin(), NEVER_SENT, Reason::NotProcessed).await;
}

#[tokio::test]
async fn h2_answered_in_http1_is_a_protocol_error() {
    let home = Peer::start(async |mut stream: TcpStream| {
        let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await?;
        finish(stream).await
    })
    .await;
    expect_h2(http2(), &home.origin(), UNKNOWN, Reason::Protocol).await;
    assert_eq!(home.connections(), 2);
}

#[tokio::test]
async fn h2_server_that_answers_no_ping_timed_out() {
    let home = Peer::start(async |mut stream: TcpStream| {
        read_h2_head(&mut stream).await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
        Ok(())
    })
    .await;
    let client = Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .http2_only(true)
        .http2_keep_alive_interval(Duration::from_millis(20))
        .http2_keep_alive_timeout(Duration::from_millis(300))
        .build(HttpConnector::new());
    expect_h2(client, &home.origin(), UNKNOWN, Reason::Timeout).await;
    assert_eq!(home.connections(), 2);
}

// ---- What no region is to blame for

/// Half a body, then an error.
#[derive(Debug, Default)]
struct Failing {
    begun: bool,
}

impl Body for Failing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(Some(if std::mem::replace(&mut self.begun, true) {
            Err("the caller's disk is gone".into())
        } else {
            Ok(Frame::data(Bytes::from_static(PAYLOAD)))
        }))
    }
}

/// Calls a healthy home with a request at fault and checks that it goes nowhere else, and that the
/// next call goes home.
async fn expect_refusal(home: &Server, client: Http<Failing>, replays: bool, reason: Reason) {
    let other = Server::http1("other").await;
    let origin = home.origin();
    for method in [Method::PUT, Method::POST] {
        let layer = layer(&origin, &other).max_attempts(if replays { 3 } else { 1 });
        for _ in 0..3 {
            let service = layer.layer(client.clone());
            let outcome = send(service, method.clone(), &origin, Failing::default()).await;
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Request, "{CHANGED}: {error:?}");
            assert_eq!(error.stop(), None);
            let [record] = error.attempts() else {
                panic!("{error:?}");
            };
            assert_eq!((record.failure(), record.reason()), (None, reason));
            assert_eq!(record.region().origin().as_str(), origin);
        }
    }
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn http1_body_that_fails_is_the_callers_fault() {
    let home = Server::http1("home").await;
    expect_refusal(&home, http1(), true, Reason::Body).await;
}

#[tokio::test]
async fn h2_body_that_fails_is_the_callers_fault() {
    let home = Server::h2c("home").await;
    expect_refusal(&home, http2(), true, Reason::Body).await;
}

#[tokio::test]
async fn http1_body_that_fails_is_the_callers_fault_where_there_is_no_replay() {
    let home = Server::http1("home").await;
    expect_refusal(&home, http1(), false, Reason::Body).await;
}

/// For layers between this one and the client that hand the body on as one of their own.
#[tokio::test]
async fn a_body_that_fails_is_known_by_the_clients_error_too() {
    let (h1, h2) = (Server::http1("h1").await, Server::h2c("h2").await);
    for (client, origin) in [(http1(), h1.origin()), (http2(), h2.origin())] {
        let other = Regions::fixed(["http://other.invalid"]).unwrap();
        let service = FailoverLayer::new(other).layer(client);
        let outcome = send(service, Method::PUT, &origin, Failing::default()).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfScope);
        let outcome = classify::Outcome::Error(std::error::Error::source(&error).unwrap());
        let verdict = classify::Http.classify(outcome);
        assert_eq!(verdict, Verdict::Final, "{CHANGED}: {error:?}");
    }
}

/// How many of four calls one after the other went home first, all of which fail there.
async fn calls_at_home<C: Connector>(client: Http<Full<Bytes>, C>, home: &str) -> usize {
    let other = Server::h2c("other").await;
    let service = layer(home, &other).layer(client);
    let mut at_home = 0;
    for _ in 0..4 {
        let outcome = send(service.clone(), Method::POST, home, payload()).await;
        at_home += usize::from(first(&outcome).region().origin().as_str() == home);
        assert_eq!(outcome.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(other.hits(), 4);
    at_home
}

#[tokio::test]
async fn h2_requests_that_were_not_processed_blame_nobody() {
    let home = Server::h2c("home").await;
    home.set(Fault::RefusedStream).await;
    assert_eq!(calls_at_home(http2(), &home.origin()).await, 4);
    for code in [h2::Reason::NO_ERROR, h2::Reason::ENHANCE_YOUR_CALM] {
        let home = going_away(0, code).await;
        assert_eq!(calls_at_home(http2(), &home.origin()).await, 4, "{code}");
    }
}

#[tokio::test]
async fn h2_connections_that_close_before_the_request_was_written_count() {
    let home = Peer::start(finish).await;
    let client = http2_over(patient(home.address));
    assert_eq!(calls_at_home(client, &home.origin()).await, 2);
}

#[tokio::test]
async fn a_request_that_the_client_cannot_send_goes_nowhere_else() {
    let (home, other) = (Server::http1("home").await, Server::http1("other").await);
    let layer = layer(&home.origin(), &other);
    // HTTP/3 no client of hyper's speaks, HTTP/2 not this connection.
    for version in [Version::HTTP_3, Version::HTTP_09, Version::HTTP_2] {
        for method in [Method::GET, Method::POST] {
            let request = Request::builder()
                .method(method)
                .version(version)
                .uri(home.origin())
                .body(payload());
            let service = layer.layer(http1());
            let error = within(service.oneshot(request.unwrap())).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Request, "{CHANGED}: {error:?}");
            let record = &error.attempts()[0];
            assert_eq!((record.failure(), record.reason()), (None, Reason::Request));
            assert_eq!(error.attempts().len(), 1);
        }
    }
    assert_eq!((home.hits(), other.connections()), (0, 0));
    // Nor was anybody blamed.
    let outcome = send(layer.layer(http1()), Method::GET, &home.origin(), payload()).await;
    assert_eq!(outcome.unwrap().headers()["x-region"], "home");
}
