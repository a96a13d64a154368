//! The preset's own numbers, to the millisecond.

use std::slice;

use tokio::time::Instant;
use tower_failover::{Backoff, Budget, Error, Health};

use super::*;

const REGIONS: &[&str] = &[
    "https://x.livekit.cloud",
    "https://r1.livekit.cloud",
    "https://r2.livekit.cloud",
    "https://r3.livekit.cloud",
];
/// What tokio's timer adds to a wait at most.
pub(super) const ROUNDING: Duration = Duration::from_millis(1);

/// Answers 503 after so many milliseconds.
pub(super) fn late(ms: u64) -> Act {
    after(millis(ms), Act::Status(503))
}

/// Regions of which each does its act; the list comes at once.
pub(super) fn net(acts: &[Act]) -> World {
    let world = World::default();
    world.on("?", listing("max-age=60", REGIONS));
    for (origin, act) in REGIONS.iter().zip(acts) {
        let host = origin.trim_start_matches("https://");
        world.on(host, act.clone());
        // Who refuses calls does not refuse this.
        world.on(&format!("{host}?"), listing("max-age=60", REGIONS));
    }
    world
}

/// What a call ended with, after how long, and when each attempt was begun.
pub(super) struct Course {
    pub(super) result: Result<u16, Error>,
    pub(super) took: Duration,
    pub(super) begun: Vec<Duration>,
}

async fn course(layer: &FailoverLayer, net: &World, own: Override) -> Course {
    course_of(ROOMS, layer, net, own).await
}

pub(super) async fn course_of(
    method: &str,
    layer: &FailoverLayer,
    net: &World,
    own: Override,
) -> Course {
    let (began, before) = (Instant::now(), net.calls().len());
    let request = with(twirp(REGIONS[0], method, "{}"), own);
    let result = net.client(layer).oneshot(request).await;
    let calls = net.calls().split_off(before);
    Course {
        result: result.map(|response| response.status().as_u16()),
        took: began.elapsed(),
        begun: calls.iter().map(|call| call.at - began).collect(),
    }
}

pub(super) const NO_OVERRIDE: Override = Override::new();

