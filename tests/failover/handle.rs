//! Looking at a running layer, and steering it.

mod changes;
mod steering;

use std::{io, time::Duration};

use tokio::time::sleep;
use tower::{Layer, ServiceExt};
use tower_failover::{
    Budget, Change, Discovery, Failover, FailoverLayer, Handle, Health, Region, RegionList,
    RegionState, RegionStatus, Regions,
};

use crate::support::{Act, Script, get, named, no_wait};

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
const HOME: &str = "https://eu";

/// `eu`, which is home, and `us`; without waits.
fn layer() -> FailoverLayer {
    FailoverLayer::new(named(["eu", "us"])).backoff(no_wait())
}

fn refused() -> Act {
    Act::Fail(io::ErrorKind::ConnectionRefused)
}

/// A client of a layer, whose `eu` answers calls and probes as it is told.
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

    /// Where a call goes first.
    async fn call(&self) -> String {
        let before = self.script.asked().len();
        let _ = self.client.clone().oneshot(get(HOME)).await;
        self.script.asked().swap_remove(before)
    }

    fn eu(&self) -> RegionStatus {
        self.handle.regions(HOME).swap_remove(0)
    }

    fn region(&self) -> Region {
        self.eu().region().clone()
    }

    fn is_out(&self) -> bool {
        self.eu().state() == RegionState::Ejected
    }
}

fn names(statuses: &[RegionStatus]) -> Vec<&str> {
    let names = statuses.iter().map(|status| status.region().name());
    names.collect()
}

