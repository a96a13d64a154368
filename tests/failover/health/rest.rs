//! What a region asks for is an ejection, with a probe at its end.

use http::Method;

use super::*;
use crate::support::request;

fn busy(header: &'static str, value: &str) -> Act {
    Act::StatusWith(503, header, value.into())
}

/// When home is probed that answered one call so, and was asked by nobody since.
async fn first_probe(health: Health, act: Act) -> Duration {
    let rig = Rig::new(&layer(health));
    let start = tokio::time::Instant::now();
    rig.home_meets(act).await;
    assert!(rig.is_out());
    while rig.script.probed() == 0 {
        assert_eq!(rig.calls(1).await, 0, "it rests");
        sleep(10 * MS).await;
    }
    rig.script.probes()[0].at - start
}

/// How long a rest is at most: longer by up to a third, at random.
fn longest(rest: Duration) -> Duration {
    rest + rest / 3 + ROUNDING
}

#[tokio::test(start_paused = true)]
async fn a_region_gets_the_rest_it_asks_for_up_to_the_longest_wait_and_is_probed_then() {
    for (hint, expected) in [
        ("7", 7),
        ("15", 15),
        ("16", 15),
        ("99999999999999999999", 15),
    ] {
        let probe = first_probe(Health::default(), busy("retry-after", hint)).await;
        let expected = Duration::from_secs(expected);
        assert!(
            (expected..=longest(expected)).contains(&probe),
            "{hint}: {probe:?}"
        );
    }
    let health = Health::default().probe_every(S, 3 * S);
    let probe = first_probe(health, busy("retry-after", "9")).await;
    assert!((3 * S..=longest(3 * S)).contains(&probe), "{probe:?}");
}

#[tokio::test(start_paused = true)]
async fn a_grpc_pushback_is_a_rest_in_milliseconds() {
    let act = busy("grpc-retry-pushback-ms", "1500");
    let probe = first_probe(Health::default(), act).await;
    assert!(
        (1500 * MS..=longest(1500 * MS)).contains(&probe),
        "{probe:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn of_the_rest_and_the_first_wait_the_longer_counts() {
    for (hint, at_least, at_most) in [("9", 9 * S, longest(9 * S)), ("1", 1333 * MS, 2667 * MS)] {
        // The first failure ejects already.
        let health = Health::default().consecutive(1);
        let probe = first_probe(health, busy("retry-after", hint)).await;
        assert!(
            (at_least..=at_most + ROUNDING).contains(&probe),
            "{hint}: {probe:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn after_its_rest_a_region_returns_over_the_ramp_or_is_left_alone_for_longer() {
    let rig = Rig::new(&layer(Health::default()));
    rig.script.on_probe("a", Act::Status(503));
    rig.home_meets(busy("retry-after", "5")).await;
    rig.script.probe_ended(1).await;
    assert!(rig.is_out());
    let next = rig.home().next_probe().unwrap();
    assert!((2666 * MS..=5334 * MS).contains(&next), "{next:?}");
    rig.script.on_probe("a", Act::Status(200));
    rig.script.probe_ended(2).await;
    let state = rig.home().state();
    assert!(matches!(state, RegionState::Ramping { .. }), "{state:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hint_that_says_nothing_keeps_nobody_away() {
    for hint in ["0", "soon", "-1", "", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        let rig = Rig::new(&layer(Health::default()));
        rig.home_meets(busy("retry-after", hint)).await;
        assert_eq!(rig.calls(3).await, 3, "{hint}");
        sleep(HOUR).await;
        assert_eq!(rig.script.probed(), 0, "{hint}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hint_of_a_region_that_nobody_leaves_keeps_nobody_away() {
    let rig = Rig::new(&layer(Health::default()));
    rig.script.always("a", busy("retry-after", "9"));
    rig.client
        .clone()
        .oneshot(request(Method::POST))
        .await
        .unwrap();
    rig.script.always("a", Act::Status(200));
    assert_eq!(rig.calls(3).await, 3);
    assert_eq!(rig.script.asked(), ["a"; 4]);
}
