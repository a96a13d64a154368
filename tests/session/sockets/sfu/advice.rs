//! What a server advises.

use failover_cluster::session_server::{Mode, Reason};
use tokio::time::{sleep, timeout};
use tower_failover::session::Closed;

use super::{asked, join, servers, settings, told};
use crate::sockets::{A_WHILE, Act, PATIENCE, healthy, until, up};

#[tokio::test]
async fn advice_to_come_back_fast_resumes_the_session_in_its_place() {
    // S14, S26, S39, S40.
    let (servers, coordinator) = servers(&["a", "b"]).await;
    let call = join(&coordinator, settings());
    healthy(&call, "a").await;
    let id = call.current().unwrap().client;
    servers[0].advise("FAST");
    let seen = servers[0].wait_for(|seen| seen.joins.len() == 2).await;
    assert_eq!(told(&seen.joins[1]), (Some(&*id), None));
    until(&call, |status| status.epoch == 2).await;
    assert_eq!(call.current().unwrap().client, id);
    // Whoever says goodbye has nothing to resume.
    let seen = servers[0].wait_for(|seen| seen.ends.len() == 1).await;
    assert!(seen.ended(&Reason::Lost) && seen.resumed() == 1);
    assert_eq!(coordinator.asked().len(), 1);
}

#[tokio::test]
async fn advice_to_rejoin_begins_a_new_session_that_tells_the_old_one() {
    // S12, S25, S38, S41.
    let (servers, coordinator) = servers(&["a", "b"]).await;
    let call = join(&coordinator, settings());
    healthy(&call, "a").await;
    let id = call.current().unwrap().client;
    servers[0].advise("REJOIN");
    let seen = servers[0].wait_for(|seen| seen.joins.len() == 2).await;
    assert_eq!(told(&seen.joins[1]), (None, Some(&*id)));
    until(&call, |status| status.epoch == 2).await;
    assert_ne!(call.current().unwrap().client, id);
    servers[0].wait_for(|seen| seen.ends.len() == 1).await;
    assert_eq!(coordinator.asked()[1], asked(&[], Some("a")));
    assert_eq!(servers[1].seen().connections.len(), 0);
}

#[tokio::test]
async fn advice_to_migrate_and_a_goaway_overlap_and_keep_the_id() {
    // S10, S24, S39, S42, S45.
    let advices: [Act; 2] = [
        |server| server.advise("MIGRATE"),
        |server| server.go_away(None, None),
    ];
    for advise in advices {
        let (servers, coordinator) = servers(&["a", "b"]).await;
        let call = join(&coordinator, settings());
        healthy(&call, "a").await;
        let id = call.current().unwrap().client;
        advise(&servers[0]);
        let joined = servers[1].wait_for(|seen| seen.joins.len() == 1).await;
        assert_eq!(told(&joined.joins[0]), (Some(&*id), Some("a")));
        assert!(joined.joins[0].resumed);
        let left = servers[0].wait_for(|seen| seen.live == 0).await;
        assert!(left.ended(&Reason::Leave) && left.ends[0].at >= joined.joins[0].at);
        up(&call, "b").await;
        assert_eq!(call.current().unwrap().client, id);
        assert_eq!(coordinator.asked()[1], asked(&["a"], Some("a")));
    }
}

#[tokio::test]
async fn advice_to_disconnect_ends_the_call() {
    // S13, S27.
    let (servers, coordinator) = servers(&["a", "b"]).await;
    let call = join(&coordinator, settings());
    healthy(&call, "a").await;
    servers[0].advise("DISCONNECT");
    let closed = timeout(PATIENCE, call.closed()).await.unwrap();
    assert!(matches!(closed, Ok(Closed::Settled)), "{closed:?}");
    assert!(servers[0].seen().ended(&Reason::Leave));
    sleep(A_WHILE).await;
    let dials = servers.iter().map(|server| server.seen().connections.len());
    assert_eq!(dials.collect::<Vec<_>>(), [1, 0]);
}

#[tokio::test]
async fn advice_to_disconnect_is_heard_in_the_middle_of_a_migration() {
    // SW6.
    let (servers, coordinator) = servers(&["a", "b"]).await;
    let call = join(&coordinator, settings());
    healthy(&call, "a").await;
    servers[1].set(Mode::BlackHole).await;
    servers[0].advise("MIGRATE");
    servers[1].wait_for(|seen| seen.joins.len() == 1).await;
    servers[0].advise("DISCONNECT");
    let closed = timeout(PATIENCE, call.closed()).await.unwrap();
    assert!(matches!(closed, Ok(Closed::Settled)), "{closed:?}");
    assert!(servers[0].seen().ended(&Reason::Leave));
}
