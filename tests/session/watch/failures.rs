//! Refusals, of watches and of heartbeats.

use bytes::Bytes;
use failover_cluster::{Fault, WatchServer, watch_server::Piece};
use tower_failover::session::ErrorKind;

use super::{
    CALL, MS, called, healthy, left, refused, server, settings, start, start_with, until, watch,
};

/// Lets a watch come up, ends it, and refuses the next one so. Tells how that was taken, how long the
/// watch after it took to come, and whether it had a lease to take over.
async fn refuse_once(fault: Fault) -> (String, u128, Option<String>) {
    let server = server().await;
    let handle = start(std::slice::from_ref(&server), watch());
    healthy(&handle, 1).await;
    let first = Fault::First(1, Box::new(fault));
    server.region().set_at(WatchServer::WATCH, first).await;
    server.send(Piece::End);
    let refused = refused(&handle).await;
    let seen = server.wait_for(|seen| seen.grants.len() == 2).await;
    let gap = seen.gets[2].at - seen.gets[1].at;
    server.wake(CALL);
    called(&handle).await;
    assert_eq!(server.seen().gets.len(), 3);
    (refused, gap.as_millis(), seen.grants[1].previous.clone())
}

fn lease() -> Option<String> {
    Some("eu-lease-1".to_owned())
}

#[tokio::test]
async fn a_lease_in_conflict_is_dropped_and_waited_for() {
    let (refused, gap, previous) = refuse_once(Fault::Status(409)).await;
    assert_eq!(refused, "another holds the lease");
    assert!(gap >= 1000, "{gap}");
    assert_eq!(previous, None);
}

#[tokio::test]
async fn a_page_instead_of_a_stream_is_waited_out() {
    let html = ("content-type", "text/html; charset=utf-8".to_owned());
    let page = Fault::Answer(200, vec![html], Bytes::from("<p>Log in."));
    let (refused, gap, previous) = refuse_once(page).await;
    let expected = "an answer of type \"text/html; charset=utf-8\", not an event stream";
    assert_eq!(refused, expected);
    assert!(gap >= 1000, "{gap}");
    assert_eq!(previous, lease());
}

#[tokio::test]
async fn retry_after_is_kept_to() {
    let later = vec![("retry-after", "1".to_owned())];
    let (refused, gap, previous) = refuse_once(Fault::StatusWith(503, later)).await;
    assert_eq!(
        refused,
        "the watch was answered with 503 Service Unavailable"
    );
    assert!(gap >= 1000, "{gap}");
    assert_eq!(previous, lease());
}

#[tokio::test]
async fn other_refusals_are_retried_with_the_lease() {
    for fault in [
        Fault::Status(404),
        Fault::Reset,
        Fault::Garbage,
        Fault::HalfHead,
    ] {
        let (_, gap, previous) = refuse_once(fault).await;
        // Half of the base.
        assert!(gap >= 25, "{gap}");
        assert_eq!(previous, lease());
    }
}

#[tokio::test]
async fn who_is_not_authorized_does_not_come_back() {
    let server = server().await;
    let fault = Fault::Status(401);
    server.region().set_at(WatchServer::WATCH, fault).await;
    let handle = start(std::slice::from_ref(&server), watch());
    let error = handle.closed().await.expect_err("no good end");
    assert_eq!(error.kind(), ErrorKind::Failed);
    let source = std::error::Error::source(&error).expect("the refusal");
    assert_eq!(source.to_string(), "not authorized to watch");
    assert_eq!(server.seen().gets.len(), 1);
}

#[tokio::test]
async fn a_hello_that_never_comes_is_not_waited_for() {
    let server = server().await;
    server.next_opening([Piece::Silence]);
    let settings = settings().attempt_timeout(300 * MS);
    let handle = start_with(std::slice::from_ref(&server), watch(), settings);
    let seen = server.wait_for(|seen| seen.grants.len() == 2).await;
    assert!(seen.grants[1].at - seen.grants[0].at >= 300 * MS);
    // The first stream is given up.
    server.wait_for(|seen| seen.live == 1).await;
    server.wake(CALL);
    called(&handle).await;
}

#[tokio::test]
async fn a_stream_that_ends_before_its_hello_is_none() {
    let server = server().await;
    server.next_opening([Piece::Comment("hi".to_owned()), Piece::End]);
    let handle = start(std::slice::from_ref(&server), watch());
    let expected = "the event stream ended before its hello";
    assert_eq!(refused(&handle).await, expected);
    until(&handle, |status| status.epoch == 1).await;
}

/// Lets a watch come up whose heartbeats are refused so, as often. Tells how that was taken, how long the
/// next watch took to come, and whether it had a lease to take over.
async fn refuse_heartbeats(status: u16, times: usize) -> (String, u128, Option<String>) {
    let server = server().await;
    let fault = Fault::First(times, Box::new(Fault::Status(status)));
    server.region().set_at(WatchServer::HEARTBEAT, fault).await;
    let handle = start(std::slice::from_ref(&server), watch());
    let seen = server.wait_for(|seen| seen.grants.len() == 2).await;
    let left = left(&handle).await;
    let gap = seen.grants[1].at - seen.heartbeats[times - 1].at;
    let first = seen
        .heartbeats
        .iter()
        .filter(|beat| beat.lease == "eu-lease-1");
    assert_eq!(first.count(), times);
    assert!(seen.overlaps().is_empty());
    (left, gap.as_millis(), seen.grants[1].previous.clone())
}

#[tokio::test]
async fn a_heartbeat_in_conflict_drops_the_lease_and_waits() {
    let (left, gap, previous) = refuse_heartbeats(409, 1).await;
    assert_eq!(left, "Heartbeat(Conflict)");
    assert!(gap >= 1000, "{gap}");
    assert_eq!(previous, None);
}

#[tokio::test]
async fn three_heartbeats_that_fail_are_too_many() {
    let (left, _, previous) = refuse_heartbeats(500, 3).await;
    assert_eq!(left, "Heartbeat(Missed)");
    assert_eq!(previous, lease());
}

#[tokio::test]
async fn a_lease_that_died_is_dropped_at_once() {
    let server = server().await;
    let handle = start(std::slice::from_ref(&server), watch());
    healthy(&handle, 1).await;
    server.expire();
    assert_eq!(left(&handle).await, "Heartbeat(Gone)");
    let seen = server.wait_for(|seen| seen.grants.len() == 2).await;
    assert_eq!(seen.grants[1].previous, None);
}

#[tokio::test]
async fn a_heartbeat_that_is_not_authorized_is_the_last() {
    let server = server().await;
    let fault = Fault::Status(401);
    server.region().set_at(WatchServer::HEARTBEAT, fault).await;
    let handle = start(std::slice::from_ref(&server), watch());
    let error = handle.closed().await.expect_err("no good end");
    assert_eq!(error.kind(), ErrorKind::Failed);
    let seen = server.wait_for(|seen| seen.live == 0).await;
    assert_eq!((seen.gets.len(), seen.heartbeats.len()), (1, 1));
}
