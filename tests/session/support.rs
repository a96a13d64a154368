//! A connector and its sessions, as a script has them, and a record of what was done with them.

mod connector;
mod script;
mod session;

use std::time::Duration;

use tokio::time::sleep;
use tower_failover::{
    Backoff, Jitter, Regions,
    session::{Handle, Phase, Settings, Status, Supervisor},
};

pub(crate) use self::{
    connector::Refused,
    script::{Dial, Play, Script},
    session::Peer,
};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// What a session ends with.
pub(crate) type Exit = &'static str;
/// The token by which sessions are resumed.
pub(crate) type Token = u32;

/// Regions of these names.
pub(crate) fn regions(names: &str) -> Regions {
    let named = names
        .chars()
        .map(|name| (name.to_string(), format!("http://{name}.example")));
    Regions::named(named).expect("names of hosts")
}

/// Waits of 100 ms doubling to 1.6 s without jitter, runs of a second healthy.
pub(crate) fn settings() -> Settings {
    let backoff = Backoff::exponential(100 * MS, 1600 * MS).jitter(Jitter::None);
    Settings::default().backoff(backoff).healthy_after(SECOND)
}

/// Waits until the supervisor does this.
pub(crate) async fn until(
    status: &mut tokio::sync::watch::Receiver<Status>,
    phase: Phase,
) -> Status {
    let wait = status.wait_for(|status| status.phase == phase);
    let status = tokio::time::timeout(Duration::from_secs(3600), wait).await;
    status.expect("in time").expect("running").clone()
}

/// A supervisor that retries whatever happens, in these regions.
pub(crate) fn start(names: &str, script: &Script, settings: Settings) -> Handle<Exit, usize> {
    let supervisor = Supervisor::new(regions(names), script.clone());
    supervisor.settings(settings).start().expect("settings")
}

/// How many tasks there are besides the test.
pub(crate) fn tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

/// Lets everything happen that can without time passing, save for what rounds to a millisecond.
pub(crate) async fn settle() {
    sleep(MS).await;
}
