use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use failover_cluster::Server;
use http::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bounds a test. Nothing in here takes a tenth of it.
pub(crate) async fn within<F: Future>(test: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), test)
        .await
        .expect("the test ended in time")
}

pub(crate) async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.authority())
        .await
        .expect("the region accepts")
}

pub(crate) const GET: &[u8] = b"GET /path?q=1 HTTP/1.1\r\nhost: region\r\n\r\n";

/// Sends a request without a body and reads until the answer's head and `content-length` bytes are there.
pub(crate) async fn get(stream: &mut TcpStream) -> String {
    stream.write_all(GET).await.expect("the region reads");
    read_answer(stream).await
}

pub(crate) async fn get_at(stream: &mut TcpStream, path: &str) -> String {
    send(stream, "GET", path, &[], "").await
}

/// Sends a request and reads its answer.
pub(crate) async fn send(
    stream: &mut TcpStream,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> String {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: region\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    let sent = stream.write_all(request.as_bytes()).await;
    sent.expect("the region reads");
    read_answer(stream).await
}

pub(crate) async fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    loop {
        if let Some((head, body)) = answer.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len()
                >= length
                    .expect("a length")
                    .parse::<usize>()
                    .expect("a number")
            {
                return answer;
            }
        }
        let mut bytes = [0; 1024];
        let read = stream.read(&mut bytes).await.expect("the region answers");
        assert_ne!(read, 0, "the answer ended early: {answer:?}");
        answer.push_str(std::str::from_utf8(&bytes[..read]).expect("text"));
    }
}

/// Everything up to the FIN.
pub(crate) async fn read_to_fin(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("FIN, not RST");
    bytes
}

pub(crate) type H2 = h2::client::SendRequest<Bytes>;

/// A client over one HTTP/2 connection. The task ends with the connection.
pub(crate) async fn h2_connect(server: &Server) -> H2 {
    let (client, connection) = h2::client::handshake(connect(server).await)
        .await
        .expect("an HTTP/2 region");
    tokio::spawn(async move {
        let _ = connection.await;
    });
    client
}

pub(crate) fn post(server: &Server) -> Request<()> {
    Request::post(format!("{}/upload", server.origin()))
        .body(())
        .expect("a valid request")
}

pub(crate) async fn h2_get(
    client: &H2,
    server: &Server,
) -> Result<Response<h2::RecvStream>, h2::Error> {
    let mut client = client.clone().ready().await?;
    let request = Request::get(format!("{}/path?q=1", server.origin()))
        .body(())
        .expect("a valid request");
    let (response, _) = client.send_request(request, true)?;
    response.await
}

pub(crate) async fn h2_text(response: Response<h2::RecvStream>) -> String {
    let mut body = response.into_body();
    let mut text = Vec::new();
    while let Some(data) = body.data().await {
        text.extend_from_slice(&data.expect("a whole body"));
    }
    String::from_utf8(text).expect("text")
}
