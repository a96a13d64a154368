use std::io::ErrorKind;
use std::time::Duration;

use failover_cluster::{Fault, Server};
use http::{Method, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::support::{GET, connect, get, read_answer, read_to_fin, within};

/// A region with the fault, and a kept-alive connection to it that was answered once before.
async fn faulty(fault: Fault) -> (Server, TcpStream) {
    let server = Server::http1("eu").await;
    let mut stream = connect(&server).await;
    assert!(get(&mut stream).await.starts_with("HTTP/1.1 200"));
    server.set(fault).await;
    (server, stream)
}

#[tokio::test]
async fn a_healthy_region_answers_and_records() {
    within(async {
        let server = Server::http1("eu").await;
        assert_eq!(server.origin(), format!("http://{}", server.authority()));
        let mut stream = connect(&server).await;
        let request = "POST /path?q=1 HTTP/1.1\r\nhost: h\r\nx-a: b\r\ntransfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n\
                       3\r\nabc\r\n2\r\nde\r\n0\r\nx-t: end\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\r\nx-region: eu\r\n"), "{answer}");
        assert!(answer.contains("\r\nx-body-len: 5\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\neu\n"), "{answer}");

        let recorded = &server.requests()[0];
        assert_eq!((&recorded.method, recorded.version), (&Method::POST, Version::HTTP_11));
        assert_eq!(recorded.uri, "/path?q=1");
        assert_eq!(recorded.headers["x-a"], "b");
        assert_eq!(recorded.body, "abcde");
        assert_eq!(recorded.trailers.as_ref().unwrap()["x-t"], "end");
        assert!(recorded.complete);
        assert_eq!((server.hits(), server.connections(), server.open_uploads()), (1, 1, 0));
    })
    .await;
}

#[tokio::test]
async fn a_head_request_is_answered_without_a_body_and_the_connection_kept() {
    within(async {
        for (fault, status) in [
            (Fault::None, "200"),
            (Fault::Delay(Duration::from_millis(1)), "200"),
            (Fault::Status(503), "503"),
        ] {
            let (server, mut stream) = faulty(fault).await;
            let request = "HEAD / HTTP/1.1\r\nhost: eu\r\n\r\n".repeat(2);
            stream.write_all(request.as_bytes()).await.unwrap();
            // A body of the first answer would stand between the two.
            let mut answers = String::new();
            while answers.matches("\r\n\r\n").count() < 2 {
                let mut bytes = [0; 1024];
                let read = stream.read(&mut bytes).await.unwrap();
                assert_ne!(read, 0, "{answers}");
                answers.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
            }
            let (first, second) = answers.split_once("\r\n\r\n").unwrap();
            let begin = format!("HTTP/1.1 {status} ");
            assert!(first.starts_with(&begin), "{answers}");
            assert!(second.starts_with(&begin), "{answers}");
            assert!(second.ends_with("\r\n\r\n"), "{answers}");
            assert_eq!(server.requests()[1].method, Method::HEAD);
            assert_eq!((server.hits(), server.connections()), (3, 1));
        }
    })
    .await;
}

#[tokio::test]
async fn a_late_fault_is_acted_out_after_its_wait() {
    within(async {
        let wait = Duration::from_millis(50);
        let late = Fault::Late(wait, Box::new(Fault::Status(503)));
        let (server, mut stream) = faulty(late).await;
        let start = Instant::now();
        assert!(get(&mut stream).await.starts_with("HTTP/1.1 503"));
        assert!(start.elapsed() >= wait);
        assert_eq!((server.hits(), server.connections()), (2, 1));
    })
    .await;
}

#[tokio::test]
async fn a_request_without_body_is_complete_and_no_upload() {
    within(async {
        let (server, mut stream) = faulty(Fault::BlackHole).await;
        stream.write_all(GET).await.unwrap();
        server.wait_hits(2).await;
        assert_eq!(server.open_uploads(), 0);
        assert!(server.requests()[1].complete);
    })
    .await;
}

