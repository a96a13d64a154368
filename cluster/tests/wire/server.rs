use std::io::ErrorKind;
use std::time::Duration;

use failover_cluster::{Cluster, Fault, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{GET, connect, get, h2_connect, h2_get, within};

async fn dial_error(server: &Server) -> ErrorKind {
    TcpStream::connect(server.authority())
        .await
        .expect_err("the region refuses")
        .kind()
}

#[tokio::test]
async fn a_refusing_region_refuses_and_closes_what_is_open() {
    within(async {
        let server = Server::http1("eu").await;
        let mut open = connect(&server).await;
        assert!(get(&mut open).await.starts_with("HTTP/1.1 200"));

        server.set(Fault::Refuse).await;
        assert_eq!(dial_error(&server).await, ErrorKind::ConnectionRefused);
        assert!(matches!(open.read(&mut [0; 1]).await, Ok(0) | Err(_)));
        assert_eq!((server.hits(), server.connections()), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_region_comes_back_on_its_port() {
    within(async {
        let server = Server::http1("eu").await;
        for round in 1..=20 {
            let mut stream = connect(&server).await;
            assert!(get(&mut stream).await.starts_with("HTTP/1.1 200"));
            server.set(Fault::Refuse).await;
            server.set(Fault::Refuse).await;
            assert_eq!(dial_error(&server).await, ErrorKind::ConnectionRefused);
            server.set(Fault::None).await;
            server.set(Fault::None).await;
            assert_eq!(server.hits(), round);
        }
    })
    .await;
}

#[tokio::test]
async fn a_refusing_h2c_region_closes_what_is_open_and_comes_back() {
    within(async {
        let server = Server::h2c("eu").await;
        let client = h2_connect(&server).await;
        assert_eq!(h2_get(&client, &server).await.unwrap().status(), 200);
        server.set(Fault::Refuse).await;
        assert!(h2_get(&client, &server).await.is_err());
        server.set(Fault::None).await;
        let client = h2_connect(&server).await;
        assert_eq!(h2_get(&client, &server).await.unwrap().status(), 200);
    })
    .await;
}

#[tokio::test]
async fn a_dropped_server_is_gone_with_its_connections() {
    within(async {
        for fault in [
            Fault::None,
            Fault::BlackHole,
            Fault::EarlyStatus(503),
            Fault::Close,
        ] {
            let server = Server::http1("eu").await;
            let authority = server.authority();
            server.set(fault).await;
            let mut stream = connect(&server).await;
            stream
                .write_all(b"POST / HTTP/1.1\r\nhost: eu\r\ncontent-length: 9\r\n\r\nhalf")
                .await
                .unwrap();
            server.wait_hits(1).await;
            drop(server);

            // Ends by FIN or RST, where a connection left behind would wait for the rest of the body.
            let _ = stream.read_to_end(&mut Vec::new()).await;
            while TcpStream::connect(&authority).await.is_ok() {
                tokio::task::yield_now().await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_dropped_server_ends_its_streams() {
    within(async {
        for fault in [Fault::BlackHole, Fault::Delay(Duration::from_secs(3600))] {
            let server = Server::h2c("eu").await;
            server.set(fault).await;
            let client = h2_connect(&server).await;
            let (answer, ()) = tokio::join!(h2_get(&client, &server), async {
                server.wait_hits(1).await;
                // All that a drop does, within reach of a borrow.
                server.set(Fault::Refuse).await;
            });
            assert!(answer.is_err());
            drop(server);
        }
    })
    .await;
}

#[tokio::test]
async fn first_counts_requests_since_it_was_set() {
    within(async {
        let server = Server::http1("eu").await;
        let mut stream = connect(&server).await;
        get(&mut stream).await;
        for _ in 0..2 {
            server
                .set(Fault::First(2, Box::new(Fault::Status(503))))
                .await;
            for status in ["503", "503", "200"] {
                let answer = get(&mut stream).await;
                assert!(
                    answer.starts_with(&format!("HTTP/1.1 {status}")),
                    "{answer}"
                );
            }
        }
        assert_eq!((server.hits(), server.connections()), (7, 1));
    })
    .await;
}

#[tokio::test]
async fn first_ends_a_wire_fault_too() {
    within(async {
        let server = Server::http1("eu").await;
        server.set(Fault::First(1, Box::new(Fault::Reset))).await;
        let mut stream = connect(&server).await;
        stream.write_all(GET).await.unwrap();
        assert_eq!(
            stream.read(&mut [0; 1]).await.unwrap_err().kind(),
            ErrorKind::ConnectionReset
        );
        assert!(
            get(&mut connect(&server).await)
                .await
                .starts_with("HTTP/1.1 200")
        );
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "region eu: GoAway needs HTTP/2")]
async fn a_fault_of_another_protocol_is_a_mistake() {
    Server::http1("eu").await.set(Fault::GoAway).await;
}

#[tokio::test]
async fn a_cluster_has_its_regions_in_order() {
    within(async {
        let cluster = Cluster::start(&["eu", "us"]).await;
        assert_eq!(
            cluster.origins(),
            [cluster.region("eu").origin(), cluster.region("us").origin()]
        );
        assert!(
            get(&mut connect(cluster.region("us")).await)
                .await
                .ends_with("\r\n\r\nus\n")
        );
        assert_eq!(
            (cluster.region("eu").hits(), cluster.region("us").hits()),
            (0, 1)
        );
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "no region is named \"asia\"")]
async fn an_unknown_region_is_a_mistake() {
    Cluster::start(&["eu"]).await.region("asia");
}
