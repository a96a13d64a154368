//! Which hosts are served, how they are written, and whom a list may name.

use super::*;

/// A project of which every host but that one refuses calls; what is asked for the list lists this.
fn down_but(up: &str, list: &[&str]) -> World {
    let world = World::default();
    world
        .on("", Act::Refuse)
        .on(up, Act::Status(200))
        .on("?", listing("max-age=60", list));
    world
}

async fn post(
    layer: &FailoverLayer,
    net: &World,
    origin: &str,
    own: Override,
) -> Result<u16, ErrorKind> {
    let request = with(twirp(origin, ROOMS, "{}"), own);
    let response = net.client(layer).oneshot(request).await;
    response
        .map(|response| response.status().as_u16())
        .map_err(|error| error.kind())
}

const NO_OVERRIDE: Override = Override::new();

#[tokio::test(start_paused = true)]
async fn u1_d14_the_hosts_of_livekit_cloud_are_served() {
    for host in [
        "x.livekit.cloud",
        "a.b.livekit.cloud",
        "x.livekit.run",
        "a.b.livekit.run",
        "X.LiveKit.CLOUD",
        "X.LIVEKIT.RUN",
        "x.livekit.cloud:8443",
    ] {
        let net = down_but("nobody", &[]);
        let origin = format!("https://{host}");
        let result = post(&FailoverLayer::livekit(), &net, &origin, NO_OVERRIDE).await;
        assert_eq!(result, Err(ErrorKind::NeverSent), "{host}");
        assert_eq!(net.asked(), [origin.to_lowercase()], "{host}");
        assert!(net.calls()[0].headers.contains_key(ID), "{host}");
    }
}

#[tokio::test(start_paused = true)]
async fn u1_d14_d15_other_hosts_are_not_served() {
    for host in [
        "livekit.cloud",
        "livekit.run",
        "LIVEKIT.CLOUD",
        ".livekit.cloud",
        "a..livekit.cloud",
        "x.livekit.cloud.",
        "livekit.cloud.example.com",
        "x.livekit.cloud.example.com",
        "notlivekit.cloud",
        "x.notlivekit.cloud",
        "x.livekit.io",
        "cloud-api.livekit.io",
        "example.com",
        "localhost",
        "localhost:7880",
        "127.0.0.1",
        "10.0.0.1:7880",
        "[::1]",
    ] {
        let net = down_but("nobody", &[]);
        let origin = format!("https://{host}");
        let layer = FailoverLayer::livekit();
        let result = post(&layer, &net, &origin, NO_OVERRIDE).await;
        assert_eq!(result, Err(ErrorKind::OutOfScope), "{host}");
        assert_eq!((net.asked().len(), net.called().len()), (0, 1), "{host}");
        assert!(!net.calls()[0].headers.contains_key(ID), "{host}");

        // D15: not even for who asks for it.
        assert!(layer.handle().refresh(&origin).await.is_err(), "{host}");
        assert_eq!(net.asked().len(), 0, "{host}");
    }
}

#[tokio::test(start_paused = true)]
async fn u1_the_switch_for_tests_serves_loopback_and_nothing_else() {
    for (origin, is_served) in [
        ("http://127.0.0.1:9999", true),
        ("http://127.0.0.2:9999", false),
        ("http://localhost:9999", false),
        ("http://[::1]:9999", false),
        ("https://x.livekit.cloud", false),
        ("https://x.livekit.run", false),
    ] {
        let net = down_but("nobody", &[]);
        let layer = FailoverLayer::livekit_on_loopback();
        let _ = post(&layer, &net, origin, NO_OVERRIDE).await;
        assert_eq!(net.asked().len(), usize::from(is_served), "{origin}");
    }
}

const REGIONS: &[&str] = &[
    "https://x.livekit.cloud",
    "https://r1.livekit.cloud",
    "https://r2.production.livekit.cloud",
    "https://r3.livekit.cloud",
];

#[tokio::test(start_paused = true)]
async fn u1_u2_a_project_in_the_cloud_has_three_attempts_and_one_with_failover_off() {
    let net = down_but("nobody", REGIONS);
    let layer = FailoverLayer::livekit();
    let off = Override::new().enabled(false);
    let _ = post(&layer, &net, REGIONS[0], off).await;
    assert_eq!(net.called(), [REGIONS[0]]);
    assert_eq!(net.asked().len(), 0);

    let net = down_but("nobody", REGIONS);
    let layer = FailoverLayer::livekit();
    let _ = post(&layer, &net, REGIONS[0], NO_OVERRIDE).await;
    assert_eq!(net.called().len(), 3);
    assert_eq!(net.asked(), [REGIONS[0]]);
}