#[tokio::test]
async fn status_is_answered_after_the_body_and_the_connection_kept() {
    within(async {
        let headers = vec![("Retry-After", "7".to_owned())];
        let (server, mut stream) = faulty(Fault::StatusWith(503, headers)).await;
        stream
            .write_all(b"POST / HTTP/1.1\r\nhost: eu\r\ncontent-length: 4\r\n\r\nab")
            .await
            .unwrap();
        server.wait_hits(2).await;
        assert_eq!(server.open_uploads(), 1);
        assert!(!server.requests()[1].complete);
        stream.write_all(b"cd").await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("\r\nretry-after: 7\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\neu 503\n"), "{answer}");
        assert_eq!(server.requests()[1].body, "abcd");
        assert_eq!(server.open_uploads(), 0);

        server.set(Fault::Status(500)).await;
        assert!(get(&mut stream).await.ends_with("\r\n\r\neu 500\n"));
        assert_eq!((server.hits(), server.connections()), (3, 1));
    })
    .await;
}

#[tokio::test]
async fn early_status_leaves_connection_and_upload_open() {
    within(async {
        let (server, mut stream) = faulty(Fault::EarlyStatus(503)).await;
        stream
            .write_all(b"POST / HTTP/1.1\r\nhost: eu\r\ncontent-length: 6\r\n\r\nab")
            .await
            .unwrap();
        let answer = read_answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(!answer.contains("connection: close"), "{answer}");
        assert_eq!(server.open_uploads(), 1);

        // Neither FIN nor RST follows.
        let quiet =
            tokio::time::timeout(Duration::from_millis(100), stream.read(&mut [0; 1])).await;
        assert!(quiet.is_err(), "{quiet:?}");
        assert_eq!(server.open_uploads(), 1);

        // Whoever ends the upload may use the connection again.
        server.set(Fault::None).await;
        stream.write_all(b"cdef").await.unwrap();
        assert!(get(&mut stream).await.starts_with("HTTP/1.1 200"));
        assert_eq!(server.open_uploads(), 0);
        assert_eq!(server.connections(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_early_answered_upload_in_chunks_ends_at_its_end() {
    within(async {
        let (server, mut stream) = faulty(Fault::EarlyStatus(503)).await;
        let head = b"POST / HTTP/1.1\r\nhost: eu\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head).await.unwrap();
        read_answer(&mut stream).await;
        stream.write_all(b"2\r\nab\r\n").await.unwrap();
        assert_eq!(server.open_uploads(), 1);
        stream.write_all(b"0\r\n\r\n").await.unwrap();
        server.wait_no_open_uploads().await;
        assert_eq!(server.requests()[1].body, "ab");
        assert!(server.requests()[1].complete);
    })
    .await;
}

#[tokio::test]
async fn an_early_answered_upload_ends_when_the_client_closes() {
    within(async {
        let (server, mut stream) = faulty(Fault::EarlyStatus(503)).await;
        stream
            .write_all(b"POST / HTTP/1.1\r\nhost: eu\r\ncontent-length: 100000000\r\n\r\n")
            .await
            .unwrap();
        read_answer(&mut stream).await;
        // As much as the sockets take: the region is far from having read it all.
        let upload = vec![0; 64 * 1024];
        while let Ok(sent) =
            tokio::time::timeout(Duration::from_millis(1), stream.write_all(&upload)).await
        {
            sent.unwrap();
        }
        assert_eq!(server.open_uploads(), 1);
        drop(stream);
        server.wait_no_open_uploads().await;
        assert!(!server.requests()[1].complete);
    })
    .await;
}

#[tokio::test]
async fn an_early_answered_upload_is_not_done_soon() {
    within(async {
        let (server, mut stream) = faulty(Fault::EarlyStatus(503)).await;
        stream
            .write_all(b"POST / HTTP/1.1\r\nhost: eu\r\ncontent-length: 1000000\r\n\r\n")
            .await
            .unwrap();
        let started = Instant::now();
        stream.write_all(&vec![0; 1_000_000]).await.unwrap();
        read_answer(&mut stream).await;
        server.wait_no_open_uploads().await;
        assert!(server.requests()[1].complete);
        assert!(
            started.elapsed() >= Duration::from_millis(250),
            "{:?}",
            started.elapsed()
        );
    })
    .await;
}

#[tokio::test]
async fn status_after_waits_for_its_bytes() {
    within(async {
        let (server, mut stream) = faulty(Fault::StatusAfter(3, 500)).await;
        stream
            .write_all(b"POST / HTTP/1.1\r\nhost: eu\r\ncontent-length: 9\r\n\r\nab")
            .await
            .unwrap();
        server.wait_hits(2).await;
        let quiet = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut [0; 1])).await;
        assert!(quiet.is_err(), "{quiet:?}");
        stream.write_all(b"cd").await.unwrap();
        assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 500 "));
        assert_eq!(server.requests()[1].body, "abcd");
        assert_eq!(server.open_uploads(), 1);
    })
    .await;
}

#[tokio::test]
async fn status_after_more_than_there_is_comes_at_the_end() {
    within(async {
        let (server, mut stream) = faulty(Fault::StatusAfter(100, 500)).await;
        stream
            .write_all(b"POST / HTTP/1.1\r\nhost: eu\r\ncontent-length: 2\r\n\r\nab")
            .await
            .unwrap();
        assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 500 "));
        assert_eq!(server.open_uploads(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_black_hole_reads_and_is_silent() {
    within(async {
        let (server, mut stream) = faulty(Fault::BlackHole).await;
        stream
            .write_all(b"POST / HTTP/1.1\r\nhost: eu\r\ncontent-length: 2\r\n\r\nab")
            .await
            .unwrap();
        server.wait_hits(2).await;
        server.wait_no_open_uploads().await;
        assert_eq!(server.requests()[1].body, "ab");
        let quiet = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut [0; 1])).await;
        assert!(quiet.is_err(), "{quiet:?}");
    })
    .await;
}

#[tokio::test]
async fn a_delayed_answer_comes_after_its_delay() {
    within(async {
        let (_server, mut stream) = faulty(Fault::Delay(Duration::from_millis(50))).await;
        let started = Instant::now();
        assert!(get(&mut stream).await.starts_with("HTTP/1.1 200"));
        assert!(started.elapsed() >= Duration::from_millis(50));
    })
    .await;
}

/// More than the region has read by the time it closes, so that an ordinary close would send RST.
fn unread_upload() -> Vec<u8> {
    let mut request = b"POST / HTTP/1.1\r\nhost: eu\r\ncontent-length: 200000\r\n\r\n".to_vec();
    request.resize(request.len() + 150_000, 0);
    request
}

#[tokio::test]
async fn close_is_fin_without_answer_whatever_is_unread() {
    within(async {
        for request in [GET.to_vec(), unread_upload()] {
            let (server, mut stream) = faulty(Fault::Close).await;
            stream.write_all(&request).await.unwrap();
            assert_eq!(read_to_fin(&mut stream).await, b"");
            assert_eq!((server.hits(), server.open_uploads()), (2, 0));
            // The region still accepts connections.
            server.set(Fault::None).await;
            get(&mut connect(&server).await).await;
        }
    })
    .await;
}

#[tokio::test]
async fn reset_is_rst_without_answer() {
    within(async {
        let (server, mut stream) = faulty(Fault::Reset).await;
        stream.write_all(GET).await.unwrap();
        let error = stream.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(server.hits(), 2);
    })
    .await;
}

#[tokio::test]
async fn half_head_breaks_off_within_the_head() {
    within(async {
        let (_server, mut stream) = faulty(Fault::HalfHead).await;
        stream.write_all(&unread_upload()).await.unwrap();
        assert_eq!(read_to_fin(&mut stream).await, b"HTTP/1.1 200 OK\r\nx-reg");
    })
    .await;
}

#[tokio::test]
async fn garbage_is_no_http() {
    within(async {
        let (server, stream) = faulty(Fault::Garbage).await;
        let (mut client, connection) =
            hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        let request = http::Request::get("/")
            .header("host", "eu")
            .body(String::new())
            .unwrap();
        let error = client.send_request(request).await.unwrap_err();
        assert!(error.is_parse(), "{error:?}");
        assert_eq!(server.hits(), 2);
    })
    .await;
}

#[tokio::test]
async fn cut_body_ends_before_its_length() {
    within(async {
        let (server, mut stream) = faulty(Fault::CutBody).await;
        stream
            .write_all(b"POST / HTTP/1.1\r\nhost: eu\r\ncontent-length: 2\r\n\r\nab")
            .await
            .unwrap();
        let answer = String::from_utf8(read_to_fin(&mut stream).await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\r\ncontent-length: 100\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n0123456789"), "{answer}");
        assert_eq!(server.requests()[1].body, "ab");
    })
    .await;
}
