//! What the budget does to thousands of calls, as its documentation has it.

use std::{
    io::ErrorKind::{ConnectionRefused, ConnectionReset},
    time::Duration,
};

use http::{Method, StatusCode};
use tokio::{task::JoinHandle, time::Instant};
use tower::{Layer, ServiceExt};
use tower_failover::{Budget, FailoverLayer, Health, Served};

use crate::{
    budget::{call, failing, forgetful},
    support::{Act, Script, layer, request, wait_of},
};

const S: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn after_ms(wait: u64, status: u16) -> Act {
    Act::After(Duration::from_millis(wait), Box::new(Act::Status(status)))
}

/// How many attempts the callers' requests made; a probe of the layer's own is none of them.
fn attempts(script: &Script) -> usize {
    let seen = script.seen();
    seen.iter().filter(|s| s.method == Method::GET).count()
}

/// Calls evenly at this rate, whatever they are answered and when.
struct Pace<'a> {
    layer: &'a FailoverLayer,
    per_second: u32,
}

impl Pace<'_> {
    /// Calls for so many seconds, and returns how many calls there were and how many succeeded.
    async fn calls(&self, script: &Script, seconds: u32) -> (usize, usize) {
        let client = self.layer.layer(script.clone());
        let begin = Instant::now();
        let mut calls = Vec::<JoinHandle<_>>::new();
        for n in 0..self.per_second * seconds {
            tokio::time::sleep_until(begin + S * n / self.per_second).await;
            let call = client.clone().oneshot(request(Method::GET));
            calls.push(tokio::spawn(call));
        }
        tokio::time::sleep_until(begin + S * seconds).await;
        let (all, mut succeeded) = (calls.len(), 0);
        for call in calls {
            let response = call.await.unwrap();
            succeeded += usize::from(response.is_ok_and(|r| r.status() == StatusCode::OK));
        }
        (all, succeeded)
    }
}

/// In gRPC a failed attempt costs a token of ten, a success brings a tenth, and nothing is replayed
/// below five: there, the sixth of these calls fails and so do all that follow.
#[tokio::test(start_paused = true)]
async fn thousands_of_calls_in_a_row_are_rescued_from_a_home_that_always_fails() {
    for failure in [
        Act::Status(503),
        Act::Fail(ConnectionRefused),
        Act::Fail(ConnectionReset),
    ] {
        let budget = Budget::default();
        let (layer, script) = (forgetful(2, &budget), Script::default());
        script.always("a", failure.clone());
        for n in 0..3000 {
            assert_eq!(
                call(&layer, &script).await,
                StatusCode::OK,
                "{n} {failure:?}"
            );
            assert!(budget.available() >= 5.0, "{n} {failure:?}");
        }
        let asked = script.asked();
        assert_eq!(asked.len(), 6000);
        assert!(asked.chunks(2).all(|call| call == ["a", "b"]));
    }
}

#[tokio::test(start_paused = true)]
async fn thousands_of_calls_are_rescued_from_a_home_that_is_remembered() {
    let budget = Budget::default();
    let layer = layer(2).budget(budget.clone());
    let script = failing(&["a"]);
    let pace = Pace {
        layer: &layer,
        per_second: 10,
    };
    assert_eq!(pace.calls(&script, 300).await, (3000, 3000));
    assert!(budget.available() >= 5.0);
    let asked = script.asked();
    let home = asked.iter().filter(|region| *region == "a").count();
    assert!((2..300).contains(&home), "{home}: it was asked, and spared");
}

