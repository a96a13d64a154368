//! A session, from its hello to its end.

use std::time::Duration;

use tokio::time::{Instant, advance, sleep};
use tower_failover::session::watch::{Exit, Lost};

use super::{
    Call, MS,
    memory::{Opened, event, exit, hello, is_pending, open, send, wake},
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn f24_what_is_not_the_end_is_read_over() {
    let mut opened = open(10 * SECOND).await;
    // The second hello is none, even if it makes no sense.
    let stray = [
        ": hi\n\n",
        "event: other\ndata: {\n\n",
        "event: hello\ndata: {\n\n",
    ];
    for text in stray {
        send(&mut opened.stream, text).await;
    }
    send(&mut opened.stream, hello(20 * SECOND)).await;
    send(&mut opened.stream, wake()).await;
    let Exit::Done { value, lease } = exit(&mut opened.session).await else {
        panic!("not the end");
    };
    let call = Call {
        url: "wss://room".to_owned(),
        token: "t".to_owned(),
        viewer_wait: Duration::from_secs(45),
    };
    assert_eq!(value, call);
    assert_eq!(lease.as_str(), "lease-1");
}

#[tokio::test(start_paused = true)]
async fn f25_a_malformed_end_is_told() {
    let mut opened = open(SECOND).await;
    send(&mut opened.stream, "event: wake\ndata: {\n\n").await;
    let exit = exit(&mut opened.session).await;
    assert!(matches!(&exit, Exit::Malformed(error) if error.is::<serde_json::Error>()));
}

#[tokio::test(start_paused = true)]
async fn f26_the_end_of_the_stream_is_told() {
    let mut opened = open(SECOND).await;
    drop(opened.stream);
    assert!(matches!(exit(&mut opened.session).await, Exit::Ended));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_off_is_told_with_its_error() {
    let mut opened = open(SECOND).await;
    opened.stream.abort("the cable".into());
    let Exit::Broken(error) = exit(&mut opened.session).await else {
        panic!("another end");
    };
    assert_eq!(error.source().unwrap().to_string(), "the cable");
}

#[tokio::test(start_paused = true)]
async fn f27_silence_ends_it_after_two_and_a_half_intervals() {
    let Opened {
        mut session,
        mut stream,
        mut peer,
    } = open(SECOND).await;
    let started = Instant::now();
    // Heartbeats that are answered say nothing of the stream.
    let answers = tokio::spawn(async move {
        loop {
            peer.next().await.status(200);
        }
    });
    let comments = tokio::spawn(async move {
        sleep(2 * SECOND).await;
        send(&mut stream, ": still here\n\n").await;
        sleep(2 * SECOND).await;
        // Half an event is no frame.
        send(&mut stream, "event: wak").await;
        stream
    });
    assert!(matches!(exit(&mut session).await, Exit::ReadTimeout));
    assert_eq!(started.elapsed(), 4500 * MS);
    answers.abort();
    comments.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn f28_a_lost_lease_beats_an_event_that_is_ready() {
    for (status, lost) in [
        (410, Lost::Gone),
        (409, Lost::Conflict),
        (401, Lost::Unauthorized),
    ] {
        let mut opened = open(SECOND).await;
        assert!(is_pending(&mut opened.session));
        advance(SECOND).await;
        assert!(is_pending(&mut opened.session));
        opened.peer.next().await.status(status);
        send(&mut opened.stream, wake()).await;
        match exit(&mut opened.session).await {
            Exit::Heartbeat(was) => assert_eq!(was, lost),
            exit => panic!("{exit:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f29_no_heartbeat_outlives_its_session() {
    let mut opened = open(SECOND).await;
    assert!(is_pending(&mut opened.session));
    advance(SECOND).await;
    assert!(is_pending(&mut opened.session));
    let _under_way = opened.peer.next().await;
    drop(opened.session);
    assert!(opened.peer.is_alone(), "somebody is left to post more");
    let sent = opened.stream.send_data("x".into()).await;
    assert!(sent.is_err(), "somebody is left to read");
}

#[tokio::test(start_paused = true)]
async fn what_may_be_a_secret_is_not_shown() {
    let mut opened = open(SECOND).await;
    let resume = event(&mut opened.session).await;
    send(&mut opened.stream, wake()).await;
    let exit = exit(&mut opened.session).await;
    let shown = format!("{resume:?} {exit:?} {:?}", opened.session);
    for secret in ["lease-1", "wss", "45"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
