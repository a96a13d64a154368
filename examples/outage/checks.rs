//! What has to hold of every run.

use std::{fmt, time::Duration};

use crate::{
    client::Client,
    load::RATE,
    script::{Phase, Script},
    stats::{Outage, Stats},
};

/// Something claimed, and what was found.
#[derive(Debug)]
pub(crate) struct Check {
    claim: String,
    found: String,
    pub(crate) holds: bool,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.holds { "holds " } else { "FAILED" };
        write!(f, "{verdict}  {}: {}", self.claim, self.found)
    }
}

/// A call that is due just before the next phase may meet that one instead.
const STRAYS: f64 = 5.0;

pub(crate) fn all(script: &Script, outage: &Outage) -> Vec<Check> {
    let mut checks = Vec::new();
    let whole = |client| outage.track(client).due(Duration::ZERO, Duration::MAX);

    let expected = script.length().as_secs_f64() * f64::from(RATE);
    for client in [Client::NO_FAILOVER, Client::NAIVE, Client::OURS] {
        let calls = whole(client).calls;
        checks.push(Check {
            claim: format!("{client}: was called {expected:.0} times"),
            found: format!("{calls} calls"),
            holds: (calls as f64 - expected).abs() <= 1.0,
        });
    }
    for client in [Client::OURS, Client::STARTED] {
        let ours = whole(client);
        checks.push(Check {
            claim: format!("{client}: loses no call that its retry budget could pay for"),
            found: format!(
                "{} lost, {} for the budget",
                ours.lost, ours.lost_for_budget
            ),
            holds: ours.lost == ours.lost_for_budget,
        });
    }
    for (phase, from, to) in &outage.phases {
        let of = |client: &str| outage.track(client).due(*from, *to);
        if phase.is_dead() {
            let success = of(Client::NO_FAILOVER).success();
            checks.push(Check {
                claim: format!("{}: loses the calls in {phase}", Client::NO_FAILOVER),
                found: format!("{success:.1} % succeed"),
                holds: success <= STRAYS,
            });
        }
        if *phase == Phase::BlackHole {
            checks.extend(black_hole(script.attempt_timeout, of));
        }
    }
    let end = script.length();
    let last = outage.track(Client::OURS).due(end - script.window, end);
    let home = last.share(0);
    checks.push(Check {
        claim: format!("{}: is home again at the end", Client::OURS),
        found: format!("{home:.0} % of the last calls"),
        holds: home >= 90.0,
    });
    checks
}

/// Who waits for a region that never answers.
fn black_hole(timeout: Duration, of: impl Fn(&str) -> Stats) -> [Check; 4] {
    let latency = |client: &str, percentile, why, is_right: fn(&Duration, &Duration) -> bool| {
        let found = of(client).latency(percentile);
        let shown = found.map_or("no call was answered".to_owned(), |found| {
            format!("p{percentile} is {} ms", found.as_millis())
        });
        Check {
            claim: format!("{client}: {why}"),
            found: shown,
            holds: found.is_some_and(|found| is_right(&found, &timeout)),
        }
    };
    [
        latency(Client::NAIVE, 99, "pays for the black hole", Duration::ge),
        latency(
            Client::OURS,
            99,
            "does not pay for the black hole",
            Duration::lt,
        ),
        latency(
            Client::STARTED,
            99,
            "pays for the black hole at first",
            Duration::ge,
        ),
        latency(
            Client::STARTED,
            50,
            "soon pays for it no more",
            Duration::lt,
        ),
    ]
}
