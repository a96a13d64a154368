//! When an ejected region is probed.

use std::collections::HashSet;

use tokio::time::Instant;

use super::*;

/// How long home, which is refused, is left alone before each probe.
async fn waits(health: Health, probes: usize) -> Vec<Duration> {
    let start = Instant::now();
    let rig = Rig::out(&layer(health), refused()).await;
    rig.script.probe_ended(probes).await;
    let probes = rig.script.probes();
    let mut before = start;
    let wait = |probe: &crate::support::Seen| {
        let wait = probe.at - before;
        before = probe.at;
        wait
    };
    probes.iter().map(wait).collect()
}

#[tokio::test(start_paused = true)]
async fn waits_double_up_to_the_longest_and_each_is_up_to_a_third_shorter_or_longer() {
    const CLIENTS: usize = 200;
    let quick = Health::default().probe_every(100 * MS, 500 * MS);
    for (health, expected) in [
        (Health::default(), [2000, 4000, 8000, 15_000, 15_000]),
        (quick, [100, 200, 400, 500, 500]),
    ] {
        let mut shares = vec![Vec::new(); expected.len()];
        for _ in 0..CLIENTS {
            let waits = waits(health.clone(), expected.len()).await;
            for (n, (wait, expected)) in waits.into_iter().zip(expected).enumerate() {
                let expected = Duration::from_millis(expected);
                let bounds = expected * 2 / 3..=expected * 4 / 3 + ROUNDING;
                assert!(bounds.contains(&wait), "{n}: {wait:?}");
                shares[n].push(wait.as_secs_f64() / expected.as_secs_f64());
            }
        }
        for shares in shares {
            // Even between 2/3 and 4/3: the standard deviation is 0.19, and that of the mean 0.014.
            let mean = shares.iter().sum::<f64>() / CLIENTS as f64;
            assert!((0.91..=1.09).contains(&mean), "{mean}");
            // The chance that none of 200 is there is below 10^-19.
            assert!(shares.iter().any(|share| *share < 0.8));
            assert!(shares.iter().any(|share| *share > 1.2));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn clients_that_lose_a_region_together_do_not_probe_it_together() {
    let start = Instant::now();
    let mut rigs = Vec::new();
    for _ in 0..50 {
        rigs.push(Rig::out(&layer(Health::default()), refused()).await);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    sleep(4 * S).await;
    let first: HashSet<_> = rigs.iter().map(|rig| rig.script.probes()[0].at).collect();
    // Of 1333 milliseconds 49.1 are expected to be hit.
    assert!(first.len() > 40, "{}", first.len());
}

#[tokio::test(start_paused = true)]
async fn the_wait_that_is_told_is_the_one_that_is_kept() {
    let rig = Rig::new(&layer(Health::default()));
    let mut changes = rig.handle.subscribe();
    let start = Instant::now();
    rig.lose_home().await;
    let Some(Change::Ejected { wait, .. }) = changes.recv().await else {
        panic!("an ejection");
    };
    assert_eq!(rig.home().next_probe(), Some(wait));
    rig.script.probe_ended(1).await;
    let probe = rig.script.probes()[0].at - start;
    assert!((wait..=wait + ROUNDING).contains(&probe), "{probe:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_counts_from_the_end_of_the_probe_before() {
    let slow = Act::After(1500 * MS, Act::Status(503).into());
    for (probes, took) in [(slow, 1500 * MS), (Act::Hang, 2000 * MS)] {
        let rig = Rig::out(&layer(Health::default()), probes).await;
        rig.script.probe_ended(2).await;
        let probes = rig.script.probes();
        let wait = probes[1].at - probes[0].at - took;
        assert!(
            (2666 * MS..=5334 * MS + 2 * ROUNDING).contains(&wait),
            "{wait:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn extreme_waits_do_not_panic_and_the_shortest_is_10_ms() {
    let zero = Duration::ZERO;
    for (min, max) in [(zero, zero), (zero, Duration::MAX), (Duration::MAX, zero)] {
        let health = Health::default().probe_every(min, max);
        for wait in waits(health, 20).await {
            assert!((10 * MS..=10 * MS + ROUNDING).contains(&wait), "{wait:?}");
        }
    }
    for min in [S, Duration::MAX] {
        let health = Health::default().probe_every(min, Duration::MAX);
        let rig = Rig::out(&layer(health), Act::Status(200)).await;
        sleep(24 * HOUR).await;
        assert_eq!(rig.script.probed(), usize::from(min == S));
        assert_eq!(rig.is_out(), min != S);
    }
}

/// The wait begins with a second and is then 2, 4, 8 and so on; far apart, so that they tell how often
/// it has grown.
fn far_apart() -> Health {
    Health::default().probe_every(S, 1000 * S)
}

/// How often the wait has grown that home has just begun.
fn grown(rig: &Rig) -> f64 {
    let wait = rig.home().next_probe().unwrap();
    wait.as_secs_f64().log2()
}

#[tokio::test(start_paused = true)]
async fn a_region_that_fails_again_soon_after_it_came_back_is_left_alone_for_longer_each_time() {
    for act in [refused(), Act::Status(503)] {
        let rig = Rig::new(&layer(far_apart().consecutive(1)));
        let mut changes = rig.handle.subscribe();
        for n in 0..8 {
            rig.home_meets(act.clone()).await;
            let grown = grown(&rig) - f64::from(n);
            // A third shorter, or a third longer.
            assert!((-0.59..=0.42).contains(&grown), "{act:?}, {n}: {grown}");
            restored(&mut changes).await;
            sleep(5 * S).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn probes_that_failed_count_when_it_fails_again() {
    for (health, after) in [
        // Beyond the ramp, and within the longest wait.
        (far_apart(), 900 * S),
        // The other way round.
        (far_apart().ramp(2000 * S), 1500 * S),
    ] {
        let rig = Rig::out(&layer(health), Act::Status(503)).await;
        rig.script.probe_ended(3).await;
        rig.script.on_probe("a", Act::Status(200));
        rig.script.probe_ended(4).await;
        sleep(after).await;
        rig.lose_home().await;
        let grown = grown(&rig) - 4.0;
        assert!((-0.59..=0.42).contains(&grown), "{grown}");
    }
}

#[tokio::test(start_paused = true)]
async fn growth_is_forgotten_once_a_region_has_stayed_well() {
    for (health, well) in [
        (far_apart(), 1000 * S),
        // The ramp counts where it is longer.
        (far_apart().ramp(2000 * S), 2000 * S),
    ] {
        let rig = Rig::out(&layer(health), Act::Status(503)).await;
        rig.script.probe_ended(5).await;
        rig.script.on_probe("a", Act::Status(200));
        rig.script.probe_ended(6).await;
        sleep(well + MS).await;
        rig.lose_home().await;
        let grown = grown(&rig);
        assert!((-0.59..=0.42).contains(&grown), "{grown}");
    }
}
