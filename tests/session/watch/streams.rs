//! What streams are made of, and how they end.

use failover_cluster::watch_server::Piece;
use tower_failover::{Backoff, Jitter, session::Settings};

use super::{CALL, MS, called, healthy, left, refused, server, start, start_with, watch};

const CALL_EVENT: &str = "wake";

#[tokio::test]
async fn a_call_comes_through_in_whatever_pieces() {
    for (line_end, bytewise) in [("\n", false), ("\r\n", false), ("\r", true), ("\r\n", true)] {
        let server = server().await;
        server.line_end(line_end);
        server.bytewise(bytewise);
        let handle = start(std::slice::from_ref(&server), watch());
        healthy(&handle, 1).await;
        server.send(Piece::event("other", "two\nlines"));
        server.send(Piece::event(CALL_EVENT, CALL));
        assert_eq!(called(&handle).await.url, "wss://room");
        assert_eq!(server.seen().gets.len(), 1);
    }
}

#[tokio::test]
async fn comments_keep_a_quiet_stream() {
    let server = server().await;
    let handle = start(std::slice::from_ref(&server), watch());
    // Six intervals.
    server.wait_for(|seen| seen.heartbeats.len() == 6).await;
    assert_eq!(server.seen().gets.len(), 1);
    assert_eq!(handle.status().borrow().epoch, 1);
}

#[tokio::test]
async fn silence_is_left_after_two_and_a_half_intervals() {
    let server = server().await;
    server.next_opening([Piece::Hello, Piece::Silence]);
    let handle = start(std::slice::from_ref(&server), watch());
    let seen = server.wait_for(|seen| seen.grants.len() == 2).await;
    assert_eq!(left(&handle).await, "ReadTimeout");
    let gap = seen.grants[1].at - seen.grants[0].at;
    assert!(gap >= 500 * MS, "{gap:?}");
    // Heartbeats were answered meanwhile, and had no say in it.
    assert!(seen.heartbeats.len() >= 2);
    assert_eq!(seen.grants[1].previous.as_deref(), Some("eu-lease-1"));
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_resumed_with_its_lease() {
    for last in [Piece::Cut, Piece::Reset] {
        let server = server().await;
        let text = Piece::Text("event: wake\ndata: {".to_owned());
        server.next_opening([Piece::Hello, text, last]);
        let handle = start(std::slice::from_ref(&server), watch());
        assert!(left(&handle).await.starts_with("Broken"));
        let seen = server.wait_for(|seen| seen.grants.len() == 2).await;
        assert_eq!(seen.grants[1].previous.as_deref(), Some("eu-lease-1"));
        server.wake(CALL);
        called(&handle).await;
    }
}

#[tokio::test]
async fn a_line_without_end_is_not_read_on_for_ever() {
    let server = server().await;
    server.next_opening([Piece::Endless]);
    server.next_opening([Piece::Hello, Piece::Endless]);
    let handle = start(std::slice::from_ref(&server), watch());
    let before = "the event stream broke off before its hello";
    assert_eq!(refused(&handle).await, before);
    assert!(left(&handle).await.contains("TooLong"));
    let seen = server.wait_for(|seen| seen.grants.len() == 3).await;
    // The first grant was never heard of.
    let previous: Vec<_> = seen.grants.iter().map(|grant| &grant.previous).collect();
    assert_eq!(previous, [&None, &None, &Some("eu-lease-2".to_owned())]);
}

#[tokio::test]
async fn a_malformed_call_is_not_the_last() {
    let server = server().await;
    server.next_opening([Piece::Hello, Piece::event(CALL_EVENT, "{")]);
    let handle = start(std::slice::from_ref(&server), watch());
    assert!(left(&handle).await.starts_with("Malformed"));
    server.wait_for(|seen| seen.grants.len() == 2).await;
    server.wake(CALL);
    called(&handle).await;
}

#[tokio::test]
async fn streams_that_end_at_once_are_met_by_growing_gaps() {
    // FW1, FW2: a hello is no reason to be quick, nor is a clean end.
    for last in [Piece::End, Piece::Cut] {
        let server = server().await;
        server.opening([Piece::Hello, last]);
        let backoff = Backoff::exponential(100 * MS, 400 * MS).jitter(Jitter::None);
        let settings = Settings::new().backoff(backoff);
        let _handle = start_with(std::slice::from_ref(&server), watch(), settings);
        let seen = server.wait_for(|seen| seen.gets.len() == 6).await;
        let gaps: Vec<_> = seen
            .gets
            .windows(2)
            .map(|two| two[1].at - two[0].at)
            .collect();
        for (gap, least) in gaps[1..].iter().zip([100, 200, 400, 400]) {
            assert!(*gap >= least * MS, "{gaps:?}");
        }
    }
}
