//! What a probe makes of what it meets.

use super::*;

async fn is_life(probes: Act) -> bool {
    let rig = Rig::out(&layer(Health::default()), probes).await;
    rig.script.probe_ended(1).await;
    assert_eq!(rig.at_home(), 1, "no call was needed");
    match rig.home().state() {
        RegionState::Ramping { .. } => true,
        RegionState::Ejected => false,
        state => panic!("{state:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn any_answer_below_500_is_life_and_no_other() {
    for status in [200, 204, 301, 400, 401, 403, 404, 405, 421, 429, 451, 499] {
        assert!(is_life(Act::Status(status)).await, "{status}");
    }
    for status in [500, 501, 502, 503, 504, 505, 511, 599] {
        assert!(!is_life(Act::Status(status)).await, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_is_no_life() {
    for kind in [
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::TimedOut,
        io::ErrorKind::Other,
    ] {
        assert!(!is_life(Act::Fail(kind)).await, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hint_with_an_answer_to_a_probe_is_not_heeded() {
    let busy = |status| Act::StatusWith(status, "retry-after", "15".into());
    assert!(is_life(busy(429)).await);
    let rig = Rig::out(&layer(Health::default()), busy(503)).await;
    rig.script.probe_ended(1).await;
    let next = rig.home().next_probe().unwrap();
    assert!((2666 * MS..=5334 * MS).contains(&next), "{next:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_within_two_seconds_is_life_and_a_later_one_is_not() {
    let late = |wait| Act::After(wait, Act::Status(200).into());
    assert!(is_life(late(1990 * MS)).await);
    assert!(!is_life(late(2010 * MS)).await);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_not_answered_is_dropped_after_two_seconds_or_the_longest_wait() {
    for (health, bound) in [
        (Health::default(), 2000 * MS),
        (Health::default().probe_every(HOUR, HOUR), 2000 * MS),
        (Health::default().probe_every(100 * MS, 900 * MS), 900 * MS),
        (Health::default().probe_every(100 * MS, 300 * MS), 500 * MS),
        (
            Health::default().probe_every(Duration::ZERO, Duration::ZERO),
            500 * MS,
        ),
    ] {
        let rig = Rig::out(&layer(health), Act::Hang).await;
        rig.script.probe_sent(1).await;
        let sent = rig.script.probes()[0].at;
        assert_eq!(rig.home().next_probe(), Some(Duration::ZERO));
        rig.script.probe_ended(1).await;
        let took = sent.elapsed();
        assert!((bound..=bound + 2 * ROUNDING).contains(&took), "{took:?}");
        assert!(rig.is_out());
    }
}
