//! Faults and counters of one path.

use std::net::Ipv4Addr;

use failover_cluster::{Fault, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{GET, connect, get, get_at, h2_connect, h2_get, within};

async fn status_at(server: &Server, path: &str) -> String {
    let answer = get_at(&mut connect(server).await, path).await;
    answer["HTTP/1.1 ".len()..][..3].to_owned()
}

#[tokio::test]
async fn a_fault_at_a_path_is_met_there_and_nowhere_else() {
    within(async {
        let server = Server::http1("eu").await;
        server.set_at("/a", Fault::Status(503)).await;
        assert_eq!(status_at(&server, "/a").await, "503");
        assert_eq!(status_at(&server, "/a?q=1").await, "503");
        for path in ["/", "/a/", "/a/b", "/ab", "/A"] {
            assert_eq!(status_at(&server, path).await, "200", "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_fault_at_a_path_is_met_over_h2_too() {
    within(async {
        let server = Server::h2c("eu").await;
        let client = h2_connect(&server).await;
        server.set_at("/path", Fault::Status(503)).await;
        assert_eq!(h2_get(&client, &server).await.unwrap().status(), 503);
        server.clear_at("/path").await;
        server.set_at("/other", Fault::Status(503)).await;
        assert_eq!(h2_get(&client, &server).await.unwrap().status(), 200);
        assert_eq!((server.hits_at("/path"), server.hits_at("/other")), (2, 0));
    })
    .await;
}

#[tokio::test]
async fn a_fault_at_a_path_replaces_that_of_the_server_until_it_is_cleared() {
    within(async {
        let server = Server::http1("eu").await;
        server.set(Fault::Status(500)).await;
        server.set_at("/a", Fault::None).await;
        assert_eq!(status_at(&server, "/a").await, "200");
        assert_eq!(status_at(&server, "/b").await, "500");
        server.set(Fault::Status(501)).await;
        assert_eq!(status_at(&server, "/a").await, "200");
        server.clear_at("/b").await;
        server.clear_at("/a").await;
        assert_eq!(status_at(&server, "/a").await, "501");
    })
    .await;
}

#[tokio::test]
async fn a_path_and_its_server_count_their_own_requests() {
    within(async {
        let server = Server::http1("eu").await;
        let first = |code| Fault::First(1, Box::new(Fault::Status(code)));
        server.set(first(500)).await;
        server.set_at("/a", first(501)).await;
        assert_eq!(status_at(&server, "/a").await, "501");
        assert_eq!(status_at(&server, "/a").await, "200");
        assert_eq!(status_at(&server, "/b").await, "500");
        assert_eq!(status_at(&server, "/b").await, "200");
        // Set again, it counts anew.
        server.set_at("/a", first(501)).await;
        assert_eq!(status_at(&server, "/a").await, "501");
    })
    .await;
}

#[tokio::test]
async fn a_refusing_server_refuses_at_a_path_with_its_own_fault_too() {
    within(async {
        let server = Server::http1("eu").await;
        server.set_at("/path", Fault::Status(503)).await;
        let mut open = connect(&server).await;
        assert!(get(&mut open).await.starts_with("HTTP/1.1 503"));
        server.set(Fault::Refuse).await;
        assert!(matches!(open.read(&mut [0; 1]).await, Ok(0) | Err(_)));
        assert!(
            tokio::net::TcpStream::connect(server.authority())
                .await
                .is_err()
        );
        server.set(Fault::None).await;
        assert_eq!(status_at(&server, "/path").await, "503");
    })
    .await;
}

#[tokio::test]
async fn hits_and_requests_of_a_path_are_those_with_its_path() {
    within(async {
        let server = Server::http1("eu").await;
        for path in ["/a?n=1", "/b", "/a?n=2", "/a/"] {
            get_at(&mut connect(&server).await, path).await;
        }
        assert_eq!(server.hits(), 4);
        assert_eq!((server.hits_at("/a"), server.hits_at("/b")), (2, 1));
        assert_eq!(server.hits_at("/c"), 0);
        let uris: Vec<_> = server
            .requests_at("/a")
            .iter()
            .map(|r| r.uri.to_string())
            .collect();
        assert_eq!(uris, ["/a?n=1", "/a?n=2"]);
        assert!(server.requests_at("/c").is_empty());
    })
    .await;
}

#[tokio::test]
async fn waiting_for_hits_of_a_path_is_over_with_the_head_of_the_last() {
    within(async {
        let server = Server::http1("eu").await;
        server.set_at("/path", Fault::BlackHole).await;
        server.wait_hits_at("/path", 0).await;
        get_at(&mut connect(&server).await, "/other").await;
        let mut wait = std::pin::pin!(server.wait_hits_at("/path", 2));
        let mut open = Vec::new();
        for n in 1..=2 {
            let early = std::future::poll_fn(|cx| std::task::Poll::Ready(wait.as_mut().poll(cx)));
            assert!(early.await.is_pending());
            let mut stream = connect(&server).await;
            stream.write_all(GET).await.unwrap();
            server.wait_hits(1 + n).await;
            open.push(stream);
        }
        wait.await;
        assert_eq!(server.hits_at("/path"), 2);
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "region eu: a connection is refused before it has a path")]
async fn a_refusal_at_a_path_is_a_mistake() {
    Server::http1("eu").await.set_at("/a", Fault::Refuse).await;
}

#[tokio::test]
#[should_panic(expected = "region eu: GoAway needs HTTP/2")]
async fn a_fault_of_another_protocol_at_a_path_is_a_mistake() {
    Server::http1("eu").await.set_at("/a", Fault::GoAway).await;
}

#[tokio::test]
#[should_panic(expected = "region eu: \"/a?b\" is not a path")]
async fn a_query_at_a_path_is_a_mistake() {
    Server::http1("eu").await.set_at("/a?b", Fault::None).await;
}

#[tokio::test]
async fn a_region_may_be_on_another_loopback_address() {
    within(async {
        let host = Ipv4Addr::new(127, 0, 0, 2);
        let server = Server::http1_on("eu", host).await;
        assert!(
            server.origin().starts_with("http://127.0.0.2:"),
            "{}",
            server.origin()
        );
        assert!(server.authority().starts_with("127.0.0.2:"));
        assert_eq!(status_at(&server, "/").await, "200");
        let port = server.authority()["127.0.0.2:".len()..].to_owned();
        let other = format!("127.0.0.1:{port}");
        assert!(tokio::net::TcpStream::connect(other).await.is_err());

        // It keeps the address when it comes back.
        server.set(Fault::Refuse).await;
        assert!(
            tokio::net::TcpStream::connect(server.authority())
                .await
                .is_err()
        );
        server.set(Fault::None).await;
        assert_eq!(status_at(&server, "/").await, "200");
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "192.0.2.1 is not a loopback address")]
async fn an_address_beyond_loopback_is_a_mistake() {
    Server::http1_on("eu", Ipv4Addr::new(192, 0, 2, 1)).await;
}
