//! Which origins are homes.

use tower_failover::Discovery;

use crate::support::*;

const NONE: [&str; 0] = [];

/// Who is asked for a list when home fails with these settings.
async fn asked(set: impl FnOnce(Discovery) -> Discovery) -> Vec<String> {
    let world = World::default();
    world.at(HOME, Act::Status(503)).on("?", Act::List(&["eu"]));
    let client = world.client(&free_layer(set));
    let served = call_at(&client, HOME).await;
    let expected = if world.asked().is_empty() { 503 } else { 200 };
    assert_eq!(served, Ok(expected));
    world.asked()
}

#[tokio::test(start_paused = true)]
async fn without_hosts_every_origin_is_a_home_and_with_them_theirs_are() {
    assert_eq!(asked(|d| d).await, [HOME]);
    assert_eq!(asked(|d| d.hosts(["*.example.com"])).await, [HOME]);
    assert_eq!(asked(|d| d.hosts(["eu.example.com"])).await, NONE);
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_of_hosts_is_refused_and_serves_nobody() {
    let events = Events::capture();
    let refused = Discovery::http(PATH).hosts(NONE);
    let [line] = &events.take()[..] else {
        panic!("one event");
    };
    let text = "no host is named, so there are no homes";
    assert_eq!(line.field("error"), text);
    assert_eq!(refused.validate().unwrap_err().to_string(), text);
    assert_eq!(asked(|d| d.hosts(NONE)).await, NONE);
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_of_hosts_is_refused_beside_others_which_are_served() {
    let sets: [fn(Discovery) -> Discovery; 2] = [
        |d| d.hosts(NONE).hosts(["home.example.com"]),
        |d| d.hosts(["home.example.com"]).hosts(NONE),
    ];
    for set in sets {
        assert!(set(Discovery::http(PATH)).validate().is_err());
        assert_eq!(asked(set).await, [HOME]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_refused_serves_nobody_either() {
    assert_eq!(asked(|d| d.hosts(["https://home.example.com"])).await, NONE);
}
