//! A home that goes silent under load is found out, whatever there is to pay hedges and to measure.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt};
use tower_failover::{Budget, Hedge};

use super::{DELAY, MS, S, late};
use crate::support::{Act, Script, get, layer};

/// So many calls a second of 50 ms each. Home goes silent after ten seconds: how many of the calls of
/// the next ten take more than a second.
async fn late_calls(hedge: Hedge, budget: Budget, per_second: u32) -> usize {
    fastrand::seed(5);
    let script = Script::default();
    script.always("a", late(50 * MS));
    script.always("b", late(50 * MS));
    let client = layer(2).hedge(hedge).budget(budget).layer(script.clone());
    let mut calls = Vec::new();
    for n in 0..20 * per_second {
        if n == 10 * per_second {
            script.always("a", Act::Hang);
        }
        let call = client.clone().oneshot(get("http://a/x"));
        calls.push(tokio::spawn(async {
            let start = Instant::now();
            let _ = call.await;
            start.elapsed()
        }));
        sleep(S / per_second).await;
    }
    let mut late = 0;
    for call in calls {
        late += usize::from(call.await.unwrap() > S);
    }
    late
}

#[tokio::test(start_paused = true)]
async fn the_default_budget_does_not_keep_a_silent_region_from_being_found_out() {
    for per_second in [10, 50, 100, 200, 500] {
        let hedged = late_calls(Hedge::after(DELAY), Budget::default(), per_second).await;
        let never = Hedge::after(Duration::MAX);
        let bare = late_calls(never, Budget::default(), per_second).await;
        assert!(bare > 0, "home was silent");
        assert!(hedged < bare / 4, "{per_second}: {hedged} of {bare}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_measured_delay_does_not_run_away_with_a_silent_region() {
    for per_second in [10, 50, 200, 500] {
        let hedge = Hedge::after(DELAY);
        let fixed = late_calls(hedge, Budget::unlimited(), per_second).await;
        let measured = late_calls(Hedge::p95(), Budget::unlimited(), per_second).await;
        assert!(measured <= fixed, "{per_second}: {measured}, not {fixed}");
    }
}
