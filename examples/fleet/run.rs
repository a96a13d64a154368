//! Runs scenarios: each on a clock of its own, from the seed.

use std::{
    num::NonZero,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    runtime,
    time::{Instant, sleep_until},
};

use super::{
    args::Args,
    client::{self, Client},
    events,
    outcome::{Outcome, Outcomes},
    row::Row,
    scenarios::{self, Scenario},
    world::World,
};

/// How long calls may take after the last one began.
const GRACE: u64 = 5;
/// How many simulated seconds there are to a line of progress.
const STEP: u64 = 30;

/// Runs the scenarios, as many at a time as the machine has cores.
pub(crate) fn all(scenarios: Vec<Scenario>, seed: u64) -> Outcomes {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let outcomes = Mutex::new(vec![None; scenarios.len()]);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(scenario) = scenarios.get(place) else {
                        break;
                    };
                    let outcome = one(scenario, seed, true);
                    outcomes.lock().expect("no run panicked")[place] = Some(outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().expect("no run panicked");
    Outcomes::new(outcomes.into_iter().flatten())
}

/// Runs one scenario twice and compares what was counted.
pub(crate) fn is_repeatable(args: &Args) -> Option<Row> {
    let few = Args {
        clients: 200,
        only: Some("dark".into()),
        ..args.clone()
    };
    let scenario = scenarios::all(&few).into_iter().next()?;
    let [first, second] = [(); 2].map(|()| one(&scenario, args.seed, false).fingerprint());
    Some(Row::repeated(first == second))
}

fn one(scenario: &Scenario, seed: u64, with_progress: bool) -> Outcome {
    fastrand::seed(seed);
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime needs a thread only");
    runtime.block_on(simulate(scenario, with_progress))
}

async fn simulate(scenario: &Scenario, with_progress: bool) -> Outcome {
    events::begin(scenario.clients);
    let begin = Instant::now();
    let world = Arc::new(World::new(scenario.clone()));
    for id in 0..scenario.clients {
        match scenario.calls_per_process {
            None => tokio::spawn(Client::new(world.clone(), id).live()),
            Some(calls) => tokio::spawn(client::live_briefly(world.clone(), id, calls)),
        };
    }
    let mut from = 0;
    for second in (STEP..=scenario.seconds).step_by(STEP as usize) {
        sleep_until(begin + Duration::from_secs(second)).await;
        let (calls, succeeded) = world.progress(from..second as usize);
        if with_progress {
            let name = &scenario.name;
            println!("{name:<24} {second:>4} s  {calls:>7} calls  {succeeded:>7} succeeded so far");
        }
        from = second as usize;
    }
    sleep_until(begin + Duration::from_secs(scenario.seconds + GRACE)).await;
    Outcome::new(scenario.clone(), world.take_log(), events::take())
}
