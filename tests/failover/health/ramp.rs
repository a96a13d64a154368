//! How calls return to a region that is back.

use super::*;

/// Whether so many of `n` are what a share of them may be: within six standard deviations.
fn is_share(share: f64, count: usize, n: usize) -> bool {
    let n = n as f64;
    let deviation = (share * (1.0 - share) / n).sqrt();
    (count as f64 / n - share).abs() <= 6.0 * deviation
}

#[tokio::test(start_paused = true)]
async fn calls_return_evenly_over_ten_seconds_from_a_tenth() {
    const CALLS: usize = 3000;
    let rig = Rig::back(&layer(Health::default())).await;
    let mut last = 0;
    for (at, share) in [
        (0, 0.1),
        (1000, 0.19),
        (2500, 0.325),
        (5000, 0.55),
        (7500, 0.775),
        (9000, 0.91),
        (10_001, 1.0),
        (60_000, 1.0),
    ] {
        sleep(Duration::from_millis(at - last)).await;
        last = at;
        let home = rig.calls(CALLS).await;
        assert!(is_share(share, home, CALLS), "{at} ms: {home}, not {share}");
    }
    assert_eq!(rig.script.probed(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_share_is_never_a_step() {
    for (health, ramp) in [
        (Health::default(), 10.0),
        (Health::default().ramp(S), 1.0),
        (Health::default().ramp(60 * S), 60.0),
    ] {
        let rig = Rig::back(&layer(health)).await;
        for hundredth in 0..100 {
            let RegionState::Ramping { share, .. } = rig.home().state() else {
                panic!("{:?}", rig.home());
            };
            let expected = 0.1 + 0.9 * f64::from(hundredth) / 100.0;
            // The timer counts in whole milliseconds.
            let rounding = f64::from(hundredth) * 0.001 / ramp;
            assert!(
                (expected - 1e-9..=expected + rounding + 1e-9).contains(&share),
                "{hundredth}: {share}"
            );
            sleep(Duration::from_secs_f64(ramp / 100.0)).await;
        }
        assert_eq!(rig.home().state(), RegionState::Healthy);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_ramp_all_calls_are_back_at_once_and_a_ramp_without_end_keeps_a_tenth() {
    let rig = Rig::back(&layer(Health::default().ramp(Duration::ZERO))).await;
    assert_eq!(rig.home().state(), RegionState::Healthy);
    assert_eq!(rig.calls(500).await, 500);

    let rig = Rig::back(&layer(Health::default().ramp(Duration::MAX))).await;
    sleep(HOUR).await;
    let home = rig.calls(3000).await;
    assert!(is_share(0.1, home, 3000), "{home}");
}

#[tokio::test(start_paused = true)]
async fn replays_return_over_the_ramp_as_well() {
    const CALLS: usize = 2000;
    let layer = crate::support::layer(3)
        .backoff(no_wait())
        .budget(Budget::unlimited())
        .health(Health::default().consecutive(u32::MAX));
    let rig = Rig::back(&layer).await;
    rig.script.always("b", Act::Status(503));
    sleep(2500 * MS).await;
    let before = rig.at_home();
    for _ in 0..CALLS {
        assert_eq!(rig.call("http://b/").await, Some(StatusCode::OK));
    }
    let replayed = rig.at_home() - before;
    assert!(is_share(0.325, replayed, CALLS), "{replayed}");
}

#[tokio::test(start_paused = true)]
async fn one_counted_failure_on_the_ramp_ejects_and_its_caller_is_served() {
    for act in [
        refused(),
        Act::Status(503),
        Act::Fail(io::ErrorKind::ConnectionReset),
    ] {
        // Off the ramp it would take five.
        let rig = Rig::back(&layer(Health::default().consecutive(5))).await;
        let reason = match &act {
            Act::Status(_) => "503",
            Act::Fail(io::ErrorKind::ConnectionReset) => "connection reset",
            _ => "connection refused",
        };
        sleep(9 * S).await;
        rig.home_meets(act).await;
        assert!(rig.is_out());
        assert_eq!(rig.home().reason().unwrap().to_string(), reason);
        assert_eq!(rig.calls(200).await, 0);
        assert_eq!(rig.script.asked().last().unwrap(), "b");
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_ramp_it_takes_as_many_failures_as_before() {
    let rig = Rig::back(&layer(Health::default())).await;
    sleep(11 * S).await;
    rig.home_meets(Act::Status(503)).await;
    assert_eq!(rig.calls(10).await, 10, "one failure is none");
    rig.script.always("a", Act::Status(503));
    for _ in 0..2 {
        assert!(!rig.is_out());
        assert_eq!(rig.calls(1).await, 1);
    }
    assert!(rig.is_out());
}

#[tokio::test(start_paused = true)]
async fn a_failure_from_before_the_ejection_is_not_held_against_it() {
    let rig = Rig::new(&layer(Health::default().ramp(Duration::ZERO)));
    let mut changes = rig.handle.subscribe();
    rig.home_meets(Act::Status(503)).await;
    rig.lose_home().await;
    restored(&mut changes).await;
    rig.home_meets(Act::Status(503)).await;
    assert!(!rig.is_out());
}

#[tokio::test(start_paused = true)]
async fn a_500_of_one_route_does_not_eject_on_the_ramp_and_of_two_routes_does() {
    let rig = Rig::back(&layer(Health::default().consecutive(1))).await;
    sleep(5 * S).await;
    rig.script.always("a", Act::Status(500));
    for n in 0..200 {
        rig.call(&format!("http://a/poison?{n}")).await;
    }
    assert!(rig.at_home() > 50, "some were sent there");
    assert!(!rig.is_out());
    for n in 0..200 {
        rig.call(&format!("http://a/{n}")).await;
    }
    assert!(rig.is_out());
}

#[tokio::test(start_paused = true)]
async fn what_blames_nobody_does_not_eject_on_the_ramp() {
    for status in [404, 421, 429, 501, 505] {
        let rig = Rig::back(&layer(Health::default())).await;
        sleep(5 * S).await;
        rig.script.always("a", Act::Status(status));
        assert!(rig.calls(50).await > 5);
        assert!(!rig.is_out(), "{status}");
    }
}
