//! What a program can tell of why there is no list.

use std::{future::pending, time::Duration};

use tower::service_fn;
use tower_failover::{
    Discovery, FailoverLayer, Handle, Query, RegionList, Regions,
    discovery::{DiscoveryError, DiscoveryErrorKind},
};

use crate::support::*;

async fn refreshed(handle: &Handle, home: &str) -> DiscoveryErrorKind {
    let error: DiscoveryError = handle.refresh(home).await.unwrap_err();
    error.kind()
}

#[tokio::test(start_paused = true)]
async fn what_is_no_home_is_told_from_other_failures() {
    let layer = layer_with(|discovery| discovery.hosts(["*.example.com"]));
    let fixed = FailoverLayer::new(Regions::fixed([HOME, EU]).unwrap());
    for (layer, home) in [
        (&layer, "https://example.org"),
        (&layer, "home.example.com"),
        (&fixed, HOME),
    ] {
        let handle = layer.handle();
        assert_eq!(refreshed(&handle, home).await, DiscoveryErrorKind::NoHome);
        let pushed = handle.set_regions(home, regions_of(&["eu"]));
        assert_eq!(pushed.unwrap_err().kind(), DiscoveryErrorKind::NoHome);
    }
}

#[tokio::test(start_paused = true)]
async fn before_the_first_client_there_is_none_to_ask_with() {
    let layer = layer();
    let handle = layer.handle();
    assert_eq!(refreshed(&handle, HOME).await, DiscoveryErrorKind::NoClient);
    // A client is there then, and what it brings is no list.
    let world = World::default();
    world.on("?", Act::Status(500));
    let error = world.client(&layer).warm_up(HOME).await.unwrap_err();
    assert_eq!(error.kind(), DiscoveryErrorKind::NoList);
    assert_eq!(refreshed(&handle, HOME).await, DiscoveryErrorKind::NoList);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_asked_and_gives_no_list_is_the_same_failure() {
    for act in [
        Act::Status(401),
        Act::Status(302),
        Act::Refuse,
        Act::Hang,
        Act::Stall("{"),
        Act::Document(None, "[]".to_owned()),
        listing("max-age=60", &["https://example.org"]),
    ] {
        let world = World::default();
        world.on("?", act.clone());
        let error = world.client(&layer()).warm_up(HOME).await.unwrap_err();
        assert_eq!(error.kind(), DiscoveryErrorKind::NoList, "{act:?}");
    }
    let never = |_: Query| pending::<Result<RegionList, std::io::Error>>();
    let never = Discovery::service(service_fn(never)).timeout(Duration::from_secs(1));
    let (fails, _) = source(|_| async { Err("no".into()) });
    let (panics, _) = source(|_| async { panic!("a panic of the service's") });
    let no_path = Discovery::http("no path");
    for discovery in [never, fails, panics] {
        let handle = layer_of(discovery).handle();
        assert_eq!(refreshed(&handle, HOME).await, DiscoveryErrorKind::NoList);
    }
    let client = World::default().client(&layer_of(no_path));
    let error = client.warm_up(HOME).await.unwrap_err();
    assert_eq!(error.kind(), DiscoveryErrorKind::NoList);
}

#[tokio::test(start_paused = true)]
async fn a_pushed_list_without_a_usable_entry_is_no_list() {
    let handle = layer().handle();
    let error = handle.set_regions("https://example.org", regions_of(&["eu"]));
    assert_eq!(error.unwrap_err().kind(), DiscoveryErrorKind::NoList);
    handle.set_regions(HOME, regions_of(&["eu"])).unwrap();
}
