//! Settings at both ends of what can be set.

use std::time::Duration;

use tokio::time::timeout;
use tower_failover::{Budget, Discovery, FailoverLayer, Health};

use crate::support::*;

const HOUR: Duration = Duration::from_secs(3600);

/// Layers on which every time is this.
fn layers(time: Duration) -> [FailoverLayer; 4] {
    let set = |discovery: Discovery| {
        let discovery = discovery.timeout(time).default_ttl(time).max_ttl(time);
        discovery.max_stale(time).negative_ttl(time)
    };
    let layer = || {
        let health = Health::default().probe_every(time, time);
        let layer = layer_with(set).budget(Budget::unlimited());
        layer.attempt_timeout(time).health(health)
    };
    [
        layer(),
        layer().total_timeout(time),
        layer().min_attempt_time(time),
        layer()
            .total_timeout(time)
            .min_attempt_time(time)
            .retry_same_region(true)
            .max_attempts(u32::MAX)
            .budget(Budget::default()),
    ]
}

#[tokio::test(start_paused = true)]
async fn no_time_is_too_short_or_too_long_for_an_outcome() {
    let max_seconds = Duration::from_secs(i64::MAX.unsigned_abs());
    let times = [
        Duration::ZERO,
        Duration::from_nanos(1),
        max_seconds,
        Duration::MAX,
    ];
    let lists = [
        ("max-age=60", 503),
        ("no-store", 503),
        ("max-age=0", 451),
        ("", 503),
        ("max-age=99999999999999", 503),
    ];
    for (time, (cache_control, status)) in times.into_iter().flat_map(|t| lists.map(|l| (t, l))) {
        let world = World::default();
        let list = listing(cache_control, &["a", "b"].map(origin));
        world.on("a", Act::Status(status)).on("?", list);
        for layer in layers(time) {
            let (client, handle) = (world.client(&layer), layer.handle());
            let call = async || {
                let outcome = timeout(HOUR, head_of(&client, get_of("a"))).await;
                let what = format!("{time:?}, {cache_control}, {status}");
                outcome.unwrap_or_else(|_| panic!("no outcome: {what}"))
            };
            for _ in 0..3 {
                let before = world.log().len();
                let outcome = call().await;
                // What may be made takes at most an attempt and a question of each of the three.
                let requests = world.log().len() - before;
                assert!(
                    outcome.is_err() || (1..=6).contains(&requests),
                    "{requests}"
                );
            }
            let pushed = regions_of(&["a", "c"]).ttl(time);
            handle.set_regions(origin("a"), pushed).unwrap();
            let _ = call().await;
            let _ = timeout(HOUR, handle.refresh(origin("a"))).await.unwrap();
            layer.handle().restore_snapshot(&handle.snapshot());
        }
        assert_eq!(world.open(), 0);
    }
}
