//! Discovered regions that are out for a while, over real sockets.

use std::time::Duration;

use failover_cluster::{Fault, LiveKit, Server};
use http::{HeaderMap, Method, header::HOST};
use tokio::time::{sleep, timeout};
use tower_failover::{Handle, Health, RegionState};

use crate::support::*;

const CALLS: &str = "/twirp/livekit.RoomService/CreateRoom";
const PROBES: &str = "/";

/// Three regions, and a client whose calls have the first as their home.
struct Project {
    livekit: LiveKit,
    client: FailoverClient,
    handle: Handle,
}

impl Project {
    async fn start() -> Self {
        let livekit = LiveKit::start(3).await;
        // The list is to be had during an outage, too.
        livekit.region(0).set_at(PATH, Fault::None).await;
        let (min, max) = (Duration::from_millis(20), Duration::from_millis(200));
        let layer = layer().health(Health::default().probe_every(min, max).ramp(max));
        Self {
            livekit,
            client: client(&layer),
            handle: layer.handle(),
        }
    }

    fn state(&self, region: &Server) -> RegionState {
        let statuses = self.handle.regions(self.livekit.origin(0));
        let is_meant = |origin: &str| origin == region.origin();
        let mut statuses = statuses.iter();
        let status = statuses.find(|status| is_meant(status.region().origin().as_str()));
        status.map_or(RegionState::Healthy, |status| status.state())
    }

    /// The region that answers a call, which has to succeed.
    async fn served_by(&self) -> String {
        let (status, region) = answer(&self.client, call(&self.livekit.origin(0), "")).await;
        assert_eq!(status, 200);
        region
    }

    /// Calls until this region is out, and goes on while it is probed. It gets none of these calls,
    /// and its probes nothing of theirs.
    async fn eject(&self, region: usize) {
        let region = self.livekit.region(region);
        region.set(Fault::Status(503)).await;
        while self.state(region) != RegionState::Ejected {
            assert_ne!(self.served_by().await, region.name());
        }
        let (calls, probes) = (region.hits_at(CALLS), region.hits_at(PROBES));
        while region.hits_at(PROBES) < probes + 2 {
            assert_ne!(self.served_by().await, region.name());
            sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(region.hits_at(CALLS), calls);
        let host = (HOST, region.authority().parse().unwrap());
        let headers = HeaderMap::from_iter([host]);
        for probe in region.requests_at(PROBES) {
            assert_eq!(
                (probe.method, probe.headers),
                (Method::HEAD, headers.clone())
            );
        }
    }

    /// This region is well, and calls go on until it has all that come to it.
    async fn recover(&self, region: usize) {
        let region = self.livekit.region(region);
        region.set(Fault::None).await;
        region.clear_at(PROBES).await;
        while self.state(region) != RegionState::Healthy {
            self.served_by().await;
        }
        for _ in 0..5 {
            assert_eq!(self.served_by().await, region.name());
        }
    }
}

async fn within<F: Future>(test: F) -> F::Output {
    timeout(PATIENCE, test).await.expect("an end in time")
}

#[tokio::test]
async fn a_home_that_is_out_is_probed_and_comes_back() {
    within(async {
        let project = Project::start().await;
        assert_eq!(project.served_by().await, "region-0");
        project.eject(0).await;
        project.recover(0).await;
        for other in [1, 2] {
            assert_eq!(project.livekit.region(other).hits_at(PROBES), 0);
        }
    })
    .await;
}

/// Nobody has named it but the list.
#[tokio::test]
async fn a_region_of_the_list_that_is_out_is_probed_and_comes_back() {
    within(async {
        let project = Project::start().await;
        project.eject(0).await;
        assert_eq!(project.served_by().await, "region-1");
        project.eject(1).await;
        assert_eq!(project.served_by().await, "region-2");
        project.recover(1).await;
        assert_eq!(
            project.state(project.livekit.region(0)),
            RegionState::Ejected
        );
        assert_eq!(project.livekit.region(2).hits_at(PROBES), 0);
    })
    .await;
}

#[tokio::test]
async fn a_region_stays_out_when_a_list_names_it_again() {
    within(async {
        let project = Project::start().await;
        project.eject(0).await;
        let home = project.livekit.region(0);
        // Calls would be served again; no probe says so.
        home.set_at(PROBES, Fault::Status(503)).await;
        home.set(Fault::None).await;
        let calls = home.hits_at(CALLS);
        project.livekit.list(&[2, 0, 1]);
        project.handle.refresh(home.origin()).await.unwrap();
        for _ in 0..5 {
            assert_eq!(project.served_by().await, "region-2");
        }
        assert_eq!(home.hits_at(CALLS), calls);
        project.recover(0).await;
    })
    .await;
}
