//! What ejects a region, how it is found to be back, and how its calls return to it.

mod all_out;
mod clones;
mod cost;
mod late;
mod over;
mod panics;
mod probe;
mod ramp;
mod rest;
mod settings;
mod strict;
mod task;
mod threads;
mod tolerance;
mod verdict;
mod waits;

use std::{io, time::Duration};

use http::StatusCode;
use tokio::time::{sleep, timeout};
use tower::{Layer, ServiceExt};
use tower_failover::{
    Budget, Change, Changes, Failover, FailoverLayer, Handle, Health, RegionState, RegionStatus,
};

use crate::support::{Act, Script, get, no_wait};

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
/// What tokio's timer adds to a wait at most.
const ROUNDING: Duration = MS;
const HOUR: Duration = Duration::from_secs(3600);

/// Two regions, whose failures are replayed at once and as often as it takes.
fn layer(health: Health) -> FailoverLayer {
    crate::support::layer(2)
        .backoff(no_wait())
        .budget(Budget::unlimited())
        .health(health)
}

fn refused() -> Act {
    Act::Fail(io::ErrorKind::ConnectionRefused)
}

/// A client at home in `a`, what it calls, and a handle to its layer.
struct Rig {
    script: Script,
    client: Failover<Script>,
    handle: Handle,
}

impl Rig {
    fn new(layer: &FailoverLayer) -> Self {
        let script = Script::default();
        Self {
            client: layer.layer(script.clone()),
            handle: layer.handle(),
            script,
        }
    }

    /// One whose home was refused once. It would answer calls since then; what probes meet is this.
    async fn out(layer: &FailoverLayer, probes: Act) -> Self {
        let rig = Self::new(layer);
        rig.script.on_probe("a", probes);
        rig.lose_home().await;
        rig
    }

    /// One whose home was out, and has just come back.
    async fn back(layer: &FailoverLayer) -> Self {
        let rig = Self::new(layer);
        let mut changes = rig.handle.subscribe();
        rig.lose_home().await;
        restored(&mut changes).await;
        rig
    }

    /// Lets calls meet this at home, until one of them is sent there; then home is well again.
    async fn home_meets(&self, act: Act) {
        self.script.always("a", act);
        let before = self.at_home();
        // On the ramp one of ten goes there at least; the chance that none does is below 10^-45.
        for _ in 0..1000 {
            self.call("http://a/x").await;
            if self.at_home() > before {
                break;
            }
        }
        assert!(self.at_home() > before, "no call went home");
        self.script.always("a", Act::Status(200));
    }

    async fn lose_home(&self) {
        self.home_meets(refused()).await;
        assert_eq!(self.home().state(), RegionState::Ejected);
    }

    /// The answer's status, where there is one.
    async fn call(&self, uri: &str) -> Option<StatusCode> {
        let answer = self.client.clone().oneshot(get(uri)).await;
        answer.ok().map(|response| response.status())
    }

    /// Makes so many calls, and tells how many of them were sent home.
    async fn calls(&self, n: usize) -> usize {
        let before = self.at_home();
        for _ in 0..n {
            self.call("http://a/").await;
        }
        self.at_home() - before
    }

    /// How many calls were sent to `a`.
    fn at_home(&self) -> usize {
        self.script.count("a")
    }

    /// How `a` is.
    fn home(&self) -> RegionStatus {
        self.handle.regions("http://a").swap_remove(0)
    }

    fn is_out(&self) -> bool {
        self.home().state() == RegionState::Ejected
    }
}

/// Waits until a region is back.
async fn restored(changes: &mut Changes) {
    let restored =
        async { while !matches!(changes.recv().await, Some(Change::Restored { .. })) {} };
    timeout(HOUR, restored).await.expect("a region is back");
}

/// How many tasks there are beside the test's own.
fn tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}
