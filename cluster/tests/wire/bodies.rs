//! The faults that say what the answer holds, and for how long.

use std::time::Duration;

use bytes::Bytes;
use failover_cluster::{Fault, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{GET, connect, get, h2_connect, h2_get, h2_text, read_answer, within};

fn plain() -> Vec<(&'static str, String)> {
    vec![("Content-Type", "text/plain".to_owned())]
}

/// Reads until at least that many bytes have come.
async fn read_some(stream: &mut TcpStream, bytes: usize) -> String {
    let mut answer = Vec::new();
    while answer.len() < bytes {
        assert_ne!(
            stream
                .read_buf(&mut answer)
                .await
                .expect("the region sends"),
            0,
            "ended early"
        );
    }
    String::from_utf8(answer).expect("text")
}

async fn is_quiet(stream: &mut TcpStream) -> bool {
    tokio::time::timeout(Duration::from_millis(50), stream.read(&mut [0; 1]))
        .await
        .is_err()
}

#[tokio::test]
async fn answer_is_exactly_what_was_asked_for_after_the_body() {
    within(async {
        let server = Server::http1("eu").await;
        let fault = Fault::Answer(299, plain(), Bytes::from_static(b"hello"));
        server.set(fault).await;
        let mut stream = connect(&server).await;
        stream
            .write_all(b"POST / HTTP/1.1\r\nhost: eu\r\ncontent-length: 4\r\n\r\nab")
            .await
            .unwrap();
        server.wait_hits(1).await;
        assert!(is_quiet(&mut stream).await);
        stream.write_all(b"cd").await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 299 "), "{answer}");
        assert!(
            answer.contains("\r\ncontent-type: text/plain\r\n"),
            "{answer}"
        );
        assert!(answer.contains("\r\nx-region: eu\r\n"), "{answer}");
        assert!(!answer.contains("x-body-len"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
        assert_eq!(server.requests()[0].body, "abcd");

        // The connection is kept, and an empty body is one.
        server
            .set(Fault::Answer(500, Vec::new(), Bytes::new()))
            .await;
        assert!(get(&mut stream).await.ends_with("\r\n\r\n"));
        assert_eq!(server.connections(), 1);
    })
    .await;
}

#[tokio::test]
async fn answer_is_exactly_what_was_asked_for_over_h2() {
    within(async {
        let server = Server::h2c("eu").await;
        let fault = Fault::Answer(299, plain(), Bytes::from_static(b"hello"));
        server.set(fault).await;
        let response = h2_get(&h2_connect(&server).await, &server).await.unwrap();
        assert_eq!(response.status(), 299);
        assert_eq!(response.headers()["content-type"], "text/plain");
        assert_eq!(response.headers()["x-region"], "eu");
        assert_eq!(h2_text(response).await, "hello");
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "is up to the server")]
async fn an_answer_with_its_own_length_is_a_mistake() {
    let length = vec![("content-length", "9".to_owned())];
    let server = Server::http1("eu").await;
    server.set(Fault::Answer(200, length, Bytes::new())).await;
}

#[tokio::test]
async fn endless_sends_spaces_and_no_end() {
    within(async {
        let server = Server::http1("eu").await;
        server.set(Fault::Endless(200, plain())).await;
        let mut stream = connect(&server).await;
        stream.write_all(GET).await.unwrap();
        // Far beyond what the sockets' buffers could hold by themselves.
        let answer = read_some(&mut stream, 32 << 20).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("\r\ncontent-type: text/plain\r\n"), "{head}");
        assert!(head.contains("\r\nx-region: eu\r\n"), "{head}");
        assert!(!head.contains("content-length"), "{head}");
        assert!(head.contains("\r\ntransfer-encoding: chunked"), "{head}");
        let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
        assert!(body.starts_with(&chunk.repeat(3)));

        // Others are served meanwhile.
        server.set(Fault::None).await;
        assert!(
            get(&mut connect(&server).await)
                .await
                .starts_with("HTTP/1.1 200")
        );
        assert_eq!(server.hits(), 2);
    })
    .await;
}

#[tokio::test]
async fn endless_is_as_long_over_h2() {
    within(async {
        let server = Server::h2c("eu").await;
        server.set(Fault::Endless(404, plain())).await;
        let client = h2_connect(&server).await;
        let response = h2_get(&client, &server).await.unwrap();
        assert_eq!(response.status(), 404);
        assert!(!response.headers().contains_key("content-length"));
        let mut body = response.into_body();
        let mut taken = 0;
        while taken < 4 << 20 {
            let data = body.data().await.expect("no end").unwrap();
            assert!(data.iter().all(|byte| *byte == b' '));
            taken += data.len();
            body.flow_control().release_capacity(data.len()).unwrap();
        }
        drop(body);
        server.set(Fault::None).await;
        assert_eq!(h2_get(&client, &server).await.unwrap().status(), 200);
        assert_eq!(server.connections(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_dropped_server_ends_what_is_endless() {
    within(async {
        for fault in [
            Fault::Endless(200, Vec::new()),
            Fault::Stall(200, Vec::new(), Bytes::new()),
        ] {
            let server = Server::http1("eu").await;
            server.set(fault).await;
            let mut stream = connect(&server).await;
            stream.write_all(GET).await.unwrap();
            read_some(&mut stream, 10).await;
            drop(server);
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn stall_sends_its_bytes_and_no_end() {
    within(async {
        let server = Server::http1("eu").await;
        server
            .set(Fault::Stall(200, plain(), Bytes::from_static(b"{\"a")))
            .await;
        let mut stream = connect(&server).await;
        stream.write_all(GET).await.unwrap();
        let mut answer = String::new();
        while !answer.ends_with("\r\n\r\n3\r\n{\"a\r\n") {
            answer.push_str(&read_some(&mut stream, 1).await);
        }
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(
            answer.contains("\r\ncontent-type: text/plain\r\n"),
            "{answer}"
        );
        assert!(!answer.contains("content-length"), "{answer}");
        assert!(is_quiet(&mut stream).await);
    })
    .await;
}

#[tokio::test]
async fn stall_without_bytes_sends_the_head() {
    within(async {
        let server = Server::http1("eu").await;
        server
            .set(Fault::Stall(503, Vec::new(), Bytes::new()))
            .await;
        let mut stream = connect(&server).await;
        stream.write_all(GET).await.unwrap();
        let mut answer = String::new();
        while !answer.ends_with("\r\n\r\n") {
            answer.push_str(&read_some(&mut stream, 1).await);
        }
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(is_quiet(&mut stream).await);
    })
    .await;
}

#[tokio::test]
async fn stall_keeps_its_stream_open_over_h2() {
    within(async {
        let server = Server::h2c("eu").await;
        server
            .set(Fault::Stall(200, plain(), Bytes::from_static(b"ab")))
            .await;
        let client = h2_connect(&server).await;
        let response = h2_get(&client, &server).await.unwrap();
        assert!(!response.headers().contains_key("content-length"));
        let mut body = response.into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "ab");
        let more = tokio::time::timeout(Duration::from_millis(50), body.data()).await;
        assert!(more.is_err(), "{more:?}");
        // Only that stream stalls.
        server.set(Fault::None).await;
        assert_eq!(h2_get(&client, &server).await.unwrap().status(), 200);
    })
    .await;
}

#[tokio::test]
async fn nth_is_met_by_one_request_since_it_was_set() {
    within(async {
        let server = Server::http1("eu").await;
        let mut stream = connect(&server).await;
        get(&mut stream).await;
        for _ in 0..2 {
            server
                .set(Fault::Nth(2, Box::new(Fault::Status(503))))
                .await;
            for status in ["200", "503", "200", "200"] {
                let answer = get(&mut stream).await;
                assert!(
                    answer.starts_with(&format!("HTTP/1.1 {status}")),
                    "{answer}"
                );
            }
        }
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "region eu: requests are counted from 1")]
async fn a_request_before_the_first_is_a_mistake() {
    let server = Server::http1("eu").await;
    server.set(Fault::Nth(0, Box::new(Fault::Close))).await;
}
