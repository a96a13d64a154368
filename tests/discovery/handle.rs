//! A layer steered from outside: lists pushed and refreshed, warm-ups, and what a process leaves to
//! the next one.

use std::{collections::HashSet, sync::Arc, time::Duration};

use bytes::Bytes;
use failover_cluster::{Fault, LiveKit};
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::{sync::Semaphore, task::JoinHandle, time::advance};
use tower::{BoxError, ServiceExt, service_fn};
use tower_failover::{
    Budget, Discovery, Failover, FailoverLayer, Handle, Health, Query, Region, RegionList, Regions,
    Snapshot, Stop,
};

use crate::support::*;

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A pushed list of these origins.
fn regions(origins: &[&str]) -> RegionList {
    let region = |origin: &&str| Region::new("pushed", origin).unwrap();
    RegionList::new(origins.iter().map(region).collect())
}

/// Hosts of which home answers calls with 503, and a layer that begins every call there.
fn dead_home(set: impl FnOnce(Discovery) -> Discovery) -> (World, FailoverLayer) {
    let hosts = World::listing(&[EU]);
    hosts.at(HOME, Act::Status(503));
    (hosts, free_layer(set).health(Health::off()))
}

/// Calls home, and tells who was asked.
async fn seen(hosts: &World, client: &Failover<World>) -> Vec<String> {
    hosts.take();
    let _ = call_at(client, HOME).await;
    hosts.take()
}

/// A discovery that answers when it is let.
struct Gate {
    asked: Asked,
    open: Arc<Semaphore>,
}

impl Gate {
    /// Until that many have asked. The clock does not move on meanwhile.
    async fn wait_asked(&self, n: usize) {
        while self.asked.count() < n {
            tokio::task::yield_now().await;
        }
    }
}

/// As [`dead_home`], with a discovery that waits for the gate, and then names these or fails.
fn gated(origins: Option<&'static [&'static str]>) -> (World, Gate, FailoverLayer) {
    let hosts = World::default();
    hosts.at(HOME, Act::Status(503));
    let open = Arc::new(Semaphore::new(0));
    let gate = open.clone();
    let (discovery, asked) = source(move |_| {
        let gate = gate.clone();
        async move {
            gate.acquire().await?.forget();
            origins.map(regions).ok_or_else(|| BoxError::from("lost"))
        }
    });
    let layer = layer_of(discovery).budget(Budget::unlimited());
    (hosts, Gate { asked, open }, layer.health(Health::off()))
}

fn spawn_call(client: &Failover<World>) -> JoinHandle<Result<u16, Option<Stop>>> {
    let client = client.clone();
    tokio::spawn(async move { call_at(&client, HOME).await })
}

// Pushed lists.

#[tokio::test(start_paused = true)]
async fn a_pushed_list_replaces_the_one_that_was_fetched() {
    let (hosts, layer) = dead_home(|discovery| discovery.default_ttl(HOUR));
    let client = hosts.client(&layer);
    assert_eq!(seen(&hosts, &client).await, ["home", "home?", "eu"]);
    layer.handle().set_regions(HOME, regions(&[US])).unwrap();
    assert_eq!(hosts.take(), [""; 0], "a push asks nobody");
    assert_eq!(seen(&hosts, &client).await, ["home", "us"]);
}

#[tokio::test(start_paused = true)]
async fn a_list_pushed_before_the_first_call_spares_it_the_question() {
    let (hosts, layer) = dead_home(|discovery| discovery);
    layer.handle().set_regions(HOME, regions(&[US])).unwrap();
    let client = hosts.client(&layer);
    assert_eq!(seen(&hosts, &client).await, ["home", "us"]);
}

#[tokio::test(start_paused = true)]
async fn a_pushed_list_is_that_of_one_home() {
    let (hosts, layer) = dead_home(|discovery| discovery);
    let other = "https://other.example.com";
    layer.handle().set_regions(other, regions(&[US])).unwrap();
    let client = hosts.client(&layer);
    assert_eq!(seen(&hosts, &client).await, ["home", "home?", "eu"]);
}

