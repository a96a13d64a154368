//! Regions that flap under many threads, in real time.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use tokio::{task::JoinSet, time::Instant};

use super::*;

const REGIONS: [&str; 3] = ["a", "b", "c"];

/// Waits until this is so. It takes some milliseconds.
async fn soon(is_so: impl Fn() -> bool, what: &str) {
    let bound = Instant::now() + 20 * S;
    while !is_so() {
        assert!(Instant::now() < bound, "{what}");
        sleep(MS).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_home_that_flaps_is_always_found_again() {
    let health = Health::default().probe_every(10 * MS, 20 * MS).ramp(5 * MS);
    let layer = crate::support::layer(3)
        .backoff(no_wait())
        .budget(Budget::unlimited())
        .health(health);
    let rig = Rig::new(&layer);
    let is_over = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let (client, is_over) = (rig.client.clone(), is_over.clone());
        callers.spawn(async move {
            while !is_over.load(Relaxed) {
                let _ = client.clone().oneshot(get("http://a/x")).await;
                sleep(MS).await;
            }
        });
    }
    for round in 0..30 {
        for region in REGIONS {
            if region == "a" || fastrand::bool() {
                rig.script.always(region, refused());
            }
        }
        sleep(MS * fastrand::u32(0..30)).await;
        for region in REGIONS {
            rig.script.always(region, Act::Status(200));
        }
        let all = || rig.handle.regions("http://a");
        let is_well = || all().iter().all(|r| r.state() == RegionState::Healthy);
        soon(is_well, &format!("round {round}: all are back")).await;
    }
    assert!(rig.script.probed() > 0);
    is_over.store(true, Relaxed);
    callers.join_all().await;
    soon(|| tasks() == 0, "no task is left over").await;
}
