//! Limits inside of the layer: calls and discovery share their permits.

use std::time::Duration;

use futures_util::future::poll_immediate;
use tokio::time::{Instant, sleep, timeout};
use tower::{
    Layer, ServiceBuilder, ServiceExt,
    limit::{ConcurrencyLimit, ConcurrencyLimitLayer},
    load_shed::LoadShedLayer,
};
use tower_failover::{Failover, Override, Stop};

use crate::support::*;

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// Half of the time for which a call waits for discovery.
const HALF: Duration = Duration::from_millis(1050);

/// A client with room for so many requests at once, of which each has a second while there are others.
fn limited(world: &World, room: usize) -> Failover<ConcurrencyLimit<World>> {
    let limited = ConcurrencyLimitLayer::new(room).layer(world.clone());
    layer().attempt_timeout(S).layer(limited)
}

/// `a` does this, and lists itself and `b`.
fn world(act: Act) -> World {
    let world = World::default();
    world.on("a", act).on("a?", Act::List(&["a", "b"]));
    world
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_shed_takes_no_permit_while_it_searches() {
    let world = World::default();
    world.on("slow", after(S, Act::Status(200)));
    let (discovery, asked) = source(|_| async {
        sleep(2 * S).await;
        Ok(regions_of(&["b"]))
    });
    let client = ServiceBuilder::new()
        .layer(layer_of(discovery).max_attempts(2))
        .layer(LoadShedLayer::new())
        .layer(ConcurrencyLimitLayer::new(1))
        .service(world.clone());
    let mut slow = Box::pin(client.clone().oneshot(get_of("slow")));
    assert!(poll_immediate(&mut slow).await.is_none());
    let mut shed = Box::pin(client.clone().oneshot(get_of("a")));
    assert!(poll_immediate(&mut shed).await.is_none());
    assert_eq!(slow.await.unwrap().status(), 200);
    assert!(poll_immediate(&mut shed).await.is_none());
    assert_eq!((world.log(), asked.count()), (vec!["slow".to_owned()], 1));
    let mut alone = get_of("z");
    alone
        .extensions_mut()
        .insert(Override::new().enabled(false));
    let response = client.oneshot(alone).await;
    assert_eq!(response.expect("room for it").status(), 200);
    assert_eq!(shed.await.unwrap().status(), 200);
    assert_eq!(world.log(), ["slow", "z", "b"]);
}

#[tokio::test(start_paused = true)]
async fn with_room_for_one_request_an_attempt_that_takes_too_long_makes_room_for_discovery() {
    let world = world(Act::Hang);
    let begin = Instant::now();
    let response = timeout(60 * S, limited(&world, 1).oneshot(get_of("a"))).await;
    assert_eq!(response.expect("an outcome").unwrap().status(), 200);
    assert_eq!(begin.elapsed(), S + HALF);
    assert_eq!(world.log(), ["a", "a?", "b"]);
}

#[tokio::test(start_paused = true)]
async fn with_room_for_one_request_an_answer_that_is_a_little_late_wins() {
    let world = world(after(S + HALF - MS, Act::Status(200)));
    let response = limited(&world, 1).oneshot(get_of("a")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(world.log(), ["a"], "there was no room for discovery");
}

#[tokio::test(start_paused = true)]
async fn with_room_for_one_request_an_attempt_that_made_room_is_over_when_nothing_is_found() {
    let world = world(after(10 * S, Act::Status(200)));
    world.on("a?", Act::Status(500));
    let error = limited(&world, 1).oneshot(get_of("a")).await.unwrap_err();
    assert_eq!(error.stop(), Some(Stop::Discovery));
    assert_eq!(world.log(), ["a", "a?"]);
    assert_eq!(world.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn with_room_for_two_requests_the_attempt_goes_on_and_its_late_answer_wins() {
    let world = world(after(1500 * MS, Act::Status(200)));
    world.on("a?", after(S, Act::List(&["a", "b"])));
    let mut call = Box::pin(limited(&world, 2).oneshot(get_of("a")));
    assert!(timeout(1200 * MS, &mut call).await.is_err());
    assert_eq!((world.log().len(), world.open()), (2, 2));
    let begin = Instant::now();
    assert_eq!(call.await.unwrap().status(), 200);
    assert_eq!(begin.elapsed(), 300 * MS);
    assert_eq!(world.log(), ["a", "a?"]);
}
