//! A relay that goes away.

use failover_cluster::{
    SessionServer,
    session_server::{Mode, Reason},
};
use tokio::{sync::mpsc, time::timeout};
use tower_failover::session::{Phase, Targets};

use super::{page, publish, settings};
use crate::sockets::{MS, PATIENCE, at, healthy, regions, start, until, up};

#[tokio::test]
async fn a_relay_that_goes_away_serves_until_the_next_one_does() {
    // M38: no gap.
    let relays = start(&["eu", "us"]).await;
    let (eu, us) = (&relays[0], &relays[1]);
    let (received, mut echoes) = mpsc::unbounded_channel();
    let settings = settings().attempt_timeout(400 * MS).per_target_attempts(0);
    let publisher = page::publish(regions(&relays), settings, received).unwrap();
    healthy(&publisher, "eu").await;

    us.set(Mode::BlackHole).await;
    eu.go_away(None, None);
    us.wait_for(|seen| seen.joins.len() == 1).await;
    let status = until(&publisher, |status| status.phase == Phase::Migrating).await;
    assert_eq!(at(&status), "eu");
    assert_eq!(status.cause.unwrap().reason(), Some("go away"));
    let live = publisher.established().await.unwrap();
    assert_eq!((live.region.name(), live.epoch), ("eu", 1));
    live.client.send("still".to_owned()).await.unwrap();
    let echo = timeout(PATIENCE, echoes.recv()).await.unwrap();
    assert_eq!(echo.as_deref(), Some("still"));
    assert!(!eu.seen().ended(&Reason::Leave));

    us.set(Mode::Accept).await;
    let status = up(&publisher, "us").await;
    assert_eq!(status.epoch, 2);
    let left = eu.wait_for(|seen| seen.live == 0).await;
    let joined = us.seen();
    let join = joined.joins.last().unwrap();
    assert!(left.ended(&Reason::Leave) && left.ends[0].at >= join.at);
    assert_eq!((join.from.as_deref(), join.resumed), (Some("eu"), true));
    let live = publisher.current().unwrap();
    live.client.send("again".to_owned()).await.unwrap();
    let echo = timeout(PATIENCE, echoes.recv()).await.unwrap();
    assert_eq!(echo.as_deref(), Some("again"));
}

#[tokio::test]
async fn the_old_session_ends_at_the_earlier_deadline_while_the_next_is_still_dialed() {
    // M23, M39: ours, and the relay's.
    for (ours, theirs) in [
        (100 * MS, None),
        (100 * MS, Some(3_600_000 * MS)),
        (3_600_000 * MS, Some(100 * MS)),
    ] {
        let relays = start(&["eu", "us"]).await;
        let (eu, us) = (&relays[0], &relays[1]);
        let settings = settings().drain(ours).attempt_timeout(PATIENCE);
        let publisher = publish(regions(&relays), settings);
        healthy(&publisher, "eu").await;
        us.set(Mode::BlackHole).await;
        eu.go_away(None, theirs);
        us.wait_for(|seen| seen.joins.len() == 1).await;
        let seen = eu.wait_for(|seen| seen.live == 0).await;
        // Without goodbye: us is to resume it.
        assert!(seen.ended(&Reason::Lost), "{ours:?} {theirs:?}");
        until(&publisher, |status| status.phase == Phase::Connecting).await;
        assert!(publisher.current().is_none());
        assert_eq!(us.seen().joins.len(), 1, "the dial goes on");
    }
}

#[tokio::test]
async fn a_redirect_is_followed_to_a_relay_that_is_known() {
    // M38.
    let relays = start(&["eu", "us", "ap"]).await;
    let publisher = publish(regions(&relays), settings());
    healthy(&publisher, "eu").await;
    relays[0].go_away(Some(&relays[2].origin()), None);
    let status = up(&publisher, "ap").await;
    assert_eq!(status.epoch, 2);
    relays[0].wait_for(|seen| seen.ended(&Reason::Leave)).await;
    assert_eq!(relays[1].seen().connections.len(), 0);
}

#[tokio::test]
async fn a_redirect_elsewhere_is_followed_only_if_its_host_is_trusted() {
    // M24.
    for trusted in [false, true] {
        let relays = start(&["eu", "us"]).await;
        let (eu, us) = (&relays[0], &relays[1]);
        let elsewhere = SessionServer::start("elsewhere").await;
        elsewhere.ping_every(100 * MS);
        let mut targets = Targets::from(regions(&relays));
        if trusted {
            targets = targets.allow("localhost").unwrap();
        }
        let publisher = publish(targets, settings());
        healthy(&publisher, "eu").await;
        let url = elsewhere.origin().replace("127.0.0.1", "localhost");
        eu.go_away(Some(&url), None);
        up(&publisher, if trusted { &url } else { "us" }).await;
        eu.wait_for(|seen| seen.ended(&Reason::Leave)).await;
        let dialed = [us, &elsewhere].map(|relay| relay.seen().connections.len());
        assert_eq!(dialed, if trusted { [0, 1] } else { [1, 0] });
    }
}
