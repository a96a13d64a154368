//! One fetch of a list for all calls that wait for it, over sockets; the exact times are in `clock`.

mod cancel;
mod clock;
mod foreign;
mod late;
mod never;
mod permits;
mod runtimes;

use std::time::Duration;

use failover_cluster::{Fault, LiveKit};
use futures_util::future::join_all;
use tokio::time::Instant;
use tower_failover::{Budget, FailoverLayer, Health};

use crate::support::*;

const CALLS: usize = 200;

/// A project whose home fails every call, and whose lists may be kept.
async fn failing() -> LiveKit {
    let livekit = LiveKit::start(3).await;
    livekit.cache_control("max-age=600");
    livekit.region(0).set_at("/", Fault::Status(503)).await;
    livekit
}

/// Many calls at once, all of which have met the failure at home before any list is known.
async fn at_once(livekit: &LiveKit, layer: &FailoverLayer) -> Vec<(u16, String)> {
    let client = client(layer);
    let home = livekit.origin(0);
    let answers = join_all((0..CALLS).map(|_| answer(&client, get(&home)))).await;
    assert_eq!(
        livekit.region(0).hits_at("/"),
        CALLS,
        "each was tried at home"
    );
    answers
}

fn count(answers: &[(u16, String)], status: u16, region: &str) -> usize {
    let is = |answer: &&(u16, String)| answer.0 == status && answer.1 == region;
    answers.iter().filter(is).count()
}

#[tokio::test]
async fn two_hundred_calls_that_fail_together_ask_once_and_all_succeed() {
    let livekit = failing().await;
    let answers = at_once(&livekit, &layer().budget(Budget::unlimited())).await;
    assert_eq!(count(&answers, 200, "region-1"), CALLS);
    assert_eq!(livekit.region(1).hits_at("/"), CALLS);
    assert_eq!(asked(&livekit), [1, 0, 0]);
}

#[tokio::test]
async fn the_default_budget_lets_fewer_calls_move_and_discovery_is_asked_no_more_often() {
    let livekit = failing().await;
    let answers = at_once(&livekit, &layer()).await;
    let moved = count(&answers, 200, "region-1");
    assert!(moved > 0);
    assert_eq!(moved + count(&answers, 503, "region-0"), CALLS);
    assert_eq!(livekit.region(1).hits_at("/"), moved);
    assert_eq!(asked(&livekit), [1, 0, 0]);
}

#[tokio::test]
async fn a_failed_discovery_is_shared_too_and_each_call_gets_its_own_answer() {
    let livekit = failing().await;
    livekit.region(0).set_at(PATH, Fault::Status(500)).await;
    let answers = at_once(&livekit, &layer().budget(Budget::unlimited())).await;
    assert_eq!(count(&answers, 503, "region-0"), CALLS);
    assert_eq!(asked(&livekit), [1, 0, 0]);
    assert_eq!(livekit.region(1).hits(), 0);
}

#[tokio::test]
async fn calls_that_a_list_serves_already_ask_for_none() {
    let livekit = failing().await;
    let layer = layer().budget(Budget::unlimited());
    let client = client(&layer);
    client.warm_up(livekit.origin(0)).await.unwrap();
    assert_eq!(asked(&livekit), [1, 0, 0]);
    let answers = at_once(&livekit, &layer).await;
    assert_eq!(count(&answers, 200, "region-1"), CALLS);
    assert_eq!(asked(&livekit), [1, 0, 0], "the warm-up");
}

#[tokio::test]
async fn a_discovery_that_does_not_answer_makes_no_convoy() {
    let timeout = Duration::from_secs(2);
    for fault in [
        Fault::BlackHole,
        Fault::Stall(200, Vec::new(), r#"{"regions":["#.into()),
        Fault::Endless(200, Vec::new()),
    ] {
        let livekit = failing().await;
        livekit.region(0).set_at(PATH, fault.clone()).await;
        let layer = layer_with(|discovery| discovery.timeout(timeout));
        // What home sees are calls: the first probe comes when the test is over.
        let health = Health::default().probe_every(60 * timeout, 60 * timeout);
        let layer = layer.budget(Budget::unlimited()).health(health);
        let begin = Instant::now();
        let answers = at_once(&livekit, &layer).await;
        let took = begin.elapsed();
        assert_eq!(count(&answers, 503, "region-0"), CALLS, "{fault:?}");
        // One discovery after the other would take hundreds of times as long.
        assert!(took < 2 * timeout, "{fault:?} took {took:?}");
        assert_eq!(asked(&livekit), [1, 0, 0], "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_on_several_threads_ask_once() {
    for _ in 0..10 {
        let livekit = failing().await;
        let client = client(&layer().budget(Budget::unlimited()));
        let calls: Vec<_> = (0..CALLS)
            .map(|_| {
                let (client, home) = (client.clone(), livekit.origin(0));
                tokio::spawn(async move { answer(&client, get(&home)).await })
            })
            .collect();
        for call in calls {
            let (status, region) = call.await.unwrap();
            assert_eq!((status, region.as_str()), (200, "region-1"));
        }
        assert_eq!(asked(&livekit), [1, 0, 0]);
    }
}

#[tokio::test]
async fn the_call_that_began_the_fetch_may_go_and_the_others_get_the_list() {
    let livekit = failing().await;
    let delay = Fault::Delay(Duration::from_millis(300));
    livekit.region(0).set_at(PATH, delay).await;
    let layer = layer().budget(Budget::unlimited());
    let client = client(&layer);
    let home = livekit.origin(0);
    let first = {
        let (client, home) = (client.clone(), home.clone());
        tokio::spawn(async move { answer(&client, get(&home)).await })
    };
    livekit.region(0).wait_hits_at(PATH, 1).await;
    // It waits from here on, whenever the calls find that they must.
    let joined = layer.handle().refresh(&home);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let others = join_all((0..5).map(|_| answer(&client, get(&home))));
    let (others, refreshed) = tokio::join!(others, joined);
    refreshed.unwrap();
    assert_eq!(count(&others, 200, "region-1"), 5);
    assert_eq!(livekit.region(1).hits_at("/"), 5);
    assert_eq!(asked(&livekit), [1, 0, 0]);
}

#[tokio::test]
async fn each_home_has_a_fetch_of_its_own_at_the_same_time() {
    let (one, two) = (failing().await, failing().await);
    // Each answers only when the other one was asked too.
    for livekit in [&one, &two] {
        livekit.region(0).set_at(PATH, Fault::BlackHole).await;
    }
    let layer = layer_with(|discovery| discovery.timeout(2 * PATIENCE));
    let client = client(&layer);
    let (first, second) = (one.origin(0), two.origin(0));
    let calls =
        async { tokio::join!(answer(&client, get(&first)), answer(&client, get(&second)),) };
    let both = async {
        one.region(0).wait_hits_at(PATH, 1).await;
        two.region(0).wait_hits_at(PATH, 1).await;
    };
    tokio::select! {
        answers = calls => panic!("nobody answered, yet {answers:?}"),
        () = both => {}
    }
    assert_eq!((asked(&one), asked(&two)), (vec![1, 0, 0], vec![1, 0, 0]));
}
