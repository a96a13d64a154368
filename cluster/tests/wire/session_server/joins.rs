//! How sessions begin, and what of them is remembered.

use std::io::ErrorKind;
use std::time::Duration;

use failover_cluster::SessionServer;
use failover_cluster::session_server::{Mode, Reason};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::Client;
use crate::support::within;

#[tokio::test]
async fn a_session_is_welcomed_and_echoes() {
    within(async {
        let server = SessionServer::start("eu").await;
        let (mut client, answer) = Client::join(&server, "JOIN - -").await;
        assert_eq!(answer, "WELCOME eu-1");
        assert_eq!(server.seen().live, 1);
        client.say("NONSENSE").await;
        client.say("ECHO a word").await;
        assert_eq!(client.hear().await, "ECHO a word");
        assert_eq!(server.origin(), format!("http://{}", server.authority()));
    })
    .await;
}

#[tokio::test]
async fn a_token_resumes_its_session_after_a_cut_and_not_after_an_end() {
    within(async {
        let server = SessionServer::start("eu").await;
        let (mut client, _) = Client::join(&server, "JOIN - -").await;
        server.close();
        assert_eq!(client.hear().await, "");

        let (mut client, answer) = Client::join(&server, "JOIN eu-1 us").await;
        assert_eq!(answer, "WELCOME eu-1");
        client.say("LEAVE").await;
        assert_eq!(client.hear().await, "");

        let (mut client, answer) = Client::join(&server, "JOIN eu-1 -").await;
        assert_eq!(answer, "WELCOME eu-2");
        client.say("ABORT 42").await;
        assert_eq!(client.hear().await, "");

        let (client, answer) = Client::join(&server, "JOIN eu-2 -").await;
        assert_eq!(answer, "WELCOME eu-3");
        drop(client);

        let seen = server.wait_for(|seen| seen.ends.len() == 4).await;
        let reasons: Vec<_> = seen.ends.iter().map(|end| end.reason.clone()).collect();
        let abort = Reason::Abort("42".to_owned());
        assert_eq!(
            reasons,
            [Reason::Server, Reason::Leave, abort, Reason::Lost]
        );
        assert_eq!(seen.ends[1].token, "eu-1");
        assert_eq!((seen.connections.len(), seen.live), (4, 0));
        assert_eq!(seen.resumed(), 1);
        assert!(seen.ended(&Reason::Leave));
        let join = &seen.joins[1];
        assert_eq!(join.token.as_deref(), Some("eu-1"));
        assert_eq!(join.from.as_deref(), Some("us"));
        assert_eq!(join.welcome.as_deref(), Some("eu-1"));
        assert!(join.resumed && join.at >= seen.connections[1]);
    })
    .await;
}

#[tokio::test]
async fn a_session_is_resumed_elsewhere_while_it_lives_here() {
    within(async {
        let servers = SessionServer::cluster(&["eu", "us"]).await;
        let (mut old, _) = Client::join(&servers[0], "JOIN - -").await;
        let (new, answer) = Client::join(&servers[1], "JOIN eu-1 eu").await;
        assert_eq!(answer, "WELCOME eu-1");
        assert_eq!((servers[0].seen().live, servers[1].seen().live), (1, 1));

        old.say("LEAVE").await;
        servers[0].wait_for(|seen| seen.live == 0).await;
        drop(new);
        let (_, answer) = Client::join(&servers[1], "JOIN eu-1 us").await;
        assert_eq!(answer, "WELCOME eu-1");

        servers[0].forget_tokens();
        let (_, answer) = Client::join(&servers[1], "JOIN eu-1 us").await;
        assert_eq!(answer, "WELCOME us-2");
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_not_wanted_is_told_why() {
    within(async {
        let server = SessionServer::start("eu").await;
        for (mode, answer) in [
            (Mode::Full, "FULL"),
            (Mode::Unauthorized, "UNAUTHORIZED"),
            (Mode::Busy(Duration::from_millis(1500)), "BUSY 1500"),
            (Mode::Close(Duration::ZERO), ""),
        ] {
            server.set(mode).await;
            let (mut client, heard) = Client::join(&server, "JOIN - -").await;
            assert_eq!(heard, answer);
            assert_eq!(client.hear().await, "");
        }
        let (_, heard) = Client::join(&server, "HELLO").await;
        assert_eq!(heard, "BYE protocol");
        let seen = server.seen();
        assert_eq!((seen.connections.len(), seen.joins.len()), (5, 4));
        assert!(seen.joins.iter().all(|join| join.welcome.is_none()));
        assert_eq!((seen.ends.len(), seen.live), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn only_the_first_meet_what_the_first_are_to_meet() {
    within(async {
        let server = SessionServer::start("eu").await;
        server.set(Mode::First(2, Box::new(Mode::Full))).await;
        for answer in ["FULL", "FULL", "WELCOME eu-1"] {
            assert_eq!(Client::join(&server, "JOIN - -").await.1, answer);
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_is_closed_after_its_time() {
    within(async {
        let server = SessionServer::start("eu").await;
        let time = Duration::from_millis(50);
        for (mode, lines) in [
            (Mode::Close(time), [""].as_slice()),
            (Mode::WelcomeThenClose(time), &["WELCOME eu-1", ""]),
        ] {
            server.set(mode).await;
            let start = tokio::time::Instant::now();
            let mut client = Client::connect(&server).await;
            client.say("JOIN - -").await;
            for line in lines {
                assert_eq!(client.hear().await, *line);
            }
            assert!(start.elapsed() >= time);
        }
        let seen = server.wait_for(|seen| seen.live == 0).await;
        assert!(seen.ended(&Reason::Server));
    })
    .await;
}

#[tokio::test]
async fn a_black_hole_accepts_and_never_answers() {
    within(async {
        let server = SessionServer::start("eu").await;
        server.set(Mode::BlackHole).await;
        let mut client = Client::connect(&server).await;
        client.say("JOIN - -").await;
        server.wait_for(|seen| seen.joins.len() == 1).await;
        assert!(client.hears_nothing().await);
        assert_eq!(server.seen().live, 0);
    })
    .await;
}

#[tokio::test]
async fn a_refusing_server_refuses_and_comes_back_on_its_port() {
    within(async {
        let server = SessionServer::start("eu").await;
        for round in 1..=5 {
            let (mut client, answer) = Client::join(&server, "JOIN - -").await;
            assert_eq!(answer, format!("WELCOME eu-{round}"));
            server.set(Mode::Refuse).await;
            assert_eq!(server.seen().live, 0);
            assert!(matches!(client.0.read(&mut [0; 1]).await, Ok(0) | Err(_)));
            let refused = TcpStream::connect(server.authority()).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
            server.set(Mode::Accept).await;
        }
        assert_eq!(server.seen().connections.len(), 5);
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "region eu: a refused connection brings no join to count")]
async fn a_refusal_that_counts_joins_is_a_mistake() {
    let server = SessionServer::start("eu").await;
    server.set(Mode::First(1, Box::new(Mode::Refuse))).await;
}
