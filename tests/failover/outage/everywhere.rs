use std::time::Duration;

use failover_cluster::Fault;
use http::StatusCode;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tower_failover::{ErrorKind, FailoverLayer, Health, Override, RegionState};

use super::scene::*;
use crate::support::within;

const TOTAL: Duration = Duration::from_secs(1);
/// By how much a busy machine may be late.
const LATE: Duration = Duration::from_secs(1);
const MIN: Duration = Duration::from_millis(50);
const MAX: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(10);
/// What the budget has to begin with.
const TOKENS: usize = 5;

/// The most probes of one region in this time: each wait is at least half of what it is on average,
/// and doubles up to the longest.
fn most_probes(mut time: Duration) -> usize {
    let (mut probes, mut wait) = (0, MIN);
    while time >= wait / 2 {
        time -= wait / 2;
        wait = (2 * wait).min(MAX);
        probes += 1;
    }
    probes
}

/// What a call came to.
enum End {
    Status(u16),
    Error(ErrorKind),
}

/// Two dozen calls, eight at a time: how many attempts there were.
async fn call_in_vain(scene: &Scene, end: End) -> usize {
    const WORKERS: usize = 8;
    const EACH: usize = 3;

    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let (client, origin) = (scene.client.clone(), scene.home.origin());
        workers.spawn(async move {
            let mut outcomes = Vec::new();
            for _ in 0..EACH {
                let start = Instant::now();
                outcomes.push((ask(&client, request(&origin)).await, start.elapsed()));
                sleep(millis(20)).await;
            }
            outcomes
        });
    }
    let mut attempts = 0;
    for (outcome, elapsed) in workers.join_all().await.into_iter().flatten() {
        assert!(elapsed <= TOTAL + LATE, "{elapsed:?}");
        attempts += match (outcome, &end) {
            (Ok(reply), End::Status(status)) => {
                assert_eq!(reply.status, *status);
                reply.attempts
            }
            (Err(error), End::Error(kind)) => {
                assert_eq!(error.kind(), *kind);
                error.attempts().len()
            }
            (outcome, _) => panic!("{outcome:?}"),
        };
    }
    assert!(attempts <= WORKERS * EACH + TOKENS, "{attempts} attempts");
    attempts
}

/// Without a token to spare each call takes the first region that answers.
async fn calls_succeed(scene: &Scene) {
    for server in [&scene.home, &scene.other] {
        server.set(Fault::None).await;
    }
    // One that a probe began before that is going to be refused.
    scene.connector.idle().await;
    // A busy machine may need longer than the attempt timeout.
    let patient = Override::new()
        .attempt_timeout(PATIENCE)
        .total_timeout(PATIENCE);
    for _ in 0..20 {
        let mut request = scene.request();
        request.extensions_mut().insert(patient);
        let reply = ask(&scene.client, request).await.unwrap();
        assert_eq!((reply.status, reply.attempts), (StatusCode::OK, 1));
    }
}

async fn all_down(fault: Fault, end: fn() -> End) {
    tokio::join!(
        all_down_over(Wire::Http1, fault.clone(), end()),
        all_down_over(Wire::H2c, fault, end()),
    );
}

async fn all_down_over(wire: Wire, fault: Fault, end: End) {
    let attempt = match fault {
        Fault::BlackHole => millis(100),
        _ => TOTAL,
    };
    let set = |layer: FailoverLayer| {
        let health = health(MIN, MAX, millis(200));
        layer
            .health(health)
            .attempt_timeout(attempt)
            .total_timeout(TOTAL)
    };
    let scene = Scene::new(wire, set).await;
    let servers = [&scene.home, &scene.other];
    for server in servers {
        server.set(fault.clone()).await;
    }
    let start = Instant::now();
    let attempts = call_in_vain(&scene, end).await;
    // Enough to see them grow rare; one that is not answered takes its time as well.
    let enough = if matches!(fault, Fault::BlackHole) {
        4
    } else {
        10
    };
    if matches!(fault, Fault::Refuse) {
        // Nothing arrives there, so what counts are the connections that were asked for.
        while scene.connector.asked() < attempts + 2 * enough {
            sleep(millis(5)).await;
        }
        let probes = scene.connector.asked() - attempts;
        let most = 2 * most_probes(start.elapsed());
        assert!(probes <= most, "{probes} probes, not {most}");
        assert_eq!(scene.home.hits() + scene.other.hits(), 0);
    } else {
        let calls = scene.home.hits_at(CALLS) + scene.other.hits_at(CALLS);
        assert!(calls <= attempts, "{calls} requests, {attempts} attempts");
        for server in servers {
            server.wait_hits_at(PROBES, enough).await;
            let (probes, most) = (probes(server), most_probes(start.elapsed()));
            assert!(probes <= most, "{probes} probes, not {most}");
        }
    }
    calls_succeed(&scene).await;
}

#[tokio::test]
async fn refusal_everywhere_costs_little_time_and_few_attempts() {
    within(all_down(Fault::Refuse, || End::Error(ErrorKind::NeverSent))).await;
}

#[tokio::test]
async fn errors_everywhere_cost_little_time_and_few_attempts() {
    within(all_down(Fault::Status(503), || End::Status(503))).await;
}

#[tokio::test]
async fn silence_everywhere_costs_little_time_and_few_attempts() {
    within(all_down(Fault::BlackHole, || {
        End::Error(ErrorKind::Timeout)
    }))
    .await;
}

/// Where all are out the order counts, so a region that is back is found by the next call.
#[tokio::test]
async fn calls_succeed_at_once_when_all_are_back() {
    let hour = Duration::from_secs(3600);
    for fault in [Fault::Refuse, Fault::Status(503)] {
        let health = Health::default().probe_every(hour, hour);
        let scene = Scene::new(Wire::Http1, |layer| layer.health(health)).await;
        for server in [&scene.home, &scene.other] {
            server.set(fault.clone()).await;
        }
        for _ in 0..10 {
            let reply = within(scene.call()).await;
            assert!(reply.is_err() || reply.is_ok_and(|reply| reply.status == 503));
        }
        within(calls_succeed(&scene)).await;
        assert_eq!(probes(&scene.home) + probes(&scene.other), 0);
    }
}

/// The order counts, as long as there is a token for a second attempt.
#[tokio::test]
async fn a_region_that_is_back_is_found_while_home_is_out_too() {
    let hour = Duration::from_secs(3600);
    let health = Health::default().probe_every(hour, hour);
    let scene = Scene::new(Wire::Http1, |layer| layer.health(health)).await;
    for server in [&scene.home, &scene.other] {
        server.set(Fault::Refuse).await;
    }
    within(scene.call()).await.unwrap_err();
    let statuses = scene.handle.regions(scene.home.origin());
    assert!(
        statuses
            .iter()
            .all(|status| status.state() == RegionState::Ejected)
    );
    scene.other.set(Fault::None).await;
    for attempts in [2, 1, 1] {
        let reply = within(scene.call()).await.unwrap();
        reply.is_from("other");
        assert_eq!(reply.attempts, attempts);
    }
}
