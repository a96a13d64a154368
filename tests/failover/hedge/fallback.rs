//! A hedge that came to nothing is what the call has, if its first request gives none.

use std::time::Duration;

use http::Method;
use tokio::time::timeout;
use tower::{Layer, ServiceExt};
use tower_failover::Served;

use super::{S, hedged, told};
use crate::support::{Act, Script, request, timed};

/// When an attempt times out by default.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Home is silent, and the others answer with this status.
fn silent_home(status: u16) -> Script {
    let script = Script::default();
    script.always("a", Act::Hang);
    for other in ["b", "c"] {
        script.always(other, Act::Status(status));
    }
    script
}

#[tokio::test(start_paused = true)]
async fn the_answer_of_the_hedge_is_the_callers_after_the_attempt_timeout() {
    // The regions or the attempts are at their end.
    for (regions, attempts) in [(2, 3), (3, 2)] {
        for status in [429, 501, 503] {
            let script = silent_home(status);
            let layer = hedged(regions).max_attempts(attempts);
            let call = layer.layer(script.clone()).oneshot(request(Method::GET));
            let (outcome, took) = timeout(60 * S, timed(call)).await.expect("an end");
            let attempts = ["a (attempt timeout)".into(), format!("b ({status})")];
            assert_eq!((told(&outcome), took), (attempts.into(), TIMEOUT));
            let response = outcome.unwrap();
            assert_eq!(response.status(), status);
            let served: &Served = response.extensions().get().unwrap();
            assert_eq!(served.region().origin().host(), "b");
            assert_eq!(script.asked(), ["a", "b"]);
            assert_eq!(script.in_flight(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn calls_end_though_home_stays_silent_and_each_hedge_comes_to_nothing() {
    for regions in [2, 3] {
        for status in [429, 501, 503] {
            let script = silent_home(status);
            let client = hedged(regions).layer(script.clone());
            for n in 0..20 {
                let call = client.clone().oneshot(request(Method::GET));
                let answer = timeout(60 * S, call).await;
                let answer = answer.unwrap_or_else(|_| panic!("call {n} has no end: {status}"));
                assert_eq!(answer.unwrap().status(), status);
            }
            assert_eq!(script.in_flight(), 0);
        }
    }
}
