//! An attempt that takes too long goes on while more regions are asked for.

use std::time::Duration;

use http::Response;
use tokio::time::{Instant, sleep, timeout};
use tower_failover::{Budget, Error, FailoverLayer, Health, Served, Stop, classify::Reason};

use crate::support::*;

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// `a` answers after this time, and the list takes a second.
fn world(late: Duration, status: u16) -> World {
    let world = World::default();
    world
        .on("a", after(late, Act::Status(status)))
        .on("a?", after(S, Act::List(&["a", "b", "c"])));
    world
}

/// A region has one second to answer.
fn impatient() -> FailoverLayer {
    layer().attempt_timeout(S)
}

/// What a call of `a` ends with, and when.
async fn timed(world: &World, layer: &FailoverLayer) -> (Result<Response<()>, Error>, Duration) {
    let begin = Instant::now();
    let result = head_of(&world.client(layer), get_of("a")).await;
    (result, begin.elapsed())
}

/// Where a response came from, by which attempts.
fn attempts(response: &Response<()>) -> Vec<(String, Reason)> {
    let served = response.extensions().get::<Served>();
    let attempts = served.map_or(&[][..], Served::attempts);
    let told = attempts
        .iter()
        .map(|a| (a.region().to_string(), a.reason()));
    told.collect()
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_before_the_list_wins() {
    let world = world(1900 * MS, 200);
    let (response, took) = timed(&world, &impatient()).await;
    assert_eq!(took, 1900 * MS);
    assert_eq!(attempts(&response.unwrap()), [], "attempt 1 at home");
    assert_eq!(world.log(), ["a", "a?"]);
    assert_eq!(world.open(), 0, "nobody waits for the list any more");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_comes_before_the_answer_ends_the_attempt() {
    let world = world(2100 * MS, 200);
    let (response, took) = timed(&world, &impatient()).await;
    assert_eq!(took, 2 * S);
    let status = Reason::Status(http::StatusCode::OK);
    assert_eq!(
        attempts(&response.unwrap()),
        [(origin("a"), Reason::AttemptTimeout), (origin("b"), status)]
    );
    assert_eq!(world.log(), ["a", "a?", "b"]);
    assert_eq!(world.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_late_failure_waits_for_the_list_that_is_asked_for() {
    let world = world(1500 * MS, 503);
    let (response, took) = timed(&world, &impatient()).await;
    assert_eq!(took, 2 * S);
    let unavailable = Reason::Status(http::StatusCode::SERVICE_UNAVAILABLE);
    let response = response.unwrap();
    assert_eq!(attempts(&response)[0], (origin("a"), unavailable));
    let elapsed = response.extensions().get::<Served>().unwrap().attempts()[0].elapsed();
    assert_eq!(elapsed, 1500 * MS);
    assert_eq!(world.log(), ["a", "a?", "b"]);
}

#[tokio::test(start_paused = true)]
async fn the_attempt_goes_on_when_discovery_fails() {
    for act in [Act::Hang, Act::Status(500), after(S, Act::Reset)] {
        let world = world(10 * S, 200);
        world.on("a?", act.clone());
        let (response, took) = timed(&world, &impatient()).await;
        assert_eq!(
            (response.unwrap().status().as_u16(), took),
            (200, 10 * S),
            "{act:?}"
        );
        assert_eq!(world.log(), ["a", "a?"]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_attempt_goes_on_when_no_other_region_is_listed() {
    let world = world(10 * S, 200);
    world.on("a?", Act::List(&["a"]));
    let (response, took) = timed(&world, &impatient()).await;
    assert_eq!((response.unwrap().status().as_u16(), took), (200, 10 * S));
    assert_eq!(world.log(), ["a", "a?"]);
}

#[tokio::test(start_paused = true)]
async fn a_late_failure_after_a_failed_discovery_is_what_the_caller_gets() {
    let world = world(5 * S, 200);
    world.on("a", after(5 * S, Act::Reset)).on("a?", Act::Hang);
    let (error, took) = timed(&world, &impatient()).await;
    let error = error.unwrap_err();
    assert_eq!(took, 5 * S);
    assert_eq!(error.stop(), Some(Stop::Discovery));
    let attempts: Vec<_> = error
        .attempts()
        .iter()
        .map(|a| (a.reason(), a.elapsed()))
        .collect();
    assert_eq!(attempts, [(Reason::Reset, 5 * S)]);
    assert_eq!(world.log(), ["a", "a?"]);
}

#[tokio::test(start_paused = true)]
async fn the_total_time_ends_an_attempt_and_the_search_together() {
    let world = world(10 * S, 200);
    let (error, took) = timed(&world, &impatient().total_timeout(1500 * MS)).await;
    assert_eq!(took, 1500 * MS);
    assert_eq!(error.unwrap_err().stop(), Some(Stop::Deadline));
    assert_eq!(world.log(), ["a", "a?"]);
    assert_eq!(world.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_in_time_asks_for_nothing() {
    let world = world(999 * MS, 200);
    let (response, _) = timed(&world, &impatient()).await;
    assert_eq!(response.unwrap().status(), 200);
    assert_eq!(world.log(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_at_the_moment_of_the_list_leaves_the_next_attempt_its_time() {
    let world = world(2 * S, 503);
    world.on("b", after(500 * MS, Act::Status(200)));
    let (response, took) = timed(&world, &impatient()).await;
    assert_eq!(world.log(), ["a", "a?", "b"]);
    assert_eq!(took, 2500 * MS);
    assert_eq!(attempts(&response.unwrap())[1].0, origin("b"));
}

#[tokio::test(start_paused = true)]
async fn a_pushed_list_ends_the_search_and_leaves_the_next_attempt_its_time() {
    let world = world(1500 * MS, 503);
    world
        .on("a?", after(900 * MS, Act::List(&["a", "b", "c"])))
        .on("b", after(900 * MS, Act::Status(200)));
    // Within the time that `b` takes, discovery answers.
    let layer = impatient();
    let handle = layer.handle();
    let push = async {
        sleep(1200 * MS).await;
        let list = regions_of(&["a", "b", "c"]);
        handle.set_regions(origin("a"), list).unwrap();
    };
    let ((response, took), ()) = tokio::join!(timed(&world, &layer), push);
    assert_eq!(response.unwrap().status(), 200);
    assert_eq!(took, 2400 * MS);
    assert_eq!(world.log(), ["a", "a?", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_second_attempt_that_takes_too_long_goes_to_a_third_region_without_another_search() {
    let world = world(10 * S, 200);
    world.on("b", Act::Hang);
    let (response, took) = timed(&world, &impatient()).await;
    assert_eq!((response.unwrap().status().as_u16(), took), (200, 3 * S));
    assert_eq!(world.log(), ["a", "a?", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_region_that_takes_too_long_is_not_left_for_a_home_that_is_ejected() {
    let world = World::default();
    world.on("a", Act::Refuse);
    world.on("d", after(3 * S, Act::Status(200)));
    let (discovery, asked) = source(|n| async move {
        let list: &[&str] = if n == 0 { &["a", "b"] } else { &["d"] };
        Ok(regions_of(list).ttl(Duration::ZERO))
    });
    let layer = layer_of(discovery).budget(Budget::unlimited());
    // The first probe of home comes when the test is over.
    let health = Health::default().probe_every(60 * S, 60 * S);
    let layer = layer.attempt_timeout(S).health(health);
    assert_eq!(timed(&world, &layer).await.0.unwrap().status(), 200);
    assert_eq!(world.log(), ["a", "b"]);
    world.on("a", Act::Status(200)).on("b", Act::Status(503));
    let outcome = timeout(60 * S, timed(&world, &layer)).await;
    let (response, took) = outcome.expect("an end");
    assert_eq!((response.unwrap().status().as_u16(), took), (200, 3 * S));
    assert_eq!(world.log()[2..], ["b", "d"]);
    assert_eq!(asked.count(), 2);
}
