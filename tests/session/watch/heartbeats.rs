//! When heartbeats are posted, and what comes of their answers.

use std::time::Duration;

use tokio::time::{Instant, advance, sleep};
use tower_failover::session::watch::{Exit, Lost};

use super::{
    Call, MS,
    memory::{Asked, Opened, Stream, exit, is_pending, open, send},
};

const SECOND: Duration = Duration::from_secs(1);

/// Comments for ever, so that only heartbeats can end it.
async fn comment(mut stream: Stream) {
    while stream.send_data(": \n\n".into()).await.is_ok() {
        sleep(SECOND).await;
    }
}

/// Answers heartbeats in turn, and tells when they came, in milliseconds, and how the session ended, and
/// when.
async fn beats(answers: impl IntoIterator<Item = fn(Asked)>) -> (Vec<u128>, Exit<Call>, u128) {
    let Opened {
        mut session,
        stream,
        mut peer,
    } = open(SECOND).await;
    tokio::spawn(comment(stream));
    let started = Instant::now();
    let answers: Vec<_> = answers.into_iter().collect();
    let peer = tokio::spawn(async move {
        let mut times = Vec::new();
        for answer in answers {
            let mut asked = peer.next().await;
            times.push((asked.at - started).as_millis());
            assert_eq!(asked.path, "/watch/heartbeat");
            assert_eq!(asked.body().await, r#"{"watchLeaseId":"lease-1"}"#);
            answer(asked);
        }
        times
    });
    let exit = exit(&mut session).await;
    let ended = started.elapsed().as_millis();
    (peer.await.unwrap(), exit, ended)
}

fn ok(asked: Asked) {
    asked.status(204);
}

fn unavailable(asked: Asked) {
    asked.status(503);
}

fn gone(asked: Asked) {
    asked.status(410);
}

/// Never.
fn hang(asked: Asked) {
    tokio::spawn(async move {
        sleep(600 * SECOND).await;
        drop(asked);
    });
}

/// After more than half an interval.
fn late(asked: Asked) {
    tokio::spawn(async move {
        sleep(700 * MS).await;
        asked.status(200);
    });
}

#[tokio::test(start_paused = true)]
async fn one_is_posted_each_interval_and_the_first_after_one() {
    let (times, exit, _) = beats([ok, late, ok, gone]).await;
    assert_eq!(times, [1000, 2000, 3000, 4000]);
    assert!(matches!(exit, Exit::Heartbeat(Lost::Gone)));
}

#[tokio::test(start_paused = true)]
async fn three_misses_in_a_row_are_too_many() {
    let (times, exit, ended) = beats([ok, unavailable, unavailable, unavailable]).await;
    assert_eq!(times, [1000, 2000, 3000, 4000]);
    assert!(matches!(exit, Exit::Heartbeat(Lost::Missed)));
    assert_eq!(ended, 4000);
}

#[tokio::test(start_paused = true)]
async fn two_misses_are_not_and_an_answer_forgives_them() {
    let answers = [
        unavailable,
        unavailable,
        ok,
        unavailable,
        unavailable,
        ok,
        gone,
    ];
    let (times, exit, _) = beats(answers).await;
    assert_eq!(times.len(), 7);
    assert!(matches!(exit, Exit::Heartbeat(Lost::Gone)));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_answered_within_an_interval_is_missed() {
    // FW8: one that hangs does not stand for all that should have followed.
    let (times, exit, ended) = beats([hang, ok, hang, hang, hang]).await;
    assert_eq!(times, [1000, 2000, 3000, 4000, 5000]);
    assert!(matches!(exit, Exit::Heartbeat(Lost::Missed)));
    assert_eq!(ended, 6000);
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_one_is_read_to_its_end() {
    let mut opened = open(SECOND).await;
    tokio::spawn(comment(opened.stream));
    let session = tokio::spawn(async move { exit(&mut opened.session).await });
    let mut answer = opened.peer.next().await.answer(200, "application/json");
    // While somebody reads.
    for piece in ["{\"ok\":", " true}"] {
        sleep(10 * MS).await;
        send(&mut answer, piece).await;
    }
    drop(answer);
    opened.peer.next().await.status(410);
    let exit = session.await.unwrap();
    assert!(matches!(exit, Exit::Heartbeat(Lost::Gone)));
}

#[tokio::test(start_paused = true)]
async fn a_long_answer_is_not_read_to_its_end() {
    let mut opened = open(SECOND).await;
    tokio::spawn(comment(opened.stream));
    let session = tokio::spawn(async move { exit(&mut opened.session).await });
    let mut answer = opened.peer.next().await.answer(200, "text/plain");
    let mut kib = 0;
    while answer.send_data(vec![b' '; 1024].into()).await.is_ok() {
        kib += 1;
        sleep(MS).await;
    }
    assert_eq!(kib, 17);
    opened.peer.next().await.status(410);
    let exit = session.await.unwrap();
    assert!(matches!(exit, Exit::Heartbeat(Lost::Gone)));
}

/// With a body that has no end, and comes slowly.
fn dripping(asked: Asked, status: u16) {
    let mut answer = asked.answer(status, "text/plain");
    tokio::spawn(async move {
        while answer.send_data(" ".into()).await.is_ok() {
            sleep(90 * MS).await;
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_holds_up_neither_the_next_one_nor_the_end() {
    let answers: [fn(Asked); 4] = [
        |asked| dripping(asked, 200),
        |asked| dripping(asked, 200),
        |asked| dripping(asked, 200),
        |asked| dripping(asked, 410),
    ];
    let (times, exit, ended) = beats(answers).await;
    assert_eq!(times, [1000, 2000, 3000, 4000]);
    assert!(matches!(exit, Exit::Heartbeat(Lost::Gone)));
    assert_eq!(ended, 4000);
}

#[tokio::test(start_paused = true)]
async fn those_that_a_sleeping_machine_missed_are_not_made_up_for() {
    let mut opened = open(SECOND).await;
    assert!(is_pending(&mut opened.session));
    // Nothing is polled in that time, while comments pile up.
    advance(10 * SECOND + 300 * MS).await;
    send(&mut opened.stream, ": hi\n\n").await;
    assert!(is_pending(&mut opened.session));
    opened.peer.next().await.status(200);
    assert!(is_pending(&mut opened.session));
    assert!(opened.peer.is_idle(), "the others too");
    advance(700 * MS).await;
    assert!(is_pending(&mut opened.session));
    assert!(!opened.peer.is_idle(), "out of step");
}
