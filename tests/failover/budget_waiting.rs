//! The measured cap while callers wait for a black hole, and make no calls.

use std::time::Duration;

use http::StatusCode;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tower::{Layer, ServiceExt};
use tower_failover::{Backoff, Budget, RegionState};

use crate::support::{Act, Script, get, layer};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

/// 90 callers make one call of 100 ms after the other. After ten seconds and this, home is silent.
/// How many calls are not served within a minute.
async fn lost(budget: Budget, phase: Duration) -> usize {
    let script = Script::default();
    for region in ["a", "b", "c"] {
        script.always(region, Act::After(100 * MS, Act::Status(200).into()));
    }
    let layer = layer(3).backoff(Backoff::default()).budget(budget);
    let end = Instant::now() + 40 * S;
    let mut callers = JoinSet::new();
    for n in 0..90 {
        let client = layer.layer(script.clone());
        callers.spawn(async move {
            sleep(MS * n).await;
            let mut lost = 0;
            while Instant::now() < end {
                let call = timeout(60 * S, client.clone().oneshot(get("http://a/x"))).await;
                let is_served = matches!(call, Ok(Ok(r)) if r.status() == StatusCode::OK);
                lost += usize::from(!is_served);
            }
            lost
        });
    }
    sleep(10 * S + phase).await;
    assert!(layer.handle().budget() >= 90.0, "a token for each caller");
    script.always("a", Act::Hang);
    // The attempt timeout, and somewhat more.
    sleep(5 * S + 150 * MS).await;
    let home = &layer.handle().regions("http://a")[0];
    assert_eq!(home.state(), RegionState::Ejected);
    callers.join_all().await.into_iter().sum()
}

#[tokio::test(start_paused = true)]
async fn callers_that_wait_for_a_black_hole_keep_the_tokens_they_need() {
    for budget in [Budget::default().cap(100), Budget::default()] {
        for phase in [0, 250, 500, 750] {
            assert_eq!(lost(budget.clone(), phase * MS).await, 0, "{phase} ms");
        }
    }
}
