//! From the request to the hello.

use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, timeout};
use tower::Service;
use tower_failover::session::{
    Event, Step,
    watch::{ConnectError, ConnectErrorKind, Lease, Watch, Watching},
};

use super::{
    Call, RemoteAccess,
    memory::{attempt, connect_to, event, hello, memory, open, open_with, send},
};

const SECOND: Duration = Duration::from_secs(1);

fn kind(connected: Result<Watching<Call>, ConnectError>) -> ConnectErrorKind {
    connected.expect_err("no session").kind().clone()
}

#[tokio::test(start_paused = true)]
async fn the_request_goes_to_the_region_and_asks_for_events() {
    let (client, mut peer) = memory();
    let mut watch = Watch::new(client, RemoteAccess::new("secret"));
    let mut attempt = attempt();
    attempt.resume = Some(Lease::new("a lease&0"));
    let _connecting = tokio::spawn(watch.call(attempt));
    let asked = peer.next().await;
    assert_eq!(
        asked.request.uri().to_string(),
        "https://eu.example.com/watch?protocolVersion=1&previousWatchLeaseId=a%20lease%260"
    );
    assert_eq!(asked.request.headers()["accept"], "text/event-stream");
    assert_eq!(asked.request.headers()["accept-encoding"], "identity");
    let device = &asked.request.headers()["authorization"];
    assert_eq!(device, "DeviceToken secret");
}

#[tokio::test(start_paused = true)]
async fn f19_the_hello_is_found_among_other_frames() {
    let pieces = [
        ": hi\n\n",
        "event: other\ndata: {}\n\n",
        &hello(60 * SECOND),
    ];
    connect_to(200, "text/event-stream", &pieces).await.unwrap();

    let mut opened = open(60 * SECOND).await;
    assert!(
        matches!(event(&mut opened.session).await, Event::Resume(lease) if lease.as_str() == "lease-1")
    );
    assert!(
        matches!(event(&mut opened.session).await, Event::HealthyAfter(time) if time == 60 * SECOND)
    );
}

