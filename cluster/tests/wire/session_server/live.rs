//! What live sessions meet.

use std::io::ErrorKind;
use std::time::Duration;

use failover_cluster::SessionServer;
use failover_cluster::session_server::{Mode, Reason};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use super::Client;
use crate::support::within;

#[tokio::test]
async fn live_sessions_hear_what_they_are_told() {
    within(async {
        let server = SessionServer::start("eu").await;
        let (mut one, _) = Client::join(&server, "JOIN - -").await;
        let (mut other, _) = Client::join(&server, "JOIN - -").await;
        server.go_away(None, None);
        server.go_away(Some("http://us"), Some(Duration::from_secs(2)));
        server.advise("MIGRATE");
        server.send("NEWS");
        server.bye(401);
        for client in [&mut one, &mut other] {
            for line in [
                "GOAWAY - -",
                "GOAWAY http://us 2000",
                "ADVICE MIGRATE",
                "NEWS",
                "BYE 401",
                "",
            ] {
                assert_eq!(client.hear().await, line);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn live_sessions_are_pinged() {
    within(async {
        let server = SessionServer::start("eu").await;
        let (mut unpinged, _) = Client::join(&server, "JOIN - -").await;
        server.ping_every(Duration::from_millis(5));
        let (mut client, _) = Client::join(&server, "JOIN - -").await;
        for _ in 0..3 {
            assert_eq!(client.hear().await, "PING");
        }
        assert!(unpinged.hears_nothing().await);
    })
    .await;
}

#[tokio::test]
async fn a_reset_is_seen_as_one() {
    within(async {
        let server = SessionServer::start("eu").await;
        let (mut client, _) = Client::join(&server, "JOIN - -").await;
        server.reset();
        let error = client.0.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let seen = server.wait_for(|seen| seen.live == 0).await;
        assert!(seen.ended(&Reason::Server));
    })
    .await;
}

#[tokio::test]
async fn silence_is_for_the_sessions_that_are_live() {
    within(async {
        let server = SessionServer::start("eu").await;
        server.ping_every(Duration::from_millis(10));
        let (mut client, _) = Client::join(&server, "JOIN - -").await;
        assert_eq!(client.hear().await, "PING");
        server.silence();
        // What was said before is heard still.
        while !client.hears_nothing().await {}
        client.say("ECHO word").await;
        server.send("NEWS");
        assert!(client.hears_nothing().await);

        let (mut later, _) = Client::join(&server, "JOIN - -").await;
        assert_eq!(later.hear().await, "PING");
        assert_eq!(server.seen().live, 2);
        server.close();
        assert_eq!(client.hear().await, "");
    })
    .await;
}

#[tokio::test]
async fn a_dropped_session_server_is_gone_with_its_sessions() {
    within(async {
        for mode in [
            Mode::Accept,
            Mode::BlackHole,
            Mode::Close(Duration::from_secs(3600)),
        ] {
            let server = SessionServer::start("eu").await;
            server.set(mode).await;
            let authority = server.authority();
            let mut client = Client::connect(&server).await;
            client.say("JOIN - -").await;
            server.wait_for(|seen| seen.joins.len() == 1).await;
            drop(server);

            let _ = client.0.read_to_end(&mut Vec::new()).await;
            while TcpStream::connect(&authority).await.is_ok() {
                tokio::task::yield_now().await;
            }
            while Handle::current().metrics().num_alive_tasks() > 0 {
                tokio::task::yield_now().await;
            }
        }
    })
    .await;
}