#[tokio::test(start_paused = true)]
async fn h1_a_host_is_one_whatever_its_case_and_a_port_makes_it_another() {
    let net = down_but("r1.livekit.cloud", REGIONS);
    let layer = FailoverLayer::livekit();
    for origin in [
        "https://X.LiveKit.cloud",
        "https://x.livekit.cloud",
        "https://x.livekit.cloud:443",
    ] {
        let off = post(&layer, &net, origin, NO_OVERRIDE).await;
        assert_eq!(off, Ok(200));
    }
    assert_eq!(net.asked(), ["https://x.livekit.cloud"]);
    let other = "https://x.livekit.cloud:8080";
    assert_eq!(post(&layer, &net, other, NO_OVERRIDE).await, Ok(200));
    assert_eq!(net.asked(), ["https://x.livekit.cloud", other]);
}

#[tokio::test(start_paused = true)]
async fn h2_each_region_is_called_once_in_the_order_of_the_list_and_no_malformed_one() {
    let net = down_but(
        "nobody",
        &["https://x.livekit.cloud", "https://r1.livekit.cloud"],
    );
    let layer = FailoverLayer::livekit().max_attempts(9);
    let _ = post(&layer, &net, REGIONS[0], NO_OVERRIDE).await;
    assert_eq!(net.called(), REGIONS[..2]);

    let net = down_but(
        "nobody",
        &[
            "::",
            "https://r2.livekit.cloud",
            "https://",
            "https://R2.livekit.cloud:443",
            "not a url",
            // The SDKs would drop the path; here a region is an origin.
            "https://r3.livekit.cloud/a/path",
            "https://r1.livekit.cloud/",
        ],
    );
    let layer = FailoverLayer::livekit().max_attempts(9);
    let _ = post(&layer, &net, REGIONS[0], NO_OVERRIDE).await;
    let called = net.called();
    assert_eq!(called.len(), 3, "{called:?}");
    assert_eq!(called[0], "https://x.livekit.cloud");
    assert_eq!(called[1], "https://r2.livekit.cloud");
    assert_eq!(called[2], "https://r1.livekit.cloud");
    assert!(
        net.calls()
            .iter()
            .all(|call| call.path == format!("/twirp/{ROOMS}"))
    );
}

#[tokio::test(start_paused = true)]
async fn h4_d16_websocket_urls_stand_for_those_of_http() {
    let net = down_but("r1.livekit.cloud", &["wss://r1.livekit.cloud"]);
    let layer = FailoverLayer::livekit();
    let home = "https://x.livekit.cloud";
    assert_eq!(post(&layer, &net, home, NO_OVERRIDE).await, Ok(200));
    assert_eq!(net.called(), [home, "https://r1.livekit.cloud"]);
    for home in [
        "wss://x.livekit.cloud",
        "WSS://X.livekit.cloud",
        "https://x.livekit.cloud",
    ] {
        layer.handle().refresh(home).await.unwrap();
    }
    assert_eq!(net.asked(), [home; 4]);

    let net = down_but("http 127.0.0.1:2", &["ws://127.0.0.1:2"]);
    let layer = FailoverLayer::livekit_on_loopback();
    let home = "http://127.0.0.1:1";
    assert_eq!(post(&layer, &net, home, NO_OVERRIDE).await, Ok(200));
    assert_eq!(net.called(), [home, "http://127.0.0.1:2"]);
    layer.handle().refresh("ws://127.0.0.1:1").await.unwrap();
    assert_eq!(net.asked(), [home; 2]);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_sdks_nobody_but_livekit_is_called_and_nobody_without_tls() {
    let net = down_but(
        "nobody",
        &[
            "https://evil.example.com",
            "https://livekit.cloud.example.com",
            "https://notlivekit.cloud",
            "https://x.livekit.io",
            "http://r1.livekit.cloud",
            "ws://r1.livekit.cloud",
            "https://127.0.0.1",
            "https://user:secret@r1.livekit.cloud",
            "https://r2.livekit.cloud",
        ],
    );
    let layer = FailoverLayer::livekit().max_attempts(9);
    for _ in 0..3 {
        let _ = post(&layer, &net, REGIONS[0], NO_OVERRIDE).await;
    }
    let mut called = net.called();
    called.extend(net.asked());
    called.sort();
    called.dedup();
    assert_eq!(
        called,
        ["https://r2.livekit.cloud", "https://x.livekit.cloud"]
    );
}
