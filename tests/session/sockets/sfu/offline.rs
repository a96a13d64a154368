//! A device that has no network.

use tokio::time::sleep;
use tower_failover::session::Phase;

use super::{join, network::Network, servers, settings, told};
use crate::sockets::{A_WHILE, PATIENCE, healthy, until};

#[tokio::test]
async fn while_the_network_is_down_nothing_is_tried_and_then_the_session_is_resumed() {
    // S29 as of SW2.
    let (servers, coordinator) = servers(&["a", "b"]).await;
    let call = join(&coordinator, settings());
    healthy(&call, "a").await;
    let id = call.current().unwrap().client;
    let mut network = Network::new(call.clone(), PATIENCE);
    network.down();
    network.down();
    servers[0].reset();
    let status = until(&call, |status| status.phase == Phase::Paused).await;
    sleep(A_WHILE).await;
    assert_eq!(servers[0].seen().connections.len(), 1);
    assert_eq!(call.status().borrow().attempt, status.attempt);

    network.up();
    until(&call, |status| status.epoch == 2).await;
    assert_eq!(call.current().unwrap().client, id);
    assert_eq!(coordinator.asked().len(), 1);
}

#[tokio::test]
async fn after_a_long_time_without_network_the_call_is_joined_anew() {
    let (servers, coordinator) = servers(&["a", "b"]).await;
    let call = join(&coordinator, settings());
    healthy(&call, "a").await;
    let id = call.current().unwrap().client;
    let mut network = Network::new(call.clone(), A_WHILE);
    network.down();
    servers[0].reset();
    until(&call, |status| status.phase == Phase::Paused).await;
    sleep(2 * A_WHILE).await;
    network.up();
    let mut waited = false;
    until(&call, |status| {
        waited |= status.phase == Phase::Waiting;
        status.epoch == 2
    })
    .await;
    // As if an attempt had been begun before it was clear that it is to be another one.
    assert!(!waited);
    let seen = servers[0].seen();
    assert_eq!(told(seen.joins.last().unwrap()), (None, Some(&*id)));
    assert_ne!(call.current().unwrap().client, id);
    assert_eq!(coordinator.asked().len(), 2);
    assert_eq!(seen.connections.len(), 2, "not one with the old id first");
}

#[tokio::test]
async fn a_network_that_is_back_before_the_loss_was_noticed_resumes_at_once() {
    let (servers, coordinator) = servers(&["a", "b"]).await;
    let call = join(&coordinator, settings());
    healthy(&call, "a").await;
    let id = call.current().unwrap().client;
    let mut network = Network::new(call.clone(), PATIENCE);
    servers[0].silence();
    network.down();
    network.up();
    // Long before the pings are missed.
    let joined = servers[0].wait_for(|seen| seen.joins.len() == 2).await;
    assert_eq!(told(&joined.joins[1]), (Some(&*id), None));
    network.up();
    until(&call, |status| status.epoch == 2).await;
}
