use std::future::poll_fn;
use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use failover_cluster::{Fault, Server};
use h2::Reason;
use http::{HeaderMap, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{H2, connect, h2_connect, h2_get, h2_text, post, within};

/// A region with the fault, and a connection to it that was answered once before.
async fn faulty(fault: Fault) -> (Server, H2) {
    let server = Server::h2c("eu").await;
    let client = h2_connect(&server).await;
    assert_eq!(
        h2_get(&client, &server).await.expect("an answer").status(),
        200
    );
    server.set(fault).await;
    (server, client)
}

/// Opens an upload and sends its first bytes.
async fn upload(
    client: &H2,
    server: &Server,
    data: &'static [u8],
) -> (h2::client::ResponseFuture, h2::SendStream<Bytes>) {
    let mut client = client.clone().ready().await.expect("a live connection");
    let (response, mut body) = client
        .send_request(post(server), false)
        .expect("a live connection");
    // The fault may have ended the stream already.
    let _ = body.send_data(Bytes::from_static(data), false);
    (response, body)
}

/// Whether nothing resets the stream for a while.
async fn stays_open(body: &mut h2::SendStream<Bytes>) -> bool {
    let reset = poll_fn(|cx| body.poll_reset(cx));
    tokio::time::timeout(Duration::from_millis(100), reset)
        .await
        .is_err()
}

#[tokio::test]
async fn a_healthy_region_answers_and_records() {
    within(async {
        let server = Server::h2c("eu").await;
        let client = h2_connect(&server).await;
        let (response, mut body) = upload(&client, &server, b"abc").await;
        let mut trailers = HeaderMap::new();
        trailers.insert("x-t", "end".parse().unwrap());
        body.send_trailers(trailers).unwrap();
        let response = response.await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.version()),
            (200, Version::HTTP_2)
        );
        assert_eq!(response.headers()["x-region"], "eu");
        assert_eq!(response.headers()["x-body-len"], "3");
        assert_eq!(h2_text(response).await, "eu\n");

        let recorded = &server.requests()[0];
        assert_eq!(recorded.version, Version::HTTP_2);
        assert_eq!(
            recorded.uri.to_string(),
            format!("{}/upload", server.origin())
        );
        assert_eq!(recorded.body, "abc");
        assert_eq!(recorded.trailers.as_ref().unwrap()["x-t"], "end");
        assert!(recorded.complete);
        assert_eq!(
            (server.hits(), server.connections(), server.open_uploads()),
            (1, 1, 0)
        );
    })
    .await;
}

