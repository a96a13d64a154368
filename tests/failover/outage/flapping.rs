use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use failover_cluster::Fault;
use http::StatusCode;
use tokio::{task::JoinSet, time::sleep};
use tower_failover::{Error, FailoverLayer, RegionState};

use super::scene::*;
use crate::support::within;

/// As many as the budget of a client without a past can replay at once.
const WORKERS: usize = 4;

/// Calls that go on until they are stopped.
struct Load {
    workers: JoinSet<Vec<Result<Reply, Error>>>,
    is_over: Arc<AtomicBool>,
}

impl Load {
    fn start(scene: &Scene) -> Self {
        let is_over = Arc::<AtomicBool>::default();
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            let (client, origin) = (scene.client.clone(), scene.home.origin());
            let is_over = is_over.clone();
            workers.spawn(async move {
                let mut outcomes = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    outcomes.push(ask(&client, request(&origin)).await);
                    sleep(millis(2)).await;
                }
                outcomes
            });
        }
        Self { workers, is_over }
    }

    /// Ends it; says how many calls there were, all of which had to succeed.
    async fn stop(self) -> usize {
        self.is_over.store(true, Ordering::Relaxed);
        let outcomes = self.workers.join_all().await;
        let replies = outcomes.into_iter().flatten().map(Result::unwrap);
        replies
            .map(|reply| assert_eq!(reply.status, StatusCode::OK))
            .count()
    }
}

/// Home is down and up in turns, each for this long and until it is out and serves calls again.
async fn no_call_is_lost(wire: Wire, down: &[Fault], period: Duration, attempt: Duration) {
    let health = health(millis(50), millis(100), millis(200));
    let set = |layer: FailoverLayer| layer.attempt_timeout(attempt).health(health);
    let mut scene = Scene::new(wire, set).await;
    let load = Load::start(&scene);
    for fault in down {
        scene.home.wait_hits_at(CALLS, scene.home_calls() + 1).await;
        scene.home.set(fault.clone()).await;
        sleep(period).await;
        while scene.state() != RegionState::Ejected {
            sleep(millis(1)).await;
        }
        scene.home.set(Fault::None).await;
        sleep(period).await;
    }
    scene.home.wait_hits_at(CALLS, scene.home_calls() + 1).await;
    let calls = load.stop().await;
    let (ejected, restored) = scene.switches(&scene.home.origin());
    assert_eq!(
        (ejected, restored),
        (down.len(), down.len()),
        "{calls} calls"
    );
}

#[tokio::test]
async fn a_region_that_flaps_between_refusing_and_serving_loses_no_call() {
    for wire in [Wire::Http1, Wire::H2c] {
        let down = vec![Fault::Refuse; 4];
        within(no_call_is_lost(
            wire,
            &down,
            millis(200),
            Duration::from_secs(5),
        ))
        .await;
    }
}

#[tokio::test]
async fn a_region_that_flaps_between_503_and_serving_loses_no_call() {
    for wire in [Wire::Http1, Wire::H2c] {
        let down = vec![Fault::Status(503); 4];
        within(no_call_is_lost(
            wire,
            &down,
            millis(200),
            Duration::from_secs(5),
        ))
        .await;
    }
}

#[tokio::test]
async fn a_region_that_flaps_between_silence_and_serving_loses_no_call() {
    let second = Duration::from_secs(1);
    let down = [Fault::BlackHole, Fault::BlackHole];
    within(no_call_is_lost(Wire::Http1, &down, second, second)).await;
}

#[tokio::test]
async fn a_region_that_fails_in_another_way_each_time_loses_no_call() {
    let down = [
        Fault::Reset,
        Fault::Status(502),
        Fault::Refuse,
        Fault::Close,
        Fault::Turns(vec![Fault::Status(503), Fault::Reset]),
    ];
    within(no_call_is_lost(
        Wire::Http1,
        &down,
        millis(200),
        Duration::from_secs(5),
    ))
    .await;
}
