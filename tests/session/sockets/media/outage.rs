//! Relays that fail.

use std::io;

use failover_cluster::{
    SessionServer,
    session_server::{Mode, Reason},
};
use tokio::time::{Duration, Instant, sleep, timeout};
use tower_failover::{
    FailoverLayer,
    session::{CauseKind, ErrorKind, Phase},
};

use super::{publish, settings};
use crate::sockets::{
    A_WHILE, Act, MS, PATIENCE, at, healthy, lines::Fault, region, regions, start, until, up,
};

#[tokio::test]
async fn a_list_is_walked_past_relays_that_refuse_and_relays_that_never_answer() {
    // M26, and M30: what does not answer leaves time for the others.
    let relays = start(&["eu", "us", "ap"]).await;
    relays[0].set(Mode::Refuse).await;
    relays[1].set(Mode::BlackHole).await;
    let settings = settings().give_up_after(1500 * MS).healthy_after(PATIENCE);
    let publisher = publish(regions(&relays), settings);
    let status = up(&publisher, "ap").await;
    assert_eq!((status.epoch, status.attempt), (1, 3));
    assert_eq!(status.cause.unwrap().kind(), CauseKind::TimedOut);
    assert_eq!(relays[1].seen().connections.len(), 1);
}

#[tokio::test]
async fn one_relay_that_never_answers_is_dialed_more_than_once_before_the_end() {
    // M08, without MW3.
    let relays = start(&["eu"]).await;
    relays[0].set(Mode::BlackHole).await;
    let began = Instant::now();
    let publisher = publish(regions(&relays), settings().give_up_after(600 * MS));
    let error = timeout(PATIENCE, publisher.closed()).await.unwrap();
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GaveUp);
    assert_eq!(error.cause().unwrap().kind(), CauseKind::TimedOut);
    assert!(began.elapsed() >= 600 * MS);
    let dials = relays[0].seen().connections.len();
    assert!((2..=4).contains(&dials), "{dials} dials");
    assert_eq!(error.attempts() as usize, dials);
}

#[tokio::test]
async fn a_relay_that_refuses_is_given_up_with_the_cause() {
    // M06.
    let relays = start(&["eu"]).await;
    relays[0].set(Mode::Refuse).await;
    let publisher = publish(regions(&relays), settings().give_up_after(300 * MS));
    let established = timeout(PATIENCE, publisher.established()).await.unwrap();
    let error = established.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GaveUp);
    assert!(error.elapsed() >= 300 * MS && error.attempts() >= 2);
    assert_eq!(error.tried(), [region(&relays[0])]);
    match error.cause().unwrap().downcast_ref() {
        Some(Fault::Io(error)) => assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn relays_that_accept_and_close_are_met_by_growing_waits_and_given_up() {
    // M35, without MW1.
    let relays = start(&["eu", "us"]).await;
    for relay in &relays {
        relay.set(Mode::WelcomeThenClose(Duration::ZERO)).await;
    }
    let publisher = publish(regions(&relays), settings().give_up_after(1000 * MS));
    let error = timeout(PATIENCE, publisher.closed()).await.unwrap();
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GaveUp);
    assert_eq!(error.cause().unwrap().kind(), CauseKind::Exited);
    let dials: usize = relays
        .iter()
        .map(|relay| relay.seen().connections.len())
        .sum();
    // 25, 50 and from then on 100 ms are the shortest waits.
    assert!((3..=13).contains(&dials), "{dials} dials");
    sleep(A_WHILE).await;
    let later: usize = relays
        .iter()
        .map(|relay| relay.seen().connections.len())
        .sum();
    assert_eq!(later, dials);
}

#[tokio::test]
async fn a_busy_relay_is_left_alone_for_as_long_as_it_asks() {
    // MW7.
    let relays = start(&["eu"]).await;
    let busy = Mode::Busy(400 * MS);
    relays[0].set(Mode::First(1, Box::new(busy))).await;
    let publisher = publish(regions(&relays), settings());
    let status = until(&publisher, |status| status.phase == Phase::Waiting).await;
    assert_eq!(
        status.cause.unwrap().reason(),
        Some("the server is busy for 400ms")
    );
    let wait = status.next_at.unwrap() - status.since;
    assert!((395 * MS..=500 * MS).contains(&wait), "{wait:?}");
    up(&publisher, "eu").await;
    let joins = relays[0].seen().joins;
    assert!(joins[1].at - joins[0].at >= 400 * MS);
}

#[tokio::test]
async fn a_session_that_is_cut_is_resumed() {
    let cuts: [(&str, Act); 4] = [
        ("FIN", SessionServer::close),
        ("RST", SessionServer::reset),
        ("BYE", |relay| relay.bye(503)),
        ("silence", SessionServer::silence),
    ];
    for (name, cut) in cuts {
        let relays = start(&["eu", "us"]).await;
        let publisher = publish(regions(&relays), settings());
        healthy(&publisher, "eu").await;
        cut(&relays[0]);
        let status = until(&publisher, |status| status.epoch == 2).await;
        assert_eq!(at(&status), "eu", "{name}");
        let seen = relays[0].seen();
        assert_eq!((seen.connections.len(), seen.resumed()), (2, 1), "{name}");
        assert_eq!(relays[1].seen().connections.len(), 0, "{name}");
        if name == "silence" {
            relays[0].wait_for(|seen| seen.ended(&Reason::Lost)).await;
        }
    }
}

#[tokio::test]
async fn a_relay_that_calls_pass_over_is_not_where_a_session_begins() {
    let relays = start(&["eu", "us"]).await;
    let layer = FailoverLayer::new(regions(&relays));
    let handle = layer.handle();
    assert!(handle.eject(&region(&relays[0]), 60_000 * MS));
    let publisher = publish(&layer, settings());
    healthy(&publisher, "us").await;
    assert_eq!(relays[0].seen().connections.len(), 0);

    // And is again, once it is back.
    handle.restore(&region(&relays[0]));
    relays[1].go_away(None, None);
    up(&publisher, "eu").await;
}
