//! Whatever the requests of a call meet, it ends in time, and what is told and paid is what happened.

use std::io::ErrorKind;

use tokio::time::{Instant, timeout};
use tower::{Layer, ServiceExt};
use tower_failover::{Backoff, Budget, FailoverLayer, Health, Hedge, Served};

use super::{Ended, MS, S, after, told};
use crate::support::{Act, Script, Seen, get, layer};

const CASES: u64 = 2000;

fn act(rng: &mut fastrand::Rng) -> Act {
    let act = match rng.u32(0..12) {
        0..3 => Act::Status(200),
        3..5 => Act::Status(503),
        5 => Act::Status(500),
        6 => Act::StatusWith(503, "retry-after", rng.u32(0..3).to_string()),
        7 => Act::Status(421),
        8 => Act::Status([404, 429, 501][rng.usize(0..3)]),
        9 => Act::Fail(ErrorKind::ConnectionRefused),
        10 => Act::Fail(ErrorKind::ConnectionReset),
        _ => Act::Hang,
    };
    match rng.u32(0..3) {
        0 => act,
        _ => after(MS * rng.u32(0..60) * 10, act),
    }
}

/// What a case has that its calls are held to.
struct Bounds {
    attempts: u32,
    may_repeat: bool,
}

fn settings(rng: &mut fastrand::Rng) -> (FailoverLayer, Bounds) {
    let regions = rng.u8(1..5);
    let bounds = Bounds {
        attempts: rng.u32(1..6),
        may_repeat: rng.bool(),
    };
    let health = if rng.bool() {
        Health::off()
    } else {
        Health::default()
    };
    let layer = layer(regions)
        .max_attempts(bounds.attempts)
        .retry_same_region(bounds.may_repeat)
        .budget(Budget::new(0.0).cap(rng.u32(0..8)))
        .backoff(Backoff::exponential(MS * rng.u32(0..3) * 30, S))
        .attempt_timeout([None, Some(200 * MS), Some(100 * MS)][rng.usize(0..3)])
        .total_timeout(MS * rng.u32(1..300) * 10)
        .min_attempt_time(MS * rng.u32(0..2) * 50)
        .health(health)
        .hedge(Hedge::after(MS * rng.u32(0..20) * 10));
    (layer, bounds)
}

impl Bounds {
    fn check(&self, seen: &[Seen], spent: f64, outcome: &Ended) {
        assert!(seen.len() <= self.attempts as usize);
        for (seen, n) in seen.iter().zip(1..) {
            assert_eq!(seen.attempt, (n > 1).then_some(n));
        }
        let mut regions: Vec<_> = seen.iter().map(Seen::authority).collect();
        regions.sort_unstable();
        regions.dedup();
        assert!(self.may_repeat || regions.len() == seen.len());
        // The first is free, and tokens come back.
        let replays = seen.len().saturating_sub(1);
        assert!((0.0..=replays as f64).contains(&spent), "{spent} tokens");

        let told = told(outcome);
        match outcome {
            Ok(response) if response.extensions().get::<Served>().is_none() => {
                assert_eq!(
                    seen[0].authority(),
                    "a",
                    "the first attempt was served at home"
                );
            }
            _ => {
                // One that found no time is told as well.
                let sent = seen.len()..=seen.len() + 1;
                assert!(sent.contains(&told.len()), "{told:?}");
            }
        }
        if let (Ok(response), Some(last)) = (outcome, told.last()) {
            assert!(last.contains(response.status().as_str()), "{told:?}");
        }
    }
}

async fn case(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    fastrand::seed(seed);
    let (layer, bounds) = settings(&mut rng);
    let script = Script::new((0..8).map(|_| act(&mut rng)));
    let client = layer.layer(script.clone());
    for _ in 0..3 {
        let (sent, tokens) = (script.seen().len(), layer.handle().budget());
        let start = Instant::now();
        let call = client.clone().oneshot(get("http://a/x"));
        let outcome = timeout(10 * S, call).await.expect("an end");
        // The total timeout is below this.
        assert!(start.elapsed() <= 3 * S + 2 * MS);
        assert_eq!(script.in_flight(), 0);
        let spent = tokens - layer.handle().budget();
        bounds.check(&script.seen()[sent..], spent, &outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_to_hedged_calls_the_books_are_right() {
    for seed in 0..CASES {
        let case = tokio::spawn(case(seed)).await;
        case.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}