#[tokio::test(start_paused = true)]
async fn f20_f21_refusals_are_told_apart_by_status() {
    let kind = async |status| kind(connect_to(status, "text/plain", &[]).await);
    assert_eq!(kind(409).await, ConnectErrorKind::Conflict);
    assert_eq!(kind(401).await, ConnectErrorKind::Unauthorized);
    for status in [204, 302, 403, 404, 429, 500, 503] {
        let code = StatusCode::from_u16(status).unwrap();
        let expected = match code.is_success() {
            true => ConnectErrorKind::ContentType,
            false => ConnectErrorKind::Status(code),
        };
        assert_eq!(kind(status).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn f22_what_is_no_event_stream_is_refused_and_named() {
    let hello = hello(SECOND);
    let connect = async |content_type| connect_to(200, content_type, &[&hello]).await;
    for other in [
        "text/html",
        "text/html; charset=utf-8",
        "",
        "text/event-streams",
    ] {
        let error = connect(other).await.expect_err("no session");
        assert_eq!(*error.kind(), ConnectErrorKind::ContentType);
        assert!(error.to_string().contains(other), "{error}");
    }
    let long = "x".repeat(10_000);
    let long = connect(&long).await.expect_err("no session");
    assert!(long.to_string().len() < 200, "{long}");
    for same in ["text/event-stream;charset=utf-8", "Text/Event-Stream ; a=b"] {
        assert!(connect(same).await.is_ok(), "{same}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_encoded_is_refused_at_its_head() {
    let connect = async |encoding| {
        let (client, mut peer) = memory();
        let mut watch = Watch::new(client, RemoteAccess::new("secret"));
        let connected = tokio::spawn(watch.call(attempt()));
        let kind = ("content-type", "text/event-stream");
        let mut stream =
            (peer.next().await).answer_with(200, &[kind, ("content-encoding", encoding)]);
        // It stays open.
        let _ = stream.send_data(hello(SECOND).into()).await;
        connected.await.unwrap()
    };
    for other in ["gzip", "identity, br", ""] {
        assert_eq!(kind(connect(other).await), ConnectErrorKind::Encoded);
    }
    assert!(connect("Identity").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_lease_from_before_is_offered_until_a_rejoin() {
    let (client, mut peer) = memory();
    let watch = Watch::new(client, RemoteAccess::new("secret")).lease(Lease::new("before"));
    for (step, is_offered) in [
        (Step::First, true),
        (Step::Retry, true),
        (Step::Rejoin, false),
        (Step::Retry, false),
    ] {
        let mut attempt = attempt();
        attempt.step = step;
        let connected = tokio::spawn(watch.clone().call(attempt));
        let asked = peer.next().await;
        let uri = asked.request.uri().to_string();
        assert_eq!(uri.contains("=before"), is_offered, "{step:?}: {uri}");
        asked.status(503);
        assert!(connected.await.unwrap().is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn f23_intervals_are_clamped() {
    for (told, taken) in [
        (Duration::ZERO, SECOND),
        (Duration::from_millis(2), SECOND),
        (10 * SECOND, 10 * SECOND),
        (Duration::from_millis(u64::MAX), 600 * SECOND),
    ] {
        let mut opened = open(told).await;
        event(&mut opened.session).await;
        assert!(
            matches!(event(&mut opened.session).await, Event::HealthyAfter(time) if time == taken)
        );
    }
    // The wrong way round, the lower end holds.
    let mut opened = open_with(SECOND, |watch| {
        watch.heartbeat_intervals(9 * SECOND..=SECOND)
    })
    .await;
    event(&mut opened.session).await;
    assert!(
        matches!(event(&mut opened.session).await, Event::HealthyAfter(time) if time == 9 * SECOND)
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_a_good_hello_is_no_session() {
    let connect = async |pieces: &[&str]| kind(connect_to(200, "text/event-stream", pieces).await);
    assert_eq!(connect(&[]).await, ConnectErrorKind::Ended);
    assert_eq!(
        connect(&[": hi\n\n", "event: hello\n"]).await,
        ConnectErrorKind::Ended
    );
    let malformed = ["event: hello\ndata: {\n\n"];
    assert_eq!(connect(&malformed).await, ConnectErrorKind::Malformed);
    let endless = "x".repeat(300 * 1024);
    assert_eq!(connect(&[&endless]).await, ConnectErrorKind::Broken);
}

#[tokio::test(start_paused = true)]
async fn what_the_client_says_is_the_source() {
    let (client, mut peer) = memory();
    let mut watch = Watch::new(client, RemoteAccess::new("secret"));
    let connected = tokio::spawn(watch.call(attempt()));
    let mut stream = peer.next().await.answer(200, "text/event-stream");
    send(&mut stream, ": hi\n\n").await;
    stream.abort("the cable".into());
    let error = connected.await.unwrap().expect_err("no session");
    assert_eq!(*error.kind(), ConnectErrorKind::Broken);
    let mut causes = std::iter::successors(Some(&error as &dyn std::error::Error), |e| e.source());
    assert!(causes.any(|cause| cause.to_string() == "the cable"));

    drop(peer);
    let error = watch.call(attempt()).await.expect_err("no session");
    assert_eq!(*error.kind(), ConnectErrorKind::Client);
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_built_is_none() {
    let (client, mut peer) = memory();
    let mut watch = Watch::new(client, RemoteAccess::new("line\nbreak"));
    let error = watch.call(attempt()).await.expect_err("no session");
    assert_eq!(*error.kind(), ConnectErrorKind::Request);
    assert!(peer.is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_is_given_up_leaves_nothing() {
    let (client, mut peer) = memory();
    let mut watch = Watch::new(client, RemoteAccess::new("secret"));
    let connecting = watch.call(attempt());
    let started = Instant::now();
    let asked = tokio::spawn(async move {
        let mut stream = peer.next().await.answer(200, "text/event-stream");
        send(&mut stream, ": no hello\n\n").await;
        stream
    });
    // As the supervisor does at the deadline.
    assert!(timeout(30 * SECOND, connecting).await.is_err());
    assert_eq!(started.elapsed(), 30 * SECOND);
    let mut stream = asked.await.unwrap();
    assert!(stream.send_data("x".into()).await.is_err(), "still read");
}
