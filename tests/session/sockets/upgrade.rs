//! A session over HTTP/1.1, upgraded, as WebSockets are: a client's stack that others wrote, whose
//! connector and whose sessions fail each in its own way.

use std::{
    convert::Infallible,
    error::Error,
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{CONNECTION, RETRY_AFTER, UPGRADE},
};
use http_body_util::Empty;
use hyper::{body::Incoming, service::service_fn, upgrade};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{Duration, Instant, timeout},
};
use tower_failover::{
    BoxError, Regions,
    session::{Attempt, Directive, ErrorKind, Link, Outcome, Session, Supervisor, session_fn},
};

use super::{MS, PATIENCE, fast, until};

/// Upgrades every request, unless it is to answer them with that status.
struct Server {
    origin: String,
    status: Arc<watch::Sender<StatusCode>>,
    requests: Arc<AtomicUsize>,
    /// Counts the sessions that are to be cut.
    cut: watch::Sender<usize>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            origin: format!("http://{}", listener.local_addr().unwrap()),
            status: Arc::new(watch::Sender::new(StatusCode::SWITCHING_PROTOCOLS)),
            requests: Arc::default(),
            cut: watch::Sender::default(),
        };
        let (status, requests) = (server.status.clone(), server.requests.clone());
        let cut = server.cut.subscribe();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (status, requests) = (status.clone(), requests.clone());
                let cut = cut.clone();
                let service = service_fn(move |request| {
                    requests.fetch_add(1, SeqCst);
                    let answer = answer(request, *status.borrow(), cut.clone());
                    async move { Ok::<_, Infallible>(answer) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                let connection = http.serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection.with_upgrades());
            }
        });
        server
    }

    fn requests(&self) -> usize {
        self.requests.load(SeqCst)
    }
}

fn answer(
    request: Request<Incoming>,
    status: StatusCode,
    mut cut: watch::Receiver<usize>,
) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if status != StatusCode::SWITCHING_PROTOCOLS {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        return response;
    }
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("lines"));
    cut.mark_unchanged();
    tokio::spawn(async move {
        let Ok(stream) = upgrade::on(request).await else {
            return;
        };
        let mut stream = TokioIo::new(stream);
        if stream.write_all(b"hello").await.is_ok() {
            let _ = cut.changed().await;
        }
    });
    response
}

/// A status other than the one that was asked for, and after which time to come back.
#[derive(Debug)]
struct Refused(StatusCode, Option<Duration>);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Refused {}

async fn connect(
    attempt: Attempt,
) -> Result<impl Session<Resume = (), Exit = io::Result<()>, Client = ()>, BoxError> {
    let at = attempt.region.origin();
    let stream = TcpStream::connect((at.host(), at.port())).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    let request = Request::get("/session")
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, "lines")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = sender.send_request(request).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let wait = response.headers().get(RETRY_AFTER);
        let seconds = wait.and_then(|wait| wait.to_str().ok()?.parse().ok());
        let wait = seconds.map(Duration::from_secs);
        return Err(Refused(response.status(), wait).into());
    }
    let mut stream = TokioIo::new(upgrade::on(response).await?);
    Ok(session_fn((), |mut link: Link| async move {
        let mut bytes = [0; 64];
        loop {
            tokio::select! {
                read = stream.read(&mut bytes) => if read? == 0 {
                    return Ok(());
                },
                _ = link.closing() => return stream.shutdown().await,
            }
        }
    }))
}

fn classify(outcome: Outcome<'_, BoxError, io::Result<()>>) -> Directive {
    let refused = match outcome {
        Outcome::ConnectFailed(error) => error.downcast_ref(),
        _ => None,
    };
    match refused {
        Some(Refused(StatusCode::UNAUTHORIZED, _)) => Directive::fail(),
        Some(Refused(_, wait)) => Directive::retry().after(*wait),
        None => Directive::resume(),
    }
}

#[tokio::test]
async fn an_upgraded_connection_is_a_session_like_any() {
    let server = Server::start().await;
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    server.status.send_replace(unavailable);
    let supervisor = Supervisor::new(
        Regions::fixed([&server.origin]).unwrap(),
        tower::service_fn(connect),
    );
    let handle = supervisor
        .classifier(classify)
        .settings(fast(Default::default()))
        .start()
        .unwrap();

    // Retry-After holds, and the time it takes is no busy one.
    let status = until(&handle, |status| status.next_at.is_some()).await;
    let asked = status.next_at.unwrap() - status.since;
    assert!((990 * MS..=1250 * MS).contains(&asked), "{asked:?}");
    server.status.send_replace(StatusCode::SWITCHING_PROTOCOLS);
    until(&handle, |status| status.epoch == 1 && status.attempt == 0).await;
    assert!(Instant::now() >= status.next_at.unwrap());
    assert_eq!(server.requests(), 2);

    server.cut.send_modify(|cut| *cut += 1);
    until(&handle, |status| status.epoch == 2).await;
    assert_eq!(server.requests(), 3);

    // M07: at the next connection, for good.
    server.status.send_replace(StatusCode::UNAUTHORIZED);
    server.cut.send_modify(|cut| *cut += 1);
    let error = timeout(PATIENCE, handle.closed()).await.unwrap();
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    let refused: &Refused = error.cause().unwrap().downcast_ref().unwrap();
    assert_eq!(refused.0, StatusCode::UNAUTHORIZED);
    assert_eq!(server.requests(), 4);
}
