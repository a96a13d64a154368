//! A fetch ends with the last call that waits for it.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tower::Service;
use tower_failover::{Budget, FailoverLayer, Health};

use crate::support::*;

const S: Duration = Duration::from_secs(1);

/// What becomes of `a`, and when a call of it is dropped, with so many requests under way by then:
/// a call and a discovery, or a held response and a discovery.
fn moments() -> Vec<(&'static str, Act, Duration, usize)> {
    vec![
        ("with a response at hand", Act::Status(503), S / 5, 2),
        ("with an error at hand", Act::Reset, S / 5, 1),
        ("with the attempt under way", Act::Hang, 6 * S / 5, 2),
    ]
}

/// The list takes a second, and a region has one to answer.
fn world(act: Act) -> (World, FailoverLayer) {
    let world = World::default();
    world
        .on("a", act)
        .on("a?", after(S, Act::List(&["a", "b"])));
    let layer = layer().attempt_timeout(S).budget(Budget::unlimited());
    (world, layer)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_leaves_nothing_behind_and_the_next_one_asks_again() {
    for (name, act, at, open) in moments() {
        let (world, layer) = world(act);
        let client = world.client(&layer);
        let mut call = Box::pin(head_of(&client, get_of("a")));
        assert!(timeout(at, &mut call).await.is_err(), "{name}");
        assert_eq!((world.open(), world.log().len()), (open, 2), "{name}");
        drop(call);
        assert_eq!(world.open(), 0, "{name}");
        sleep(10 * S).await;
        assert_eq!(world.log(), ["a", "a?"], "{name}");
        // Nothing is remembered of it as a failure of discovery.
        let response = head_of(&client, get_of("a")).await.unwrap();
        assert_eq!(response.status(), 200, "{name}");
        assert_eq!(world.log(), ["a", "a?", "a", "a?", "b"], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_others_get_the_list_when_the_call_that_began_the_fetch_is_dropped() {
    for (name, act, at, open) in moments() {
        let (world, layer) = world(act);
        let client = world.client(&layer);
        let mut first = Box::pin(head_of(&client, get_of("a")));
        let mut second = Box::pin(head_of(&client, get_of("a")));
        assert!(timeout(Duration::ZERO, &mut first).await.is_err());
        let begin = Instant::now();
        assert!(timeout(at, &mut second).await.is_err());
        // The first is polled last when it began, so that it is the one who drives the fetch.
        assert!(timeout(Duration::ZERO, &mut first).await.is_err());
        drop(first);
        // A call less of the two, and the same fetch.
        assert_eq!(world.open(), open, "{name}");
        assert_eq!(second.await.unwrap().status(), 200, "{name}");
        assert!(begin.elapsed() <= 2 * S, "{name}");
        assert_eq!((world.count("a?"), world.count("b")), (1, 1), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_was_given_up_late_counts_as_failed() {
    let (world, _) = world(Act::Status(503));
    let layer = layer_with(|discovery| discovery.timeout(S * 3 / 2));
    // The first probe comes when the test is over.
    let health = Health::default().probe_every(60 * S, 60 * S);
    let layer = layer.budget(Budget::unlimited()).health(health);
    let client = world.client(&layer);
    // Half of its time and more.
    let call = head_of(&client, get_of("a"));
    assert!(timeout(S * 4 / 5, call).await.is_err());
    let response = head_of(&client, get_of("a")).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(world.log(), ["a", "a?", "a"]);
    // But not for longer than a failure does.
    sleep(15 * S).await;
    let response = head_of(&client, get_of("a")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(world.log(), ["a", "a?", "a", "a", "a?", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_goes_on_for_the_call_that_joined_a_refresh() {
    let (world, layer) = world(Act::Status(503));
    let client = world.client(&layer);
    let mut refresh = client.warm_up(origin("a"));
    assert!(timeout(S / 4, &mut refresh).await.is_err());
    let mut call = Box::pin(head_of(&client, get_of("a")));
    assert!(timeout(S / 2, &mut call).await.is_err());
    drop(refresh);
    assert_eq!(call.await.unwrap().status(), 200);
    assert_eq!(world.log(), ["a?", "a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_goes_on_for_the_refresh_that_joined_a_call() {
    let (world, layer) = world(Act::Status(503));
    let client = world.client(&layer);
    let mut call = Box::pin(head_of(&client, get_of("a")));
    assert!(timeout(S / 4, &mut call).await.is_err());
    let refresh = layer.handle().refresh(origin("a"));
    drop(call);
    refresh.await.unwrap();
    assert_eq!(world.log(), ["a", "a?"]);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_is_dropped_leaves_nothing_behind() {
    let (world, layer) = world(Act::Status(503));
    let client = world.client(&layer);
    let mut refresh = client.warm_up(origin("a"));
    assert!(timeout(S / 5, &mut refresh).await.is_err());
    assert_eq!(world.open(), 1);
    drop(refresh);
    assert_eq!(world.open(), 0);
    client.warm_up(origin("a")).await.unwrap();
    assert_eq!(world.log(), ["a?", "a?"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_polled_does_not_keep_the_list_from_others() {
    let world = World::default();
    world
        .on("a", Act::Status(503))
        .on("a?", Act::Hang)
        .on("s?", after(S / 100, Act::List(&["a", "b"])));
    let layer = layer_with(|discovery| discovery.seeds([origin("s")]).unwrap());
    let client = world.client(&layer.budget(Budget::unlimited()));
    let mut first = Box::pin(head_of(&client, get_of("a")));
    assert!(timeout(S / 10, &mut first).await.is_err());
    assert_eq!(world.log(), ["a", "a?"]);
    // For longer than a fetch may take.
    sleep(10 * S).await;
    let response = head_of(&client, get_of("a")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(world.log()[2..], ["a", "a?", "s?", "b"]);
    assert_eq!(first.await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_has_ended_waits_for_no_list_though_its_future_is_kept() {
    let (world, _) = world(after(6 * S, Act::Status(200)));
    world.on("a?", Act::Hang);
    let layer = layer_with(|discovery| discovery.timeout(60 * S));
    let mut client = world.client(&layer.attempt_timeout(S));
    let mut call = Box::pin(client.call(get_of("a")));
    assert!(timeout(2 * S, &mut call).await.is_err());
    assert_eq!(world.open(), 2);
    let response = (&mut call).await.unwrap();
    assert_eq!(response.status(), 200);
    drop(response);
    assert_eq!(world.open(), 0);
    assert_eq!(world.log(), ["a", "a?"]);
    drop(call);
}
