mod answers;
mod leases;
mod streams;

use bytes::Bytes;
use failover_cluster::{Server, WatchServer};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::support::connect;

/// Sends a request on a connection of its own, which lasts as long as its answer.
async fn send(region: &Server, request: Request<Full<Bytes>>) -> Response<Incoming> {
    let io = TokioIo::new(connect(region).await);
    let (mut client, connection) = http1::handshake(io).await.expect("an HTTP/1.1 region");
    tokio::spawn(connection);
    client.send_request(request).await.expect("an answer")
}

async fn send_h2(region: &Server, request: Request<Full<Bytes>>) -> Response<Incoming> {
    let io = TokioIo::new(connect(region).await);
    let handshake = http2::handshake(TokioExecutor::new(), io).await;
    let (mut client, connection) = handshake.expect("an HTTP/2 region");
    tokio::spawn(connection);
    client.send_request(request).await.expect("an answer")
}

fn get(server: &WatchServer, query: &str) -> Request<Full<Bytes>> {
    Request::get(format!("{}{}{query}", server.origin(), WatchServer::WATCH))
        .header("accept", "text/event-stream")
        .body(Full::default())
        .expect("a valid request")
}

/// Sends a heartbeat and tells its status.
async fn beat(server: &WatchServer, lease: &str) -> u16 {
    let uri = format!("{}{}", server.origin(), WatchServer::HEARTBEAT);
    let body = format!(r#"{{"watchLeaseId":"{lease}"}}"#);
    let request = Request::post(uri).body(Full::from(body));
    let request = request.expect("a valid request");
    send(server.region(), request).await.status().as_u16()
}

/// A stream of events, read as text.
struct Watch {
    body: Incoming,
    text: String,
    frames: usize,
}

impl Watch {
    async fn open(server: &WatchServer, query: &str) -> Watch {
        Watch::new(send(server.region(), get(server, query)).await)
    }

    fn new(answer: Response<Incoming>) -> Watch {
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Watch {
            body: answer.into_body(),
            text: String::new(),
            frames: 0,
        }
    }

    /// Reads on: whether the stream goes on, or how it broke off.
    async fn read(&mut self) -> hyper::Result<bool> {
        let Some(frame) = self.body.frame().await.transpose()? else {
            return Ok(false);
        };
        let data = frame.into_data().expect("no trailers");
        let text = std::str::from_utf8(&data).expect("text");
        self.text.push_str(text);
        self.frames += 1;
        Ok(true)
    }

    /// Reads until that is the end of what came.
    async fn read_until(&mut self, end: &str) {
        while !self.text.ends_with(end) {
            let more = self.read().await.expect("a whole stream");
            assert!(more, "the stream ended: {:?}", self.text);
        }
    }

    /// Reads to the clean end.
    async fn read_to_end(&mut self) {
        while self.read().await.expect("a clean end") {}
    }

    /// Reads until the stream breaks off.
    async fn read_to_error(&mut self) -> hyper::Error {
        loop {
            match self.read().await {
                Ok(more) => assert!(more, "the stream ended: {:?}", self.text),
                Err(error) => return error,
            }
        }
    }
}

/// The default hello, at an interval of 1 second.
fn hello(lease: &str) -> String {
    let json = serde_json::json!({
        "watchLeaseId": lease,
        "deviceWaitForViewerMs": 45_000,
        "heartbeatIntervalMs": 1000,
    });
    format!("event: hello\ndata: {json}\n\n")
}
