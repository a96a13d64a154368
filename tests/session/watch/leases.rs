//! Where a lease goes, and that no heartbeat is posted for one that was left.

use failover_cluster::{
    Fault, WatchServer,
    watch_server::{Piece, Seen},
};
use tower_failover::session::{
    Closed,
    watch::{Exit, Lease, Watch},
};

use super::{
    CALL, RemoteAccess, called, client, healthy, refused, server, servers, start, until, watch,
};

fn previous(seen: &Seen) -> Vec<Option<&str>> {
    let grants = seen.grants.iter();
    grants.map(|grant| grant.previous.as_deref()).collect()
}

#[tokio::test]
async fn a_lease_is_carried_over_connects_that_fail() {
    let server = server().await;
    let handle = start(std::slice::from_ref(&server), watch());
    healthy(&handle, 1).await;
    let busy = Fault::First(4, Box::new(Fault::Status(503)));
    server.region().set_at(WatchServer::WATCH, busy).await;
    server.send(Piece::End);
    let seen = server.wait_for(|seen| seen.grants.len() == 2).await;
    assert_eq!(seen.gets.len(), 6);
    assert_eq!(previous(&seen), [None, Some("eu-lease-1")]);
}

#[tokio::test]
async fn a_lease_is_carried_to_another_region() {
    let servers = servers(&["eu", "us"]).await;
    let handle = start(&servers, watch());
    healthy(&handle, 1).await;
    servers[0].region().set(Fault::Refuse).await;
    let seen = servers[1].wait_for(|seen| seen.grants.len() == 1).await;
    assert_eq!(previous(&seen), [Some("eu-lease-1")]);
    // Heartbeats go along.
    let seen = servers[1].wait_for(|seen| seen.heartbeats.len() == 2).await;
    assert!(
        seen.heartbeats
            .iter()
            .all(|beat| beat.lease == "us-lease-2")
    );
    servers[1].wake(CALL);
    called(&handle).await;
}

#[tokio::test]
async fn no_heartbeat_is_posted_for_a_lease_that_was_left() {
    let server = server().await;
    let handle = start(std::slice::from_ref(&server), watch());
    let kept = async |round: u64| {
        let lease = format!("eu-lease-{round}");
        let twice = |seen: &Seen| {
            let beats = seen.heartbeats.iter();
            beats.filter(|beat| beat.lease == lease).count() >= 2
        };
        server.wait_for(twice).await
    };
    for round in 1..=3 {
        // One has just come, so that none is on its way when the stream ends.
        kept(round).await;
        healthy(&handle, round).await;
        server.send(Piece::End);
    }
    let seen = kept(4).await;
    assert_eq!(seen.grants.len(), 4);
    assert!(seen.overlaps().is_empty(), "{seen:#?}");
}

#[tokio::test]
async fn the_next_watch_can_take_the_lease_over() {
    let server = server().await;
    let handle = start(std::slice::from_ref(&server), watch());
    healthy(&handle, 1).await;
    server.wake(CALL);
    let Ok(Closed::Exited(exit)) = handle.closed().await else {
        panic!("no exit");
    };
    let Exit::Done { lease, .. } = &*exit else {
        panic!("{exit:?}");
    };

    // Also where the first connect fails.
    let busy = Fault::First(1, Box::new(Fault::Status(503)));
    server.region().set_at(WatchServer::WATCH, busy).await;
    let handle = start(std::slice::from_ref(&server), watch().lease(lease.clone()));
    server.wait_for(|seen| seen.grants.len() == 2).await;
    healthy(&handle, 1).await;
    // Once it is dead it is not offered again.
    server.expire();
    let seen = server.wait_for(|seen| seen.grants.len() == 3).await;
    assert_eq!(previous(&seen), [None, Some("eu-lease-1"), None]);
}

#[tokio::test]
async fn a_lease_from_before_that_is_in_conflict_is_dropped() {
    let server = server().await;
    let first = start(std::slice::from_ref(&server), watch());
    healthy(&first, 1).await;
    let second = start(
        std::slice::from_ref(&server),
        watch().lease(Lease::new("stale")),
    );
    assert_eq!(refused(&second).await, "another holds the lease");
    first.shutdown().await;
    until(&second, |status| status.epoch == 1).await;
    assert_eq!(previous(&server.seen()), [None, None]);
}

#[tokio::test]
async fn a_lease_from_before_that_is_dead_is_dropped() {
    let server = server().await;
    let dead = Fault::First(1, Box::new(Fault::Status(410)));
    server.region().set_at(WatchServer::WATCH, dead).await;
    let handle = start(
        std::slice::from_ref(&server),
        watch().lease(Lease::new("dead")),
    );
    healthy(&handle, 1).await;
    let seen = server.seen();
    assert_eq!(seen.gets.len(), 2);
    assert_eq!(previous(&seen), [None]);
}

#[tokio::test]
async fn devices_do_not_meet() {
    let server = server().await;
    let first = start(std::slice::from_ref(&server), watch());
    let other = super::unclamped(Watch::new(client(), RemoteAccess::new("other")));
    let second = start(std::slice::from_ref(&server), other);
    healthy(&first, 1).await;
    healthy(&second, 1).await;
    let mut devices: Vec<_> = server
        .seen()
        .grants
        .into_iter()
        .map(|grant| grant.device)
        .collect();
    devices.sort();
    assert_eq!(devices, ["DeviceToken other", "DeviceToken secret"]);
}
