use std::time::Duration;

use failover_cluster::WatchServer;

use super::{Watch, beat, get, hello, send};
use crate::support::within;

#[tokio::test]
async fn a_lease_has_one_holder_and_is_taken_over_by_its_name() {
    within(async {
        let server = WatchServer::http1("eu").await;
        let mut old = Watch::open(&server, "").await;
        old.read_until(&hello("eu-lease-1")).await;
        let refused = send(server.region(), get(&server, "")).await;
        assert_eq!(refused.status(), 409);
        assert_eq!(beat(&server, "eu-lease-1").await, 200);

        let mut new = Watch::open(&server, "?previousWatchLeaseId=eu-lease-1").await;
        new.read_until(&hello("eu-lease-2")).await;
        old.read_to_end().await;
        let seen = server.wait_for(|seen| seen.live == 1).await;
        assert_eq!((seen.gets.len(), seen.grants.len()), (3, 2));

        assert_eq!(beat(&server, "eu-lease-2").await, 200);
        assert!(server.seen().overlaps().is_empty());
        assert_eq!(beat(&server, "eu-lease-1").await, 409);
        let seen = server.seen();
        let overlaps: Vec<_> = seen.overlaps();
        assert_eq!(overlaps.len(), 1);
        assert_eq!(overlaps[0].lease, "eu-lease-1");
    })
    .await;
}

#[tokio::test]
async fn a_lease_is_kept_by_heartbeats_and_not_by_its_stream() {
    within(async {
        let server = WatchServer::http1("eu").await;
        server.heartbeat_interval(Duration::from_secs(60));
        let watch = Watch::open(&server, "").await;
        assert_eq!(beat(&server, "eu-lease-1").await, 200);

        // This one is the last that keeps it, and not for long.
        server.heartbeat_interval(Duration::from_millis(1));
        assert_eq!(beat(&server, "eu-lease-1").await, 200);
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(beat(&server, "eu-lease-1").await, 410);
        assert_eq!(server.seen().live, 1);

        server.heartbeat_interval(Duration::from_secs(60));
        let other = Watch::open(&server, "").await;
        drop((watch, other));
        server.wait_for(|seen| seen.live == 0).await;
        let refused = send(server.region(), get(&server, "")).await;
        assert_eq!(refused.status(), 409);

        server.expire();
        assert_eq!(beat(&server, "eu-lease-2").await, 410);
        Watch::open(&server, "").await;
    })
    .await;
}

#[tokio::test]
async fn each_device_has_a_lease_of_its_own() {
    within(async {
        let server = WatchServer::http1("eu").await;
        let mut watches = Vec::new();
        for device in ["a", "b"] {
            let mut request = get(&server, "");
            let device = device.parse().unwrap();
            request.headers_mut().insert("authorization", device);
            watches.push(Watch::new(send(server.region(), request).await));
        }
        assert_eq!(beat(&server, "eu-lease-1").await, 200);
        assert_eq!(beat(&server, "eu-lease-2").await, 200);
        assert!(server.seen().overlaps().is_empty());
    })
    .await;
}

#[tokio::test]
async fn servers_of_a_cluster_share_their_leases() {
    within(async {
        let servers = WatchServer::cluster(&["eu", "us"]).await;
        let mut old = Watch::open(&servers[0], "").await;
        let refused = send(servers[1].region(), get(&servers[1], "")).await;
        assert_eq!(refused.status(), 409);
        assert_eq!(beat(&servers[1], "eu-lease-1").await, 200);
        let query = "?previousWatchLeaseId=eu-lease-1";
        let mut new = Watch::open(&servers[1], query).await;
        new.read_until(&hello("us-lease-2")).await;
        old.read_to_end().await;
    })
    .await;
}
