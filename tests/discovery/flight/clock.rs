//! When calls that wait for a list go on.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};
use tower_failover::{Budget, FailoverLayer, Served, Stop, classify::Reason};

use crate::support::*;

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// `a` fails after 100 ms, `b` is well, and the list takes a second.
fn world() -> World {
    let world = World::default();
    world
        .on("a", after(100 * MS, Act::Status(503)))
        .on("a?", after(S, Act::List(&["a", "b"])));
    world
}

fn unlimited() -> FailoverLayer {
    layer().budget(Budget::unlimited())
}

/// The status of an answer from `a`, and when it came.
async fn timed(world: &World, layer: &FailoverLayer) -> (u16, Duration) {
    let begin = Instant::now();
    let response = head_of(&world.client(layer), get_of("a")).await.unwrap();
    (response.status().as_u16(), begin.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_list_is_used_as_soon_as_it_comes() {
    let world = world();
    assert_eq!(timed(&world, &layer()).await, (200, 1100 * MS));
    assert_eq!(world.log(), ["a", "a?", "b"]);
}

#[tokio::test(start_paused = true)]
async fn the_discovery_timeout_covers_the_body() {
    let world = world();
    world.on("a?", after(S, Act::Stall(r#"{"regions":["#)));
    assert_eq!(timed(&world, &layer()).await, (503, 2100 * MS));
    assert_eq!(world.log(), ["a", "a?"]);
    assert_eq!(world.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_comes_just_in_time_is_used_and_one_that_is_late_is_not() {
    for (wait, expected) in [(1999 * MS, 200), (2001 * MS, 503)] {
        let world = world();
        world.on("a?", after(wait, Act::List(&["a", "b"])));
        assert_eq!(timed(&world, &layer()).await.0, expected, "{wait:?}");
        assert_eq!(world.count("a?"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_come_later_wait_for_what_is_left_of_the_discovery() {
    let world = world();
    world.on("a?", Act::Hang);
    let layer = unlimited();
    let begin = Instant::now();
    let calls = (0..200).map(|n| {
        let (world, layer) = (&world, &layer);
        async move {
            sleep(9 * MS * n).await;
            let (status, _) = timed(world, layer).await;
            (status, begin.elapsed())
        }
    });
    let answers = join_all(calls).await;
    assert_eq!(answers, vec![(503, 2100 * MS); 200]);
    assert_eq!(world.count("a?"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_in_a_hurry_leaves_with_its_answer_and_another_one_gets_the_list() {
    let world = world();
    let hurried = unlimited().total_timeout(500 * MS);
    // The same layer but for the time.
    let patient = hurried.clone().total_timeout(None);
    let (one, other) = tokio::join!(timed(&world, &hurried), timed(&world, &patient));
    assert_eq!(one, (503, 500 * MS));
    assert_eq!(other, (200, 1100 * MS));
    assert_eq!(world.count("a?"), 1);
    assert_eq!(world.count("b"), 1);
}

#[tokio::test(start_paused = true)]
async fn no_call_waits_for_a_list_that_leaves_no_time_for_an_attempt() {
    let world = world();
    let layer = layer().total_timeout(S).min_attempt_time(300 * MS);
    assert_eq!(timed(&world, &layer).await, (503, 700 * MS));
    assert_eq!(world.log(), ["a", "a?"]);
    assert_eq!(world.open(), 0, "nobody waits for the list any more");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_leaves_enough_time_is_used() {
    let world = world();
    world.on("a?", after(500 * MS, Act::List(&["a", "b"])));
    let layer = layer().total_timeout(S).min_attempt_time(300 * MS);
    assert_eq!(timed(&world, &layer).await, (200, 600 * MS));
    assert_eq!(world.log(), ["a", "a?", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_time_for_another_attempt_does_not_ask() {
    let world = world();
    let layer = layer().total_timeout(S).min_attempt_time(900 * MS);
    assert_eq!(timed(&world, &layer).await, (503, 100 * MS));
    assert_eq!(world.log(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_sent_away_waits_for_the_list_to_its_end() {
    for (total, expected) in [(S, (451, S)), (1600 * MS, (200, 1500 * MS))] {
        let world = world();
        world
            .on("a", Act::Status(451))
            .on("a?", after(1500 * MS, Act::List(&["b"])));
        let layer = layer().min_attempt_time(300 * MS).total_timeout(total);
        assert_eq!(timed(&world, &layer).await, expected);
        assert_eq!(world.count("a?"), 1);
        assert_eq!(world.open(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn homes_wait_side_by_side() {
    let world = world();
    world
        .on("c", after(100 * MS, Act::Status(503)))
        .on("c?", after(S, Act::List(&["c", "d"])));
    let client = world.client(&layer());
    let begin = Instant::now();
    let (one, other) = tokio::join!(head_of(&client, get_of("a")), head_of(&client, get_of("c")),);
    assert_eq!(begin.elapsed(), 1100 * MS);
    let region = |response: http::Response<()>| {
        let served = response.extensions().get::<Served>().cloned();
        served.unwrap().region().origin().to_string()
    };
    assert_eq!(region(one.unwrap()), origin("b"));
    assert_eq!(region(other.unwrap()), origin("d"));
    assert_eq!((world.count("a?"), world.count("c?")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_a_list_is_no_part_of_an_attempt_that_was_answered() {
    let world = world();
    let response = head_of(&world.client(&layer()), get_of("a")).await.unwrap();
    let served = response.extensions().get::<Served>().unwrap();
    let attempts: Vec<_> = served
        .attempts()
        .iter()
        .map(|attempt| (attempt.region().to_string(), attempt.elapsed()))
        .collect();
    assert_eq!(
        attempts,
        [(origin("a"), 100 * MS), (origin("b"), Duration::ZERO)]
    );
}

#[tokio::test(start_paused = true)]
async fn the_error_is_that_of_the_attempt_whatever_became_of_discovery() {
    for (act, waited) in [
        (Act::Hang, 2 * S),
        (after(S, Act::Status(500)), S),
        (after(S, Act::Reset), S),
        (Act::Stall("{"), 2 * S),
    ] {
        let world = world();
        world
            .on("a", after(100 * MS, Act::Reset))
            .on("a?", act.clone());
        let begin = Instant::now();
        let error = head_of(&world.client(&layer()), get_of("a"))
            .await
            .unwrap_err();
        assert_eq!(begin.elapsed(), 100 * MS + waited, "{act:?}");
        assert_eq!(error.stop(), Some(Stop::Discovery));
        assert_eq!(error.attempts().len(), 1);
        let attempt = &error.attempts()[0];
        assert_eq!(attempt.region().to_string(), origin("a"));
        assert_eq!(attempt.reason(), Reason::Reset);
        assert_eq!(attempt.elapsed(), 100 * MS, "{act:?}");
        let source = std::error::Error::source(&error).unwrap();
        assert!(source.downcast_ref::<std::io::Error>().is_some(), "{act:?}");
    }
}