fn share(status: &RegionStatus) -> Option<f64> {
    match status.state() {
        RegionState::Ramping { share, .. } => Some(share),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn before_any_call_all_regions_are_healthy() {
    let statuses = layer().handle().regions(HOME);
    assert_eq!(names(&statuses), ["eu", "us"]);
    for status in statuses {
        assert_eq!(status.state(), RegionState::Healthy);
        assert_eq!((status.since(), status.next_probe()), (None, None));
        assert_eq!(status.reason(), None);
        assert_eq!(status.to_string(), format!("{}: healthy", status.region()));
    }
}

#[tokio::test(start_paused = true)]
async fn regions_are_told_in_the_order_of_the_calls_of_a_home() {
    let regions = named(["eu", "us", "ap"]).alias("https://nearest").unwrap();
    let handle = FailoverLayer::new(regions).handle();
    for (home, expected) in [
        ("https://eu", &["eu", "us", "ap"][..]),
        ("https://ap", &["ap", "eu", "us"]),
        ("https://AP:443", &["ap", "eu", "us"]),
        ("wss://us", &["us", "eu", "ap"]),
        ("https://us/", &["us", "eu", "ap"]),
        (
            "https://nearest",
            &["https://nearest:443", "eu", "us", "ap"],
        ),
    ] {
        assert_eq!(names(&handle.regions(home)), expected, "{home}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_home_that_is_not_served_no_region_is_told() {
    for home in [
        "https://elsewhere",
        "http://eu",
        "https://eu:444",
        "eu",
        "",
        "no url",
    ] {
        assert_eq!(layer().handle().regions(home), [], "{home}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_home_whose_regions_are_discovered_is_told_alone_until_they_are_known() {
    let discovery = Discovery::http("/regions").hosts(["*.example.com"]);
    let layer = FailoverLayer::new(Regions::discover(discovery));
    let (home, handle) = ("https://eu.example.com", layer.handle());
    let one = handle.regions(home);
    assert_eq!(names(&one), ["https://eu.example.com:443"]);
    assert_eq!(one[0].state(), RegionState::Healthy);
    assert_eq!(handle.regions("https://example.org"), []);
    let us = Region::new("us", "https://us.example.com").unwrap();
    handle.set_regions(home, RegionList::new(vec![us])).unwrap();
    let both = handle.regions(home);
    assert_eq!(names(&both), ["https://eu.example.com:443", "us"]);
}

#[tokio::test(start_paused = true)]
async fn an_ejected_region_tells_why_since_when_and_until_when() {
    let rig = Rig::new(&layer().health(Health::default().probe_every(10 * S, 10 * S)));
    sleep(7 * S).await;
    rig.script.always("eu", refused());
    assert_eq!(rig.call().await, "eu");
    let status = rig.eu();
    assert_eq!(status.state(), RegionState::Ejected);
    assert_eq!(status.since(), Some(Duration::ZERO));
    assert_eq!(status.reason().unwrap().to_string(), "connection refused");
    let wait = status.next_probe().unwrap();
    assert!((6666 * MS..=13_334 * MS).contains(&wait), "{wait:?}");
    let text = format!(
        "eu: ejected for 0.0 s (connection refused), next probe in {:.1} s",
        wait.as_secs_f64()
    );
    assert_eq!(status.to_string(), text);

    sleep(3 * S).await;
    let status = rig.eu();
    assert_eq!(status.since(), Some(3 * S));
    assert_eq!(status.next_probe(), Some(wait - 3 * S));
    assert_eq!(rig.handle.regions(HOME)[1].state(), RegionState::Healthy);

    rig.script.probe_ended(1).await;
    let status = rig.eu();
    assert!(status.since().unwrap() >= wait, "{status}");
    let wait = status.next_probe().unwrap();
    assert!((6666 * MS..=13_334 * MS).contains(&wait), "{wait:?}");
}

#[tokio::test(start_paused = true)]
async fn while_a_probe_is_under_way_the_next_one_is_now() {
    let rig = Rig::new(&layer());
    rig.script.always("eu", refused());
    rig.script.on_probe("eu", Act::Hang);
    rig.call().await;
    rig.script.probe_sent(1).await;
    sleep(S).await;
    assert_eq!(rig.eu().next_probe(), Some(Duration::ZERO));
    let text = rig.eu().to_string();
    assert!(text.ends_with("next probe in 0.0 s"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_back_tells_its_share_and_since_when() {
    let rig = Rig::new(&layer());
    let mut changes = rig.handle.subscribe();
    rig.script.always("eu", refused());
    rig.script.on_probe("eu", Act::Status(200));
    rig.call().await;
    while !matches!(changes.recv().await, Some(Change::Restored { .. })) {}
    let status = rig.eu();
    assert_eq!(share(&status), Some(0.1));
    assert_eq!(status.since(), Some(Duration::ZERO));
    assert_eq!((status.reason(), status.next_probe()), (None, None));

    sleep(5 * S).await;
    let status = rig.eu();
    let half = share(&status).unwrap();
    assert!((0.55..0.5502).contains(&half), "{half}");
    assert_eq!(status.to_string(), "eu: ramping, 55 % for 5.0 s");

    sleep(5 * S).await;
    let status = rig.eu();
    assert_eq!(status.state(), RegionState::Healthy);
    assert_eq!(status.since(), Some(10 * S));
    assert_eq!(status.to_string(), "eu: healthy for 10.0 s");
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_does_not_eject_is_not_told() {
    let rig = Rig::new(&layer());
    rig.script.always("eu", Act::Status(503));
    rig.call().await;
    assert_eq!(rig.eu().to_string(), "eu: healthy");
}

#[tokio::test(start_paused = true)]
async fn the_budget_is_told() {
    let rig = Rig::new(&layer().budget(Budget::new(0.5).cap(9)));
    assert_eq!(rig.handle.budget(), 5.0);
    rig.call().await;
    assert_eq!(rig.handle.budget(), 5.5);
    for region in ["eu", "us"] {
        rig.script.always(region, Act::Status(503));
    }
    rig.call().await;
    assert_eq!(rig.handle.budget(), 4.5);
    let unlimited = layer().budget(Budget::unlimited()).handle();
    assert_eq!(unlimited.budget(), f64::INFINITY);
}

#[tokio::test(start_paused = true)]
async fn a_handle_outlives_the_layer_and_says_nothing_in_its_debug_form() {
    let handle = layer().handle();
    assert_eq!(names(&handle.regions(HOME)), ["eu", "us"]);
    let region = handle.regions(HOME)[0].region().clone();
    assert!(handle.eject(&region, S));
    assert_eq!(
        handle.clone().regions(HOME)[0].state(),
        RegionState::Ejected
    );
    assert_eq!(format!("{handle:?}"), "Handle { .. }");
}
