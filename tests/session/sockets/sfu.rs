//! System S, a call on a media server.

use failover_cluster::{SessionServer, session_server::Join};
use tower_failover::session::Settings;

use self::{
    coordinator::{Asked, Coordinator},
    page::{self as sfu, Call},
};
use super::{fast, lines, start};

#[path = "../../../examples/session_sfu/coordinator.rs"]
mod coordinator;
#[path = "../../../examples/session_sfu/network.rs"]
mod network;
#[path = "../../../examples/session_sfu/sfu.rs"]
mod page;

mod advice;
mod offline;
mod outage;

fn settings() -> Settings {
    fast(page::settings())
}

fn join(coordinator: &Coordinator, settings: Settings) -> Call {
    let coordinator = coordinator.clone();
    let servers = page::servers(Coordinator::ORIGIN, move |query| coordinator.assign(&query));
    page::join(servers.unwrap(), settings).unwrap()
}

async fn servers(names: &[&str]) -> (Vec<SessionServer>, Coordinator) {
    let servers = start(names).await;
    let coordinator = Coordinator::new(&servers);
    (servers, coordinator)
}

fn asked(excluded: &[&str], migrating_from: Option<&str>) -> Asked {
    Asked {
        excluded: excluded.iter().map(|&name| name.to_owned()).collect(),
        migrating_from: migrating_from.map(str::to_owned),
    }
}

/// The id and the place that somebody who joined said to come from.
fn told(join: &Join) -> (Option<&str>, Option<&str>) {
    (join.token.as_deref(), join.from.as_deref())
}