#[tokio::test(start_paused = true)]
async fn of_a_pushed_list_only_what_is_trusted_is_called() {
    let (hosts, layer) = dead_home(|discovery| discovery);
    let client = hosts.client(&layer);
    let list = [
        "https://evil.com",
        "http://eu.example.com",
        "https://evilexample.com",
        "https://127.0.0.1",
        US,
    ];
    layer.handle().set_regions(HOME, regions(&list)).unwrap();
    hosts.at(US, Act::Status(503));
    assert_eq!(seen(&hosts, &client).await, ["home", "us"]);
    let error = layer.handle().set_regions(HOME, regions(&list[..4]));
    let text = error.unwrap_err().to_string();
    assert!(text.contains("no entry of the list can be used"), "{text}");
    assert_eq!(
        seen(&hosts, &client).await,
        ["home", "us"],
        "the list stays"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pushed_list_may_name_what_is_allowed() {
    let (hosts, layer) = dead_home(|discovery| discovery.allow(["*.example.net"]));
    let client = hosts.client(&layer);
    let list = regions(&["https://us.example.net"]);
    layer.handle().set_regions(HOME, list).unwrap();
    assert_eq!(seen(&hosts, &client).await, ["home", "us.example.net"]);
}

#[tokio::test(start_paused = true)]
async fn a_pushed_list_is_used_for_as_long_as_it_says() {
    let (hosts, layer) = dead_home(|discovery| discovery.default_ttl(HOUR));
    let client = hosts.client(&layer);
    let list = regions(&[US]).ttl(100 * SECOND);
    layer.handle().set_regions(HOME, list).unwrap();
    advance(90 * SECOND - MOMENT).await;
    assert_eq!(seen(&hosts, &client).await, ["home", "us"]);
    advance(10 * SECOND + MOMENT).await;
    assert_eq!(seen(&hosts, &client).await, ["home", "home?", "eu"]);
}

#[tokio::test(start_paused = true)]
async fn a_pushed_list_that_does_not_say_is_used_for_the_default_time() {
    let (hosts, layer) = dead_home(|discovery| discovery.default_ttl(100 * SECOND));
    let client = hosts.client(&layer);
    layer.handle().set_regions(HOME, regions(&[US])).unwrap();
    advance(90 * SECOND - MOMENT).await;
    assert_eq!(seen(&hosts, &client).await, ["home", "us"]);
    advance(10 * SECOND + MOMENT).await;
    assert_eq!(seen(&hosts, &client).await, ["home", "home?", "eu"]);
}

#[tokio::test(start_paused = true)]
async fn a_pushed_list_for_no_time_serves_when_no_other_can_be_had() {
    let (hosts, layer) = dead_home(|discovery| discovery);
    let client = hosts.client(&layer);
    let list = regions(&[US]).ttl(Duration::ZERO);
    layer.handle().set_regions(HOME, list.clone()).unwrap();
    assert_eq!(seen(&hosts, &client).await, ["home", "home?", "eu"]);
    layer.handle().set_regions(HOME, list).unwrap();
    hosts.on("?", Act::Status(500));
    assert_eq!(seen(&hosts, &client).await, ["home", "home?", "us?", "us"]);
}

#[tokio::test(start_paused = true)]
async fn of_a_pushed_list_thirty_two_origins_are_used_each_once() {
    let layer = free_layer(|discovery| discovery);
    let untrusted = (0..40).map(|n| format!("https://r{n}.example.net"));
    let twice = ["https://r0.example.com".to_owned()].into_iter();
    let good = (0..40).map(|n| format!("https://r{n}.example.com"));
    let all: Vec<_> = untrusted.chain(twice).chain(good).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    layer.handle().set_regions(HOME, regions(&all)).unwrap();
    let expected = (0..32).map(|n| format!("https://r{n}.example.com:443"));
    assert_eq!(origins(&layer.handle()), expected.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_empty_push_leaves_home_alone() {
    let (hosts, layer) = dead_home(|discovery| discovery.default_ttl(100 * SECOND));
    let client = hosts.client(&layer);
    assert_eq!(seen(&hosts, &client).await, ["home", "home?", "eu"]);
    layer.handle().set_regions(HOME, regions(&[])).unwrap();
    hosts.at(HOME, Act::Refuse);
    assert_eq!(call_at(&client, HOME).await, Err(Some(Stop::Regions)));
    assert_eq!(hosts.take(), ["home"]);
    advance(100 * SECOND).await;
    hosts.at(HOME, Act::Status(503));
    assert_eq!(seen(&hosts, &client).await, ["home", "home?", "eu"]);
}

#[tokio::test(start_paused = true)]
async fn of_many_homes_that_lists_are_pushed_for_the_newest_are_kept() {
    let layer = free_layer(|discovery| discovery);
    let home = |n: usize| format!("https://h{n}.example.com");
    for n in 0..130 {
        layer.handle().set_regions(home(n), regions(&[US])).unwrap();
    }
    let known = homes(&layer.handle().snapshot());
    let known: HashSet<_> = known.iter().map(|h| h["home"].as_str().unwrap()).collect();
    let expected: Vec<_> = (2..130).map(|n| home(n) + ":443").collect();
    assert_eq!(known, expected.iter().map(String::as_str).collect());
}

#[tokio::test(start_paused = true)]
async fn a_push_ends_the_time_after_a_failure_and_serves() {
    let (hosts, layer) = dead_home(|discovery| discovery.negative_ttl(HOUR));
    hosts.on("?", Act::Status(500));
    let client = hosts.client(&layer);
    assert_eq!(seen(&hosts, &client).await, ["home", "home?"]);
    layer.handle().set_regions(HOME, regions(&[US])).unwrap();
    assert_eq!(seen(&hosts, &client).await, ["home", "us"]);
}

#[tokio::test(start_paused = true)]
async fn a_push_for_what_is_no_home_is_refused() {
    let hosts = ["*.example.com"];
    let served = FailoverLayer::new(Regions::discover(Discovery::http(PATH).hosts(hosts)));
    let fixed = FailoverLayer::new(Regions::fixed([HOME, EU]).unwrap());
    for (layer, home, is_home) in [
        (&served, HOME, true),
        (&served, "https://HOME.example.com:443/", true),
        (&served, "https://example.com", false),
        (&served, "https://evilexample.com", false),
        (&served, "home.example.com", false),
        (&served, "", false),
        (&served, "ftp://home.example.com", false),
        (&served, "https://home.example.com/path", false),
        (&served, "https://user:secret@home.example.com", false),
        (&fixed, HOME, false),
    ] {
        let pushed = layer.handle().set_regions(home, regions(&[EU]));
        assert_eq!(pushed.is_ok(), is_home, "{home}");
        if let Err(error) = pushed {
            let text = format!("{error} {error:?}");
            assert!(text.contains("not a home that regions are discovered for"));
            assert!(!text.contains("secret"), "{text}");
        }
    }
    assert_eq!(homes(&served.handle().snapshot()).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_home_of_a_push_may_be_written_as_that_of_a_websocket() {
    for (pushed, called) in [
        ("wss://home.example.com", "https://home.example.com"),
        (
            "WSS://home.example.com:8443",
            "https://home.example.com:8443",
        ),
        ("ws://home.example.com", "http://home.example.com"),
    ] {
        let hosts = World::listing(&[EU]);
        hosts.at(called, Act::Status(503));
        let layer = free_layer(|discovery| discovery);
        layer.handle().set_regions(pushed, regions(&[US])).unwrap();
        let client = hosts.client(&layer);
        assert_eq!(call_at(&client, called).await, Ok(200), "{pushed}");
        assert_eq!(hosts.take().last().unwrap(), "us", "{pushed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetch_under_way_does_not_undo_a_push() {
    let (hosts, gate, layer) = gated(Some(&[EU]));
    let client = hosts.client(&layer);
    let call = spawn_call(&client);
    gate.wait_asked(1).await;
    layer.handle().set_regions(HOME, regions(&[US])).unwrap();
    gate.open.add_permits(1);
    assert_eq!(call.await.unwrap(), Ok(200));
    assert_eq!(hosts.take(), ["home", "us"], "the call that waited");
    assert_eq!(seen(&hosts, &client).await, ["home", "us"]);
    assert_eq!(gate.asked.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_fetch_fails_uses_the_list_that_was_pushed_meanwhile() {
    let (hosts, gate, layer) = gated(None);
    let client = hosts.client(&layer);
    let call = spawn_call(&client);
    gate.wait_asked(1).await;
    layer.handle().set_regions(HOME, regions(&[US])).unwrap();
    gate.open.add_permits(1);
    assert_eq!(call.await.unwrap(), Ok(200));
    assert_eq!(hosts.take(), ["home", "us"]);
}

// Refreshes.

#[tokio::test(start_paused = true)]
async fn a_refresh_that_is_awaited_brings_the_list_at_once() {
    let (hosts, layer) = dead_home(|discovery| discovery.default_ttl(HOUR));
    let client = hosts.client(&layer);
    assert_eq!(seen(&hosts, &client).await, ["home", "home?", "eu"]);
    hosts.list(&[US]);
    layer.handle().refresh(HOME).await.unwrap();
    assert_eq!(hosts.take(), ["home?"]);
    assert_eq!(seen(&hosts, &client).await, ["home", "us"]);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_is_dropped_leaves_the_question_to_the_next_failure() {
    let (hosts, layer) = dead_home(|discovery| discovery.default_ttl(HOUR));
    let client = hosts.client(&layer);
    assert_eq!(seen(&hosts, &client).await, ["home", "home?", "eu"]);
    hosts.list(&[US]);
    drop(layer.handle().refresh(HOME));
    assert_eq!(hosts.take(), [""; 0]);
    assert_eq!(seen(&hosts, &client).await, ["home", "home?", "us"]);
    assert_eq!(seen(&hosts, &client).await, ["home", "us"]);
}

#[tokio::test(start_paused = true)]
async fn the_list_before_a_refresh_serves_when_no_other_can_be_had() {
    let (hosts, layer) = dead_home(|discovery| discovery.default_ttl(HOUR));
    let client = hosts.client(&layer);
    seen(&hosts, &client).await;
    hosts.on("?", Act::Status(500));
    let error = layer.handle().refresh(HOME).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("https://home.example.com:443 (500)"),
        "{text}"
    );
    assert_eq!(hosts.take(), ["home?", "eu?"]);
    // The failure of a refresh keeps no call from trying itself, that of a call keeps the next.
    let asks = ["home", "home?", "eu?", "eu"];
    assert_eq!(seen(&hosts, &client).await, asks);
    assert_eq!(seen(&hosts, &client).await, ["home", "eu"]);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_before_any_call_has_nobody_to_ask_and_is_no_failure() {
    let (hosts, layer) = dead_home(|discovery| discovery.negative_ttl(HOUR));
    let error = layer.handle().refresh(HOME).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("no client to ask with"), "{text}");
    let client = hosts.client(&layer);
    assert_eq!(seen(&hosts, &client).await, ["home", "home?", "eu"]);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_asks_with_the_first_client_also_where_the_home_was_known_before_it() {
    let (hosts, layer) = dead_home(|discovery| discovery);
    let handle = layer.handle();
    handle.set_regions(HOME, regions(&[US])).unwrap();
    let client = hosts.client(&layer);
    assert_eq!(seen(&hosts, &client).await, ["home", "us"]);
    handle.refresh(HOME).await.unwrap();
    assert_eq!(hosts.take(), ["home?"]);
    assert_eq!(seen(&hosts, &client).await, ["home", "eu"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_is_asked_without_any_call() {
    let (hosts, gate, layer) = gated(Some(&[EU]));
    gate.open.add_permits(1);
    layer.handle().refresh(HOME).await.unwrap();
    assert_eq!(gate.asked.count(), 1);
    assert_eq!(seen(&hosts, &hosts.client(&layer)).await, ["home", "eu"]);
    assert_eq!(gate.asked.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_shares_the_fetch_of_the_calls_that_wait() {
    let (hosts, gate, layer) = gated(Some(&[EU]));
    let client = hosts.client(&layer);
    let calls: Vec<_> = (0..10).map(|_| spawn_call(&client)).collect();
    gate.wait_asked(1).await;
    let refresh = tokio::spawn(layer.handle().refresh(HOME));
    let later = spawn_call(&client);
    // One for each fetch that there could be.
    gate.open.add_permits(12);
    refresh.await.unwrap().unwrap();
    for call in calls.into_iter().chain([later]) {
        assert_eq!(call.await.unwrap(), Ok(200));
    }
    assert_eq!(gate.asked.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_is_given_up_does_not_end_the_fetch_of_a_call() {
    let (hosts, gate, layer) = gated(Some(&[EU]));
    let client = hosts.client(&layer);
    let refresh = tokio::spawn(layer.handle().refresh(HOME));
    gate.wait_asked(1).await;
    let call = spawn_call(&client);
    while hosts.take().is_empty() {
        tokio::task::yield_now().await;
    }
    refresh.abort();
    assert!(refresh.await.unwrap_err().is_cancelled());
    gate.open.add_permits(2);
    assert_eq!(call.await.unwrap(), Ok(200));
    assert_eq!(gate.asked.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_home_has_no_list_to_refresh() {
    let fixed = FailoverLayer::new(Regions::fixed([HOME, EU]).unwrap());
    let served = free_layer(|discovery| discovery.hosts(["*.example.com"]));
    for (layer, home) in [
        (&fixed, HOME),
        (&served, "https://example.net"),
        (&served, "nonsense"),
    ] {
        let error = layer.handle().refresh(home).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("not a home"), "{text}");
    }
}

// Before first use.

#[tokio::test]
async fn after_a_warm_up_a_failure_asks_nothing() {
    let livekit = LiveKit::start(2).await;
    livekit.cache_control("max-age=600");
    let client = client(&layer());
    client.warm_up(livekit.origin(0)).await.unwrap();
    assert_eq!(asked(&livekit), [1, 0]);
    assert_eq!(livekit.region(0).hits(), 1, "no call is made");
    let call = call(&livekit.origin(0), r#"{"failRegions":[0]}"#);
    let served = answer(&client, call).await;
    assert_eq!(served, (200, "region-1".to_owned()));
    assert_eq!(asked(&livekit), [1, 0]);
}

#[tokio::test]
async fn after_a_warm_up_the_death_of_home_is_survived_before_the_first_call() {
    let livekit = LiveKit::start(3).await;
    let warm = client(&layer());
    let cold = client(&layer());
    // The list is of use for no time, and yet better than none.
    warm.warm_up(livekit.origin(0)).await.unwrap();
    livekit.region(0).set(Fault::Refuse).await;
    for region in [1, 2] {
        let lost = Fault::Status(500);
        livekit.region(region).set_at(PATH, lost).await;
    }
    let served = answer(&warm, get(&livekit.origin(0))).await;
    assert_eq!(served, (200, "region-1".to_owned()));
    assert_eq!(asked(&livekit), [1, 1, 1]);
    assert!(send(&cold, get(&livekit.origin(0))).await.is_err());
    assert_eq!(asked(&livekit), [1, 1, 1], "it knows nobody to ask");
}

#[tokio::test]
async fn a_warm_up_that_fails_says_so_and_calls_are_made_all_the_same() {
    let livekit = LiveKit::start(2).await;
    livekit.region(0).set_at(PATH, Fault::Status(500)).await;
    let client = client(&layer());
    let error = client.warm_up(livekit.origin(0)).await.unwrap_err();
    assert!(error.to_string().contains("(500)"), "{error}");
    let served = answer(&client, get(&livekit.origin(0))).await;
    assert_eq!(served, (200, "region-0".to_owned()));
    assert_eq!(asked(&livekit), [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_warm_up_is_for_homes_that_lists_are_discovered_for() {
    let hosts = World::listing(&[EU]);
    let fixed = FailoverLayer::new(Regions::fixed([HOME, EU]).unwrap());
    hosts.client(&fixed).warm_up(HOME).await.unwrap();
    let served = free_layer(|discovery| discovery.hosts(["home.example.com"]));
    let client = hosts.client(&served);
    assert!(client.warm_up(EU).await.is_err());
    assert!(client.warm_up("nonsense").await.is_err());
    assert_eq!(hosts.take(), [""; 0]);
    client.warm_up(HOME).await.unwrap();
    assert_eq!(hosts.take(), ["home?"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_warm_up_a_handle_has_a_client_to_ask_with() {
    let (hosts, layer) = dead_home(|discovery| discovery);
    let client = hosts.client(&layer);
    client.warm_up(HOME).await.unwrap();
    layer.handle().refresh(US).await.unwrap();
    assert_eq!(hosts.take(), ["home?", "us?"]);
}

// Whom a handle is for.

#[tokio::test(start_paused = true)]
async fn a_handle_is_for_all_clones_and_for_what_is_set_after_it_was_taken() {
    let (hosts, layer) = dead_home(|discovery| discovery.default_ttl(HOUR));
    let handle = layer.handle();
    let clone = layer.clone();
    let early = hosts.client(&layer);
    let changed = layer.max_attempts(2).attempt_timeout(SECOND);
    handle.clone().set_regions(HOME, regions(&[US])).unwrap();
    for client in [
        early.clone(),
        early,
        hosts.client(&clone),
        hosts.client(&changed),
    ] {
        assert_eq!(seen(&hosts, &client).await, ["home", "us"]);
    }
    let (_, other) = dead_home(|discovery| discovery);
    let stranger = hosts.client(&other);
    assert_eq!(seen(&hosts, &stranger).await, ["home", "home?", "eu"]);
}

// Snapshots.

/// What a snapshot holds, as JSON.
fn homes(snapshot: &Snapshot) -> Vec<Value> {
    let value = serde_json::to_value(snapshot).unwrap();
    value["homes"].as_array().unwrap().clone()
}

/// Saved as text, and read by a later process.
fn saved(snapshot: &Snapshot) -> Snapshot {
    let text = serde_json::to_string(snapshot).unwrap();
    let read = serde_json::from_str(&text).unwrap();
    assert_eq!(&read, snapshot);
    read
}

fn restored(handle: &Handle, value: Value) {
    let snapshot = serde_json::from_value(value).unwrap();
    handle.restore_snapshot(&snapshot);
}

/// A home that is saved with this list, as of that time.
fn lists_us(home: &str, came_at: u64) -> Value {
    json!({ "home": home, "came_at": came_at, "regions": [{ "origin": US }] })
}

/// The origins of the only home that is known.
fn origins(handle: &Handle) -> Vec<String> {
    let homes = homes(&handle.snapshot());
    assert_eq!(homes.len(), 1);
    let regions = homes[0]["regions"].as_array().unwrap();
    let origin = |region: &Value| region["origin"].as_str().unwrap().to_owned();
    regions.iter().map(origin).collect()
}

/// The time at which a list of now came.
fn today() -> u64 {
    let layer = free_layer(|discovery| discovery);
    layer.handle().set_regions(HOME, regions(&[])).unwrap();
    homes(&layer.handle().snapshot())[0]["came_at"]
        .as_u64()
        .unwrap()
}

#[tokio::test]
async fn a_restored_process_survives_the_death_of_home_and_of_its_discovery() {
    let livekit = LiveKit::start(3).await;
    let first = layer();
    let client_of_first = client(&first);
    client_of_first.warm_up(livekit.origin(0)).await.unwrap();
    let saved = saved(&first.handle().snapshot());
    livekit.region(0).set(Fault::Refuse).await;

    // The other regions are asked.
    livekit.list(&[2]);
    let second = layer();
    second.handle().restore_snapshot(&saved);
    let served = answer(&client(&second), get(&livekit.origin(0))).await;
    assert_eq!(served, (200, "region-2".to_owned()));
    assert_eq!(asked(&livekit), [1, 1, 0]);

    // They do not know either.
    for region in [1, 2] {
        let lost = Fault::Status(500);
        livekit.region(region).set_at(PATH, lost).await;
    }
    let third = layer();
    third.handle().restore_snapshot(&saved);
    let served = answer(&client(&third), get(&livekit.origin(0))).await;
    assert_eq!(served, (200, "region-1".to_owned()));
    assert_eq!(asked(&livekit), [1, 2, 1]);

    let cold = client(&layer());
    assert!(send(&cold, get(&livekit.origin(0))).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_restored_list_counts_as_expired() {
    let (hosts, layer) = dead_home(|discovery| discovery.default_ttl(HOUR));
    seen(&hosts, &hosts.client(&layer)).await;
    let saved = saved(&layer.handle().snapshot());
    hosts.list(&[US]);
    let (_, next) = dead_home(|discovery| discovery.default_ttl(HOUR));
    next.handle().restore_snapshot(&saved);
    assert_eq!(hosts.take(), [""; 0], "nobody is asked to restore");
    let client = hosts.client(&next);
    assert_eq!(seen(&hosts, &client).await, ["home", "home?", "us"]);
    assert_eq!(seen(&hosts, &client).await, ["home", "us"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_snapshot_was_restored_a_refresh_has_the_first_client_to_ask_with() {
    let (hosts, layer) = dead_home(|discovery| discovery);
    restored(
        &layer.handle(),
        json!({ "homes": [lists_us(HOME, today())] }),
    );
    hosts.on("?", Act::Status(500));
    let client = hosts.client(&layer);
    assert_eq!(seen(&hosts, &client).await, ["home", "home?", "us?", "us"]);
    hosts.list(&[EU]);
    layer.handle().refresh(HOME).await.unwrap();
    assert_eq!(seen(&hosts, &client).await, ["home", "eu"]);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_keeps_order_and_names_and_how_old_the_lists_are() {
    let layer = free_layer(|discovery| discovery);
    let list = RegionList::new(vec![
        Region::new("us-west", US).unwrap(),
        Region::new("eu", EU).unwrap(),
    ]);
    layer.handle().set_regions(HOME, list).unwrap();
    let first = homes(&layer.handle().snapshot());
    assert_eq!(first.len(), 1);
    assert_eq!(first[0]["home"], "https://home.example.com:443");
    let expected = json!([
        { "name": "us-west", "origin": "https://us.example.com:443" },
        { "name": "eu", "origin": "https://eu.example.com:443" },
    ]);
    assert_eq!(first[0]["regions"], expected);

    // It is as old however often it is handed on.
    advance(HOUR).await;
    let came_at = |layer: &FailoverLayer| {
        let homes = homes(&layer.handle().snapshot());
        assert_eq!(homes[0]["regions"], expected);
        homes[0]["came_at"].as_u64().unwrap()
    };
    let saved = saved(&layer.handle().snapshot());
    let next = free_layer(|discovery| discovery);
    next.handle().restore_snapshot(&saved);
    // The wall clock is not paused, and whole seconds are written.
    let age = today() - came_at(&next);
    assert!((3600..3630).contains(&age), "{age}");
    advance(HOUR).await;
    let age = today() - came_at(&next);
    assert!((7200..7230).contains(&age), "{age}");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_stale_is_not_restored() {
    for (age, is_used) in [(0, true), (950, true), (1001, false), (1_000_000, false)] {
        let set = |discovery: Discovery| discovery.max_stale(1000 * SECOND);
        let (hosts, layer) = dead_home(set);
        hosts.on("?", Act::Status(500));
        let came_at = today() - age;
        restored(
            &layer.handle(),
            json!({ "homes": [lists_us(HOME, came_at)] }),
        );
        let client = hosts.client(&layer);
        let expected = if is_used { Ok(200) } else { Ok(503) };
        assert_eq!(call_at(&client, HOME).await, expected, "{age}");
        let is_asked = hosts.take().contains(&"us?".to_owned());
        assert_eq!(is_asked, is_used, "{age}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_age_of_a_restored_list_counts_in_how_stale_it_may_become() {
    let set = |discovery: Discovery| {
        let discovery = discovery.max_stale(1000 * SECOND);
        discovery.negative_ttl(Duration::ZERO)
    };
    let (hosts, layer) = dead_home(set);
    hosts.on("?", Act::Status(500));
    restored(
        &layer.handle(),
        json!({ "homes": [lists_us(HOME, today() - 500)] }),
    );
    let client = hosts.client(&layer);
    // The wall clock is not paused, and whole seconds are written.
    advance(450 * SECOND).await;
    assert_eq!(call_at(&client, HOME).await, Ok(200));
    advance(50 * SECOND).await;
    assert_eq!(call_at(&client, HOME).await, Ok(503));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_comes_from_the_future_is_of_now() {
    for came_at in [today() + 1_000_000, u64::MAX] {
        let set = |discovery: Discovery| {
            let discovery = discovery.max_stale(1000 * SECOND);
            discovery.negative_ttl(Duration::ZERO)
        };
        let (hosts, layer) = dead_home(set);
        hosts.on("?", Act::Status(500));
        restored(
            &layer.handle(),
            json!({ "homes": [lists_us(HOME, came_at)] }),
        );
        let client = hosts.client(&layer);
        advance(1000 * SECOND - MOMENT).await;
        assert_eq!(call_at(&client, HOME).await, Ok(200));
        advance(MOMENT).await;
        assert_eq!(call_at(&client, HOME).await, Ok(503), "not for longer");
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_overwrites_no_list_that_is_there() {
    let (hosts, layer) = dead_home(|discovery| discovery.default_ttl(HOUR));
    let client = hosts.client(&layer);
    seen(&hosts, &client).await;
    restored(
        &layer.handle(),
        json!({ "homes": [lists_us(HOME, today() + 60)] }),
    );
    assert_eq!(origins(&layer.handle()), ["https://eu.example.com:443"]);
    assert_eq!(seen(&hosts, &client).await, ["home", "eu"]);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_pushes_out_no_home_that_is_known() {
    let layer = free_layer(|discovery| discovery);
    layer.handle().set_regions(HOME, regions(&[EU])).unwrap();
    let home = |n: usize| lists_us(&format!("https://h{n}.example.com"), today());
    let mut full: Vec<_> = (0..128).map(home).collect();
    restored(&layer.handle(), json!({ "homes": full }));
    let known = homes(&layer.handle().snapshot());
    assert_eq!(known.len(), 128);
    assert_eq!(known[0]["home"], "https://home.example.com:443");
    assert_eq!(
        known[0]["regions"][0]["origin"],
        "https://eu.example.com:443"
    );

    // One that is known without a list gets it though.
    let (hosts, layer) = dead_home(|discovery| discovery.max_stale(100 * SECOND));
    hosts.on("?", Act::Status(500));
    let client = hosts.client(&layer);
    assert_eq!(seen(&hosts, &client).await, ["home", "home?"]);
    full.pop();
    restored(&layer.handle(), json!({ "homes": full }));
    let late = lists_us(HOME, today());
    restored(&layer.handle(), json!({ "homes": [home(500), late] }));
    assert_eq!(homes(&layer.handle().snapshot()).len(), 128);
    assert_eq!(seen(&hosts, &client).await, ["home", "us"]);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_lists_that_are_too_stale_makes_no_home_make_room() {
    let layer = free_layer(|discovery| discovery);
    layer.handle().set_regions(HOME, regions(&[EU])).unwrap();
    let stale = |n: usize| lists_us(&format!("https://h{n}.example.com"), 1);
    let full: Vec<_> = (0..128).map(stale).collect();
    restored(&layer.handle(), json!({ "homes": full }));
    assert_eq!(origins(&layer.handle()), ["https://eu.example.com:443"]);
    layer.handle().set_regions(US, regions(&[EU])).unwrap();
    let known = homes(&layer.handle().snapshot());
    let known: Vec<_> = known.iter().map(|home| &home["home"]).collect();
    assert_eq!(
        known,
        ["https://home.example.com:443", "https://us.example.com:443"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_fetch_under_way_undoes_a_snapshot() {
    let (hosts, gate, layer) = gated(Some(&[EU]));
    let client = hosts.client(&layer);
    let call = spawn_call(&client);
    gate.wait_asked(1).await;
    restored(
        &layer.handle(),
        json!({ "homes": [lists_us(HOME, today())] }),
    );
    gate.open.add_permits(1);
    assert_eq!(call.await.unwrap(), Ok(200));
    assert_eq!(hosts.take(), ["home", "eu"]);
    assert_eq!(origins(&layer.handle()), ["https://eu.example.com:443"]);
}

#[tokio::test(start_paused = true)]
async fn of_a_snapshot_only_what_is_good_is_restored() {
    let layer = free_layer(|discovery| discovery.hosts(["*.example.com"]));
    let good =
        |home: &str| json!({ "home": home, "came_at": today(), "regions": [{ "origin": EU }] });
    let long = format!("https://{}.example.com", "a".repeat(600));
    let regions = json!([
        { "origin": "https://evil.com" },
        { "origin": "http://us.example.com" },
        { "origin": "https://127.0.0.1" },
        { "origin": "https://user:secret@us.example.com" },
        { "origin": "https://us.example.com/path" },
        { "origin": "nonsense" },
        { "origin": "" },
        { "origin": long },
        { "origin": US, "name": "us", "unknown": [1, 2, 3] },
        { "origin": US, "name": "twice" },
        { "origin": EU, "name": "e\nu" },
    ]);
    restored(
        &layer.handle(),
        json!({
            "version": 7,
            "homes": [
                good("nonsense"),
                good("https://example.net"),
                good("https://user@home.example.com"),
                good("https://home.example.com/path"),
                { "home": HOME, "came_at": today(), "regions": regions, "unknown": {} },
            ],
        }),
    );
    let known = homes(&layer.handle().snapshot());
    assert_eq!(known.len(), 1, "{known:?}");
    assert_eq!(known[0]["home"], "https://home.example.com:443");
    assert_eq!(
        known[0]["regions"],
        json!([
            { "name": "us", "origin": "https://us.example.com:443" },
            { "origin": "https://eu.example.com:443" },
        ])
    );
}

#[tokio::test(start_paused = true)]
async fn of_a_snapshot_too_large_the_first_are_restored() {
    let layer = free_layer(|discovery| discovery);
    let region = |n: usize| json!({ "origin": format!("https://r{n}.example.com") });
    let many: Vec<_> = (0..40).map(region).collect();
    let home = |n: usize| json!({ "home": format!("https://h{n}.example.com"), "came_at": today(), "regions": many });
    restored(
        &layer.handle(),
        json!({ "homes": (0..200).map(home).collect::<Vec<_>>() }),
    );
    let known = homes(&layer.handle().snapshot());
    assert_eq!(known.len(), 128);
    for (n, home) in known.iter().enumerate() {
        assert_eq!(home["home"], format!("https://h{n}.example.com:443"));
        let regions = home["regions"].as_array().unwrap();
        assert_eq!(regions.len(), 32);
        assert_eq!(regions[31]["origin"], "https://r31.example.com:443");
    }
}

#[tokio::test(start_paused = true)]
async fn an_untrusted_region_of_a_snapshot_is_never_contacted() {
    let (hosts, layer) = dead_home(|discovery| discovery);
    hosts.on("?", Act::Status(500));
    restored(
        &layer.handle(),
        json!({ "homes": [{ "home": HOME, "came_at": today(), "regions": [
            { "origin": "https://evil.com" }, { "origin": US },
        ] }] }),
    );
    hosts.at(US, Act::Status(503));
    let client = hosts.client(&layer);
    assert_eq!(seen(&hosts, &client).await, ["home", "home?", "us?", "us"]);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_knows_nothing_of_fixed_regions_and_of_homes_without_a_list() {
    let fixed = FailoverLayer::new(Regions::fixed([HOME, EU]).unwrap());
    assert_eq!(fixed.handle().snapshot(), Snapshot::default());
    restored(
        &fixed.handle(),
        json!({ "homes": [lists_us(HOME, today())] }),
    );
    let hosts = World::default();
    hosts.at(HOME, Act::Status(503));
    let client = hosts.client(&fixed);
    assert_eq!(seen(&hosts, &client).await, ["home", "eu"]);

    let (hosts, layer) = dead_home(|discovery| discovery.max_stale(100 * SECOND));
    hosts.on("?", Act::Status(500));
    let client = hosts.client(&layer);
    seen(&hosts, &client).await;
    assert_eq!(layer.handle().snapshot(), Snapshot::default());
    let list = regions(&[US]).ttl(Duration::ZERO);
    layer.handle().set_regions(HOME, list).unwrap();
    advance(100 * SECOND - MOMENT).await;
    assert_eq!(homes(&layer.handle().snapshot()).len(), 1);
    advance(MOMENT).await;
    assert_eq!(layer.handle().snapshot(), Snapshot::default());
    let empty: Snapshot = serde_json::from_str("{}").unwrap();
    assert_eq!(empty, Snapshot::default());
}

// What is shown.

#[tokio::test(start_paused = true)]
async fn what_is_shown_and_saved_holds_origins_and_no_secrets() {
    let queries = Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = queries.clone();
    let source = service_fn(move |query: Query| {
        heard.lock().unwrap().push(query);
        async { Ok::<_, BoxError>(regions(&[US])) }
    });
    let (hosts, _) = dead_home(|discovery| discovery);
    let by_service = Discovery::service(source);
    let by_http = Discovery::http("/secret/regions?key=secret");
    for discovery in [by_service, by_http] {
        let discovery = discovery.allow(["*.example.net"]).seeds([EU]).unwrap();
        let shown = format!("{discovery:?}");
        assert!(shown.contains("https://eu.example.com:443"), "{shown}");
        assert!(!shown.contains("secret"), "{shown}");
        let layer = FailoverLayer::new(Regions::discover(discovery)).backoff(no_wait());
        let client = hosts.client(&layer);
        let request = Request::get("https://user:secret@home.example.com/secret?secret#secret")
            .header("authorization", "Bearer secret")
            .header("x-secret", "secret")
            .body(Full::<Bytes>::default())
            .unwrap();
        let response = client.clone().oneshot(request).await.unwrap();
        assert_eq!(
            response.status(),
            503 - 303 * u16::from(response.status() == 200)
        );
        let handle = layer.handle();
        let snapshot = handle.snapshot();
        let saved = serde_json::to_string(&snapshot).unwrap();
        for shown in [
            format!("{layer:?}"),
            format!("{handle:?}"),
            format!("{snapshot:?}"),
            format!("{client:?}"),
            format!("{:?}", handle.refresh(HOME)),
            saved,
        ] {
            assert!(!shown.contains("secret"), "{shown}");
        }
    }
    let queries = queries.lock().unwrap();
    assert_eq!(queries.len(), 1);
    assert_eq!(queries[0].headers()["authorization"], "Bearer secret");
    let shown = format!("{:?}", queries[0]);
    assert!(shown.contains("https://home.example.com:443"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
    assert!(!shown.to_ascii_lowercase().contains("authorization"));
}

#[test]
fn a_snapshot_that_somebody_wrote_shows_origins_only() {
    let value = json!({ "homes": [
        { "home": HOME, "came_at": 0, "regions": [{ "origin": "https://user:secret@h/secret" }] },
        { "home": "https://h/secret?secret", "came_at": 0, "regions": [] },
    ] });
    let snapshot: Snapshot = serde_json::from_value(value).unwrap();
    let shown = format!("{snapshot:?}");
    assert!(shown.contains("https://home.example.com:443"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}

// All at once.

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_pushes_refreshes_and_snapshots_do_not_disturb_each_other() {
    let hosts = World::listing(&[EU, US]);
    let home = |n: u64| format!("https://h{n}.example.com");
    for n in 0..140 {
        hosts.at(&home(n), Act::Status(503));
    }
    let layer = free_layer(|discovery| discovery).health(Health::off());
    let client = hosts.client(&layer);
    client.warm_up(home(0)).await.unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let (client, handle) = (client.clone(), layer.handle());
            tokio::spawn(async move {
                for step in 0..100 {
                    let home = home((task * 31 + step * 7) % 140);
                    match step % 5 {
                        0 => handle.set_regions(&home, regions(&[US])).unwrap(),
                        1 => handle.refresh(&home).await.unwrap(),
                        2 => drop(handle.refresh(&home)),
                        3 => handle.restore_snapshot(&handle.snapshot()),
                        _ => {}
                    }
                    assert_eq!(call_at(&client, &home).await, Ok(200));
                }
            })
        })
        .collect();
    for task in tasks {
        let done = tokio::time::timeout(PATIENCE, task).await;
        done.expect("no deadlock").unwrap();
    }
    assert!(homes(&layer.handle().snapshot()).len() <= 128);
}
