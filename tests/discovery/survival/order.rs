//! Who is asked after whom, and when.

use std::time::Duration;

use tokio::time::Instant;
use tower_failover::{Discovery, FailoverLayer};

use crate::support::*;

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// With two seeds.
fn seeded() -> FailoverLayer {
    let seeds = |d: Discovery| d.seeds([origin("s"), origin("t")]).unwrap();
    layer_with(seeds)
}

/// Everybody fails to give a list from now on.
fn lists_fail(world: &World) {
    for whom in ["a?", "b?", "c?", "d?", "e?", "s?", "t?"] {
        world.on(whom, Act::Status(500));
    }
}

/// Discoveries so far, in order.
fn asked(world: &World) -> Vec<String> {
    let log = world.log().into_iter();
    log.filter(|whom| whom.ends_with('?')).collect()
}

#[tokio::test(start_paused = true)]
async fn home_is_asked_first_then_its_regions_as_listed_then_the_seeds() {
    let world = World::default();
    world.on("a?", Act::List(&["b", "a", "c"]));
    let layer = seeded();
    world.client(&layer).warm_up(origin("a")).await.unwrap();
    lists_fail(&world);
    let error = layer.handle().refresh(origin("a")).await;
    error.unwrap_err();
    assert_eq!(asked(&world), ["a?", "a?", "b?", "c?", "s?", "t?"]);
}

#[tokio::test(start_paused = true)]
async fn a_cold_client_knows_home_and_the_seeds() {
    let world = World::default();
    lists_fail(&world);
    let client = world.client(&seeded());
    client.warm_up(origin("a")).await.unwrap_err();
    assert_eq!(asked(&world), ["a?", "s?", "t?"]);
}

#[tokio::test(start_paused = true)]
async fn the_first_answer_spares_those_after_it() {
    let world = World::default();
    world.on("a?", Act::List(&["a", "b", "c"]));
    let layer = seeded();
    world.client(&layer).warm_up(origin("a")).await.unwrap();
    lists_fail(&world);
    world.on("b?", Act::List(&["b"]));
    layer.handle().refresh(origin("a")).await.unwrap();
    assert_eq!(asked(&world), ["a?", "a?", "b?"]);
}

#[tokio::test(start_paused = true)]
async fn three_of_many_regions_are_asked_and_those_that_failed_lately_come_last() {
    let world = World::default();
    world
        .on("a", Act::Status(503))
        .on("b", Act::Reset)
        .on("a?", Act::List(&["a", "b", "c", "d", "e"]));
    let layer = seeded();
    let client = world.client(&layer);
    // It meets the failures of `a` and of `b`.
    let response = head_of(&client, get_of("a")).await.unwrap();
    assert_eq!(response.status(), 200);
    lists_fail(&world);
    layer.handle().refresh(origin("a")).await.unwrap_err();
    assert_eq!(asked(&world), ["a?", "a?", "c?", "d?", "e?", "s?", "t?"]);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_twice_in_one_discovery() {
    let world = World::default();
    world.on("a?", Act::List(&["a", "s"]));
    let seeds = |d: Discovery| d.seeds([origin("a"), origin("s"), origin("s")]).unwrap();
    let layer = layer_with(seeds);
    world.client(&layer).warm_up(origin("a")).await.unwrap();
    lists_fail(&world);
    layer.handle().refresh(origin("a")).await.unwrap_err();
    assert_eq!(asked(&world), ["a?", "a?", "s?"]);
}

#[tokio::test(start_paused = true)]
async fn each_that_hangs_is_overtaken_and_all_get_their_turn_in_time() {
    let world = World::default();
    world.on("a?", Act::List(&["a", "b", "c", "d"]));
    let layer = seeded();
    world.client(&layer).warm_up(origin("a")).await.unwrap();
    for whom in ["a?", "b?", "c?", "d?", "s?"] {
        world.on(whom, Act::Hang);
    }
    world.on("t?", Act::List(&["b"]));
    let begin = Instant::now();
    layer.handle().refresh(origin("a")).await.unwrap();
    assert!(begin.elapsed() < 2 * S, "{:?}", begin.elapsed());
    assert_eq!(asked(&world)[1..], ["a?", "b?", "c?", "d?", "s?", "t?"]);
    assert_eq!(world.open(), 0, "the others are not waited for any more");
}

#[tokio::test(start_paused = true)]
async fn one_that_was_overtaken_may_still_answer() {
    let world = World::default();
    world
        .on("a?", after(900 * MS, Act::List(&["a", "b"])))
        .on("s?", Act::Hang)
        .on("t?", Act::Hang);
    let begin = Instant::now();
    world.client(&seeded()).warm_up(origin("a")).await.unwrap();
    assert_eq!(begin.elapsed(), 900 * MS);
    assert_eq!(world.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_home_that_answers_in_a_moment_is_not_overtaken() {
    let world = World::default();
    world.on("a?", after(100 * MS, Act::List(&["a", "b"])));
    world.client(&seeded()).warm_up(origin("a")).await.unwrap();
    assert_eq!(asked(&world), ["a?"]);
}