#[tokio::test]
async fn status_is_answered_and_the_connection_kept() {
    within(async {
        let (server, client) = faulty(Fault::Status(503)).await;
        let response = h2_get(&client, &server).await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(h2_text(response).await, "eu 503\n");
        server.set(Fault::None).await;
        assert_eq!(h2_get(&client, &server).await.unwrap().status(), 200);
        assert_eq!(server.connections(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn early_status_ends_the_answer_and_leaves_the_upload_open() {
    within(async {
        let (server, client) = faulty(Fault::EarlyStatus(503)).await;
        let (response, mut body) = upload(&client, &server, b"ab").await;
        let response = response.await.unwrap();
        assert_eq!(response.status(), 503);
        assert!(response.body().is_end_stream());
        assert!(stays_open(&mut body).await);
        assert_eq!(server.open_uploads(), 1);

        // Also after the answer is dropped.
        drop(response);
        assert!(stays_open(&mut body).await);
        body.send_data(Bytes::from_static(b"cd"), true).unwrap();
        server.wait_no_open_uploads().await;
        assert_eq!(server.requests()[1].body, "abcd");
        assert!(server.requests()[1].complete);
    })
    .await;
}

#[tokio::test]
async fn an_early_answered_upload_ends_when_the_client_resets_it() {
    within(async {
        let (server, client) = faulty(Fault::EarlyStatus(503)).await;
        let (response, mut body) = upload(&client, &server, b"ab").await;
        assert_eq!(response.await.unwrap().status(), 503);
        assert_eq!(server.open_uploads(), 1);
        body.send_reset(Reason::CANCEL);
        server.wait_no_open_uploads().await;
        assert!(!server.requests()[1].complete);
        server.set(Fault::None).await;
        assert_eq!(h2_get(&client, &server).await.unwrap().status(), 200);
        assert_eq!(server.connections(), 1);
    })
    .await;
}

#[tokio::test]
async fn status_after_waits_for_its_bytes() {
    within(async {
        let (server, client) = faulty(Fault::StatusAfter(3, 500)).await;
        let (mut response, mut body) = upload(&client, &server, b"ab").await;
        server.wait_hits(2).await;
        assert!(
            tokio::time::timeout(Duration::from_millis(50), &mut response)
                .await
                .is_err()
        );
        body.send_data(Bytes::from_static(b"cd"), false).unwrap();
        assert_eq!(response.await.unwrap().status(), 500);
        assert!(stays_open(&mut body).await);
        assert_eq!(server.open_uploads(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_black_hole_reads_and_is_silent() {
    within(async {
        let (server, client) = faulty(Fault::BlackHole).await;
        let (mut response, mut body) = upload(&client, &server, b"ab").await;
        body.send_data(Bytes::new(), true).unwrap();
        server.wait_hits(2).await;
        server.wait_no_open_uploads().await;
        assert!(
            tokio::time::timeout(Duration::from_millis(50), &mut response)
                .await
                .is_err()
        );
        // Only that request: the next one, on the same connection, meets what was set since.
        server.set(Fault::None).await;
        assert_eq!(h2_get(&client, &server).await.unwrap().status(), 200);
    })
    .await;
}

#[tokio::test]
async fn a_forgotten_black_hole_ends_its_upload() {
    within(async {
        let (server, client) = faulty(Fault::BlackHole).await;
        let (response, body) = upload(&client, &server, b"ab").await;
        server.wait_hits(2).await;
        assert_eq!(server.open_uploads(), 1);
        drop((response, body));
        server.wait_no_open_uploads().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn close_ends_the_connection_without_reset_or_goaway() {
    within(async {
        let (server, client) = faulty(Fault::Close).await;
        let (response, _body) = upload(&client, &server, b"ab").await;
        let error = response.await.unwrap_err();
        // h2 tells a FIN before the answer as a broken pipe.
        assert_eq!(
            error.get_io().map(std::io::Error::kind),
            Some(ErrorKind::BrokenPipe),
            "{error:?}"
        );
        assert_eq!((server.hits(), server.open_uploads()), (2, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reset_resets_the_connection() {
    within(async {
        let (server, client) = faulty(Fault::Reset).await;
        let error = h2_get(&client, &server).await.unwrap_err();
        assert_eq!(
            error.get_io().map(std::io::Error::kind),
            Some(ErrorKind::ConnectionReset),
            "{error:?}"
        );
        assert_eq!(server.hits(), 2);
    })
    .await;
}

#[tokio::test]
async fn cut_body_resets_the_stream_after_some_data() {
    within(async {
        let (server, client) = faulty(Fault::CutBody).await;
        let response = h2_get(&client, &server)
            .await
            .expect("the head comes before the reset");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-length"], "100");
        let mut body = response.into_body();
        let error = loop {
            match body.data().await.expect("no clean end") {
                Ok(data) => assert_eq!(data, "0123456789"),
                Err(error) => break error,
            }
        };
        assert!(error.is_reset() && error.is_remote(), "{error:?}");
        assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
        server.set(Fault::None).await;
        assert_eq!(h2_get(&client, &server).await.unwrap().status(), 200);
        assert_eq!(server.connections(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_bodies_have_their_heads_also_when_many_are_cut_at_once() {
    within(async {
        let (server, client) = faulty(Fault::CutBody).await;
        let mut calls = tokio::task::JoinSet::new();
        let server = std::sync::Arc::new(server);
        for _ in 0..100 {
            let (server, client) = (server.clone(), client.clone());
            calls.spawn(async move {
                h2_get(&client, &server)
                    .await
                    .map(|response| response.status())
            });
        }
        for answer in calls.join_all().await {
            assert_eq!(answer.expect("the head comes before the reset"), 200);
        }
        assert_eq!((server.hits(), server.connections()), (101, 1));
    })
    .await;
}

#[tokio::test]
async fn go_away_denies_the_first_request_of_a_connection() {
    within(async {
        let server = Server::h2c("eu").await;
        server.set(Fault::GoAway).await;
        let client = h2_connect(&server).await;
        let error = h2_get(&client, &server).await.unwrap_err();
        assert!(error.is_go_away() && error.is_remote(), "{error:?}");
        assert_eq!(error.reason(), Some(Reason::NO_ERROR));
        assert_eq!(server.hits(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_away_denies_a_later_request_and_its_upload() {
    within(async {
        let (server, client) = faulty(Fault::GoAway).await;
        let (response, _body) = upload(&client, &server, b"ab").await;
        let error = response.await.unwrap_err();
        assert!(error.is_go_away() && error.is_remote(), "{error:?}");
        assert_eq!((server.hits(), server.open_uploads()), (2, 0));
    })
    .await;
}

/// Reads the frames themselves: each as (type, stream, payload), up to the FIN.
#[tokio::test]
async fn go_away_names_the_last_stream_below_the_request() {
    within(async {
        let server = Server::h2c("eu").await;
        server.set(Fault::GoAway).await;
        let mut stream = connect(&server).await;
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        stream
            .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])
            .await
            .unwrap();
        // HEADERS with END_STREAM and END_HEADERS on stream 1: GET, http, /, and the authority "eu".
        stream
            .write_all(&[
                0, 0, 7, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x01, 2, b'e', b'u',
            ])
            .await
            .unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("FIN, not RST");
        let mut frames = Vec::new();
        let mut rest = bytes.as_slice();
        while let [a, b, c, kind, _flags, s1, s2, s3, s4, tail @ ..] = rest {
            let (payload, next) = tail.split_at(u32::from_be_bytes([0, *a, *b, *c]) as usize);
            frames.push((*kind, u32::from_be_bytes([*s1, *s2, *s3, *s4]), payload));
            rest = next;
        }
        assert_eq!(
            frames.last(),
            Some(&(7, 0, [0; 8].as_slice())),
            "{frames:?}"
        );
        assert!(
            frames.iter().all(|(_, stream, _)| *stream == 0),
            "{frames:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_stream_and_other_resets_keep_the_connection() {
    within(async {
        let (server, client) = faulty(Fault::RefusedStream).await;
        let error = h2_get(&client, &server).await.unwrap_err();
        assert!(error.is_reset() && error.is_remote(), "{error:?}");
        assert_eq!(error.reason(), Some(Reason::REFUSED_STREAM));
        for code in [0, 2, 8, 13, 99] {
            server.set(Fault::ResetStream(code)).await;
            let (response, _body) = upload(&client, &server, b"ab").await;
            let error = response.await.unwrap_err();
            assert!(error.is_reset() && error.is_remote(), "{error:?}");
            assert_eq!(error.reason(), Some(Reason::from(code)));
        }
        server.set(Fault::None).await;
        assert_eq!(h2_get(&client, &server).await.unwrap().status(), 200);
        assert_eq!(
            (server.hits(), server.connections(), server.open_uploads()),
            (8, 1, 0)
        );
    })
    .await;
}