pub(super) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(super) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[tokio::test(start_paused = true)]
async fn three_attempts_with_up_to_200_and_400_ms_between_them_each_time_others() {
    let acts = &[Act::Status(503), Act::Status(503), Act::Status(503)];
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..300 {
        let layer = FailoverLayer::livekit();
        let course = course(&layer, &net(acts), NO_OVERRIDE).await;
        assert_eq!(course.result.unwrap(), 503);
        let [_, two, three] = course.begun[..] else {
            panic!("three attempts: {:?}", course.begun);
        };
        assert!(course.took >= three);
        first.push(two);
        second.push(three - two);
    }
    for (waits, most) in [(first, millis(200)), (second, millis(400))] {
        assert!(
            waits.iter().all(|wait| *wait <= most + ROUNDING),
            "{waits:?}"
        );
        // Of 300 the chance that none is in a given quarter is 10^-37.
        for quarter in 0..4 {
            let of = most / 4 * quarter..most / 4 * (quarter + 1);
            assert!(waits.iter().any(|wait| of.contains(wait)), "{waits:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn h3_without_backoff_the_next_attempt_is_made_at_once() {
    let none = Backoff::exponential(Duration::ZERO, Duration::ZERO);
    let layer = FailoverLayer::livekit().backoff(none);
    let net = net(&[Act::Status(503), Act::Status(503)]);
    let course = course(&layer, &net, NO_OVERRIDE).await;
    assert_eq!(course.result.unwrap(), 200);
    assert_eq!(course.took, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn t2_a_region_that_hangs_is_left_after_10_s() {
    let net = net(&[Act::Hang]);
    let course = course(&FailoverLayer::livekit(), &net, NO_OVERRIDE).await;
    assert_eq!(course.result.unwrap(), 200);
    let second = course.begun[1];
    assert!(second >= secs(10), "{second:?}");
    assert!(
        second <= secs(10) + millis(200) + 2 * ROUNDING,
        "{second:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn t1_each_attempt_has_its_own_10_s_whatever_the_others_took() {
    // Within 10 s each, and far beyond that together.
    let net_ = net(&[late(9900), late(9900)]);
    let course_ = course(&FailoverLayer::livekit(), &net_, NO_OVERRIDE).await;
    assert_eq!(course_.result.unwrap(), 200);
    assert_eq!(course_.begun.len(), 3);
    assert!(course_.took >= secs(19));

    // The last has nobody after it, and is waited for.
    let net = net(&[Act::Hang, Act::Hang, late(60_000)]);
    let course = course(&FailoverLayer::livekit(), &net, NO_OVERRIDE).await;
    assert_eq!(course.result.unwrap(), 503);
    assert!(course.took >= secs(80));
}

#[tokio::test(start_paused = true)]
async fn u3_e10_e11_another_region_is_called_with_more_than_5_s_left_and_not_with_less() {
    for (total, act, attempts) in [
        (4_999, Act::Status(503), 1),
        (5_000, Act::Status(503), 1),
        // More by what the wait may take.
        (5_300, Act::Status(503), 2),
        (5_300, Act::Refuse, 2),
        (14_900, late(9_900), 1),
        (15_300, late(9_900), 2),
        (15_000, Act::Hang, 1),
        (15_300, Act::Hang, 2),
    ] {
        let what = format!("{total} ms, {act:?}");
        let net = net(slice::from_ref(&act));
        let own = Override::new().total_timeout(millis(total));
        let course = course(&FailoverLayer::livekit(), &net, own).await;
        assert_eq!(course.begun.len(), attempts, "{what}");
        match (attempts, act, course.result) {
            (2, _, result) => assert_eq!(result.unwrap(), 200, "{what}"),
            (_, Act::Hang, result) => {
                let error = result.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Timeout, "{what}");
                assert!(course.took >= millis(total) && course.took <= millis(total) + ROUNDING);
            }
            (_, _, result) => assert_eq!(result.unwrap(), 503, "{what}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn u3_without_a_total_timeout_there_is_no_gate() {
    let net = net(&[Act::Hang, Act::Hang]);
    let course = course(&FailoverLayer::livekit(), &net, NO_OVERRIDE).await;
    assert_eq!(course.result.unwrap(), 200);
    assert_eq!(course.begun.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_pin_is_followed_in_any_time_and_without_a_wait() {
    let net = net(&[Act::Status(451)]);
    let own = Override::new().total_timeout(millis(10));
    let course = course(&FailoverLayer::livekit(), &net, own).await;
    assert_eq!(course.result.unwrap(), 200);
    assert_eq!((course.begun.len(), course.took), (2, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn beyond_the_sdks_a_deadline_bounds_all_attempts_together() {
    let net = net(&[Act::Hang, Act::Hang, Act::Hang]);
    let layer = FailoverLayer::livekit().total_timeout(secs(22));
    let course = course(&layer, &net, NO_OVERRIDE).await;
    assert_eq!(course.result.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(
        course.begun.len(),
        2,
        "a third would have had less than 5 s"
    );
    assert!(course.took >= secs(22) && course.took <= secs(22) + ROUNDING);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_sdks_a_dead_region_is_remembered() {
    let net = net(&[Act::Refuse]);
    let layer = FailoverLayer::livekit();
    for _ in 0..3 {
        let course = course(&layer, &net, NO_OVERRIDE).await;
        assert_eq!(course.result.unwrap(), 200);
    }
    let r1 = REGIONS[1];
    assert_eq!(net.called(), [REGIONS[0], r1, r1, r1]);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_sdks_a_total_outage_is_not_amplified() {
    let net = net(&[const { Act::Status(503) }; 4]);
    // Calls alone: the first probe comes when the test is over.
    let health = Health::default().probe_every(secs(3600), secs(3600));
    let layer = || FailoverLayer::livekit().health(health.clone());
    let one = layer();
    for _ in 0..50 {
        let course = course(&one, &net, NO_OVERRIDE).await;
        assert_eq!(course.result.unwrap(), 503);
    }
    // The five tokens that a budget begins with.
    assert_eq!(net.called().len(), 50 + 5);

    let other = layer().budget(Budget::unlimited());
    let before = net.called().len();
    for _ in 0..50 {
        let _ = course(&other, &net, NO_OVERRIDE).await.result;
    }
    // The third call finds three regions out. It does not go back to them after the fourth, of which
    // that is the first failure.
    assert_eq!(net.called().len() - before, 150 - 2);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_sdks_what_no_region_answers_differently_is_not_replayed() {
    for (code, attempts) in [(500, 2), (501, 1), (502, 2), (503, 2), (504, 2), (505, 1)] {
        let net = net(&[Act::Status(code)]);
        let course = course(&FailoverLayer::livekit(), &net, NO_OVERRIDE).await;
        assert_eq!(course.begun.len(), attempts, "{code}");
    }
}
