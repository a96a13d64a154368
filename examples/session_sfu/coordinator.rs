//! Who assigns the servers, for the example `session_sfu`: elsewhere an API across the network.

use std::{
    future::{Future, ready},
    sync::{Arc, Mutex},
};

use failover_cluster::SessionServer;
use tower_failover::{BoxError, Query, Region, RegionList};

/// Assigns one server at a time: the first that the query does not exclude.
#[derive(Clone)]
pub(crate) struct Coordinator {
    servers: Arc<[Region]>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    asked: Vec<Asked>,
    refusals: usize,
}

/// What it was told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) excluded: Vec<String>,
    pub(crate) migrating_from: Option<String>,
}

impl Coordinator {
    /// In whose name it answers. It has to be of one domain, or here of one address, with the servers.
    pub(crate) const ORIGIN: &str = "http://127.0.0.1";

    pub(crate) fn new(servers: &[SessionServer]) -> Self {
        let region = |server: &SessionServer| Region::new(server.name(), server.origin());
        let servers = servers.iter().map(region).collect::<Result<_, _>>();
        Self {
            servers: servers.expect("servers on loopback are regions"),
            shared: Arc::default(),
        }
    }

    /// Refuses so many queries from now on.
    pub(crate) fn refuse(&self, queries: usize) {
        self.lock().refusals = queries;
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.lock().asked.clone()
    }

    pub(crate) fn assign(
        &self,
        query: &Query,
    ) -> impl Future<Output = Result<RegionList, BoxError>> + Send + use<> {
        let mut shared = self.lock();
        let name = |region: &Region| region.name().to_owned();
        shared.asked.push(Asked {
            excluded: query.excluded().iter().map(name).collect(),
            migrating_from: query.migrating_from().map(name),
        });
        let refused = shared.refusals > 0;
        shared.refusals = shared.refusals.saturating_sub(1);
        let free = |server: &&Region| !query.excluded().contains(server);
        let server = self.servers.iter().find(free).or(self.servers.first());
        ready(match refused {
            true => Err("no server to be had".into()),
            false => Ok(RegionList::new(server.cloned().into_iter().collect())),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().expect("nobody panics with it")
    }
}
