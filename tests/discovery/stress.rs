//! Everything at once, by chance: no panic, no call without an end, nothing left behind.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tower_failover::{Budget, FailoverLayer, Handle, Health};

use crate::support::*;

const CALLS: u32 = 1500;
const MS: Duration = Duration::from_millis(1);
const HOMES: [&str; 3] = ["a", "b", "z"];

fn moment(most: Duration) -> Duration {
    most.mul_f64(fastrand::f64())
}

/// What a call may meet.
fn some_outcome(_: &Seen) -> Act {
    let act = match fastrand::u32(..100) {
        0..20 => Act::Status(503),
        20..30 => Act::Status(451),
        30..40 => Act::Reset,
        40..45 => Act::Hang,
        45..50 => Act::With(503, "retry-after", "0"),
        _ => Act::Status(200),
    };
    after(moment(3 * MS), act)
}

/// What a question for the list may meet.
fn some_list(_: &Seen) -> Act {
    let cache_control = ["no-store", "max-age=0", "max-age=60", ""][fastrand::usize(..4)];
    let lists: [&[&str]; 4] = [&["a", "b", "c"], &["b", "c", "d"], &["d", "e"], &[]];
    let hosts = lists[fastrand::usize(..4)];
    let origins: Vec<_> = hosts.iter().map(|host| origin(host)).collect();
    let act = match fastrand::u32(..10) {
        0 => Act::Status(500),
        1 => Act::Hang,
        _ => listing(cache_control, &origins),
    };
    after(moment(3 * MS), act)
}

/// What a handle may be used for meanwhile.
async fn disturb(handle: &Handle, home: &str) {
    match fastrand::u32(..20) {
        0 => {
            let list = regions_of(&["a", "b", "e"]).ttl(3 * MS);
            handle.set_regions(origin(home), list).unwrap();
        }
        1 => drop(handle.refresh(origin(home))),
        2 => drop(timeout(5 * MS, handle.refresh(origin(home))).await),
        3 => handle.restore_snapshot(&handle.snapshot()),
        _ => {}
    }
}

fn impatient() -> FailoverLayer {
    let layer = layer_with(|discovery| {
        let discovery = discovery.timeout(30 * MS).default_ttl(5 * MS);
        let discovery = discovery.negative_ttl(5 * MS).max_stale(20 * MS);
        discovery.seeds([origin("s")]).unwrap()
    });
    layer
        .attempt_timeout(8 * MS)
        .max_attempts(6)
        .budget(Budget::unlimited())
        .health(Health::default().probe_every(2 * MS, 10 * MS))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_fail_wait_and_are_dropped_by_chance_all_end() {
    for layer in [
        // A last attempt that hangs has an end at least.
        impatient().total_timeout(PATIENCE / 20),
        impatient().total_timeout(40 * MS).retry_same_region(true),
    ] {
        let world = World::default();
        world
            .on("", Act::By(some_outcome))
            .on("?", Act::By(some_list));
        let (client, handle) = (world.client(&layer), layer.handle());
        let calls: Vec<_> = (0..CALLS)
            .map(|_| {
                let (client, handle) = (client.clone(), handle.clone());
                tokio::spawn(async move {
                    sleep(moment(300 * MS)).await;
                    let home = HOMES[fastrand::usize(..3)];
                    disturb(&handle, home).await;
                    let call = head_of(&client, get_of(home));
                    match fastrand::u8(..3) {
                        0 => drop(timeout(moment(20 * MS), call).await),
                        _ => drop(timeout(PATIENCE, call).await.expect("an end")),
                    }
                })
            })
            .collect();
        for call in calls {
            call.await.expect("no panic");
        }
        assert!(world.calls().len() > CALLS as usize, "some were made again");
        assert!(!world.asked().is_empty());
        // A probe may be under way, but not for ever.
        let none_is_left = async {
            while world.open() > 0 {
                sleep(MS).await;
            }
        };
        timeout(PATIENCE, none_is_left)
            .await
            .expect("nothing is left behind");
    }
}