#[tokio::test(start_paused = true)]
async fn a_home_that_dies_under_load_costs_no_call_its_success() {
    for (per_second, health) in [
        (1, Health::off()),
        (1, Health::default()),
        (50, Health::off()),
        (50, Health::default()),
        (1000, Health::default()),
    ] {
        let budget = Budget::default();
        let name = format!("{per_second} {health:?}");
        let layer = layer(3).budget(budget.clone()).health(health);
        let pace = Pace {
            layer: &layer,
            per_second,
        };
        let script = Script::default();
        for region in ["a", "b", "c"] {
            script.always(region, after_ms(if region == "a" { 20 } else { 100 }, 200));
        }
        let (calls, succeeded) = pace.calls(&script, 10).await;
        assert_eq!(succeeded, calls, "{name}");
        script.always("a", after_ms(20, 503));
        let (calls, succeeded) = pace.calls(&script, 10).await;
        assert_eq!(succeeded, calls, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_total_outage_costs_the_cap_in_replays_and_the_cap_is_that_of_the_rate() {
    // The floor, 0.6 s of traffic within what a sample is off, the ceiling.
    for (per_second, cap) in [(1, 5..=5), (50, 28..=31), (1000, 100..=100)] {
        let budget = Budget::default();
        let layer = forgetful(3, &budget);
        let pace = Pace {
            layer: &layer,
            per_second,
        };
        let script = Script::default();
        let (calls, succeeded) = pace.calls(&script, 15.max(120 / per_second)).await;
        assert_eq!((succeeded, attempts(&script)), (calls, calls));

        let outage = failing(&["a", "b", "c"]);
        let (calls, succeeded) = pace.calls(&outage, 10).await;
        let replays = attempts(&outage) - calls;
        assert_eq!(succeeded, 0);
        assert!(cap.contains(&replays), "{per_second}: {replays}");
        assert!(budget.available() < 1.0);

        let outage = failing(&["a", "b", "c"]);
        let (calls, _) = pace.calls(&outage, 10).await;
        assert_eq!(attempts(&outage), calls, "{per_second}: amplified for good");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_became_quiet_is_left_with_five_replays() {
    let budget = Budget::default();
    let layer = forgetful(3, &budget);
    let script = Script::default();
    for (per_second, seconds) in [(1000, 10), (1, 300)] {
        let pace = Pace {
            layer: &layer,
            per_second,
        };
        pace.calls(&script, seconds).await;
    }
    let outage = failing(&["a", "b", "c"]);
    for _ in 0..500 {
        assert_eq!(call(&layer, &outage).await, 503);
    }
    assert_eq!(attempts(&outage), 505);
}

#[tokio::test(start_paused = true)]
async fn no_token_comes_back_with_time() {
    for health in [Health::off(), Health::default()] {
        let budget = Budget::default();
        let layer = layer(3).budget(budget.clone()).health(health);
        let script = failing(&["a", "b", "c"]);
        for _ in 0..100 {
            assert_eq!(call(&layer, &script).await, 503);
        }
        assert_eq!(attempts(&script), 105);
        // Waiting, once an hour for a day; then calling, once a second for an hour.
        for n in 1..=24 {
            tokio::time::sleep(HOUR).await;
            assert_eq!(budget.available(), 0.0);
            assert_eq!(call(&layer, &script).await, 503);
            assert_eq!(attempts(&script), 105 + n);
        }
        for _ in 0..3600 {
            tokio::time::sleep(S).await;
            assert_eq!(call(&layer, &script).await, 503);
            assert_eq!(budget.available(), 0.0);
        }
        assert_eq!(attempts(&script), 105 + 24 + 3600);
    }
}

/// The share that succeeds of so many calls where half of all attempts fail, in whichever region.
async fn success_of(calls: usize, budget: Budget, max_attempts: u32, seed: u64) -> f64 {
    let mut rng = fastrand::Rng::with_seed(seed);
    let layer = forgetful(3, &budget).max_attempts(max_attempts);
    let acts = (0..3 * calls).map(|_| Act::Status(if rng.bool() { 200 } else { 503 }));
    let script = Script::new(acts);
    let mut succeeded = 0;
    for _ in 0..calls {
        succeeded += u32::from(call(&layer, &script).await == StatusCode::OK);
    }
    f64::from(succeeded) / calls as f64
}

#[tokio::test(start_paused = true)]
async fn where_half_of_all_calls_fail_in_every_region_success_is_what_the_documentation_says() {
    const CALLS: usize = 20_000;
    let once = success_of(CALLS, Budget::default(), 1, 7).await;
    assert!((0.49..0.51).contains(&once), "{once}");
    let unlimited = success_of(CALLS, Budget::unlimited(), 3, 7).await;
    assert!((0.865..0.885).contains(&unlimited), "{unlimited}");
    // One replay fails for each that succeeds, and ten successes pay for one that fails: s = 1/2 + s/10.
    let success = success_of(CALLS, Budget::default(), 3, 7).await;
    assert!((0.546..0.566).contains(&success), "{success}");
}

#[tokio::test(start_paused = true)]
async fn where_half_of_all_calls_fail_the_tokens_at_the_start_help_a_new_client() {
    let mut success = 0.0;
    for seed in 0..200 {
        success += success_of(90, Budget::default(), 3, seed).await / 200.0;
    }
    assert!((0.60..0.635).contains(&success), "{success}");
}

#[tokio::test(start_paused = true)]
async fn tokens_of_calls_in_their_wait_are_nobody_elses_until_these_are_dropped() {
    let budget = Budget::new(0.0);
    let script = failing(&["a"]);
    let layer = forgetful(2, &budget).backoff(wait_of(S));
    let waiting: Vec<_> = (0..5)
        .map(|_| {
            let client = layer.layer(script.clone());
            tokio::spawn(client.oneshot(request(Method::GET)))
        })
        .collect();
    tokio::time::sleep(S / 2).await;
    assert_eq!(budget.available(), 0.0);
    assert_eq!(call(&layer, &script).await, 503);
    for call in waiting {
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }
    assert_eq!(budget.available(), 5.0);
    assert_eq!(script.asked(), ["a"; 6]);
    assert_eq!(call(&layer, &script).await, StatusCode::OK);
    assert_eq!(budget.available(), 5.0);
}

/// Every call ends some way: answered at once, rescued, failed, dropped in its wait or dropped in its
/// replay; on several threads, and the tokens are what is left by arithmetic.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_tokens_of_calls_on_many_threads_add_up() {
    const CALLS: u64 = 4000;
    let budget = Budget::new(0.5).cap(100_000);
    let layer = forgetful(2, &budget);
    let calls: Vec<_> = (0..CALLS)
        .map(|seed| {
            let layer = layer.clone();
            tokio::spawn(async move {
                let mut rng = fastrand::Rng::with_seed(seed);
                // Each call has regions of its own, so that it is known what became of it.
                let script = Script::default();
                if rng.bool() {
                    script.always("a", Act::Status(503));
                }
                let fallback = [Act::Status(200), Act::Status(503), Act::Hang];
                script.always("b", fallback[rng.usize(0..3)].clone());
                let layer = match rng.bool() {
                    true => layer,
                    false => layer.backoff(wait_of(Duration::from_millis(rng.u64(1..40)))),
                };
                let client = layer.layer(script.clone());
                let call = client.oneshot(request(Method::GET));
                let patience = Duration::from_millis(rng.u64(0..20));
                let answer = tokio::time::timeout(patience, call).await;
                let response = answer.ok().map(Result::unwrap);
                let is_ok = response
                    .as_ref()
                    .is_some_and(|r| r.status() == StatusCode::OK);
                let is_rescued = is_ok && response.unwrap().extensions().get::<Served>().is_some();
                let is_replayed = script.asked().len() == 2;
                // Thousandths that came in, and that were spent.
                let spent = u64::from(is_replayed && !is_rescued) * 1000;
                (u64::from(is_ok) * 500, spent)
            })
        })
        .collect();
    let (mut deposited, mut spent) = (5000, 0);
    for call in calls {
        let (more, less) = call.await.unwrap();
        deposited += more;
        spent += less;
    }
    assert!(spent > 100_000, "{spent}");
    let left = (budget.available() * 1000.0).round() as u64;
    assert_eq!(left, deposited - spent);
}

/// A burst raises the cap, but what was not saved is not there.
#[tokio::test(start_paused = true)]
async fn a_burst_in_an_outage_finds_what_the_calls_before_it_could_save() {
    for (quiet, burst) in [(0, 100), (3600, 6), (3600, 100), (3600, 1000)] {
        let budget = Budget::default();
        let layer = forgetful(3, &budget);
        let pace = Pace {
            layer: &layer,
            per_second: 1,
        };
        pace.calls(&Script::default(), quiet).await;
        let outage = Script::default();
        for region in ["a", "b", "c"] {
            outage.always(region, after_ms(1000, 503));
        }
        let client = layer.layer(outage.clone());
        let calls: Vec<_> = (0..burst)
            .map(|_| tokio::spawn(client.clone().oneshot(request(Method::GET))))
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap().status(), 503);
        }
        let replays = attempts(&outage) - burst;
        assert_eq!(replays, 5, "{quiet} {burst}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_late_brings_nothing_in_and_nothing_back() {
    let budget = Budget::new(0.5);
    let layer = forgetful(2, &budget).attempt_timeout(Duration::from_secs(1));
    let script = Script::default();
    script.always("a", Act::Hang);
    for (answer, after) in [(900, 5.0), (1100, 4.0)] {
        script.always("b", after_ms(answer, 200));
        assert_eq!(call(&layer, &script).await, 200);
        assert_eq!(budget.available(), after, "in {answer} ms");
    }
    // Nor does a first attempt that goes on because there is nothing to pay another with.
    while budget.available() >= 1.0 {
        script.always("b", Act::Status(503));
        call(&layer, &script).await;
    }
    let left = budget.available();
    script.always("a", after_ms(1100, 200));
    assert_eq!(call(&layer, &script).await, 200);
    assert_eq!(budget.available(), left);
    script.always("a", after_ms(900, 200));
    assert_eq!(call(&layer, &script).await, 200);
    assert_eq!(budget.available(), left + 0.5);
}
