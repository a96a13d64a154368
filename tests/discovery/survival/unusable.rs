//! A list of which no entry can be used is no answer.

use std::time::Duration;

use serde_json::json;
use tower_failover::{FailoverLayer, Health, Region, RegionList};

use crate::support::*;

const S: Duration = Duration::from_secs(1);

/// Lists without one usable entry: of strangers, malformed, both.
fn unusable() -> Vec<Act> {
    let stranger = json!({ "url": "https://eu.example.org" });
    let plain = json!({ "url": "http://eu.example.com" });
    let malformed = json!({ "url": 7 });
    let lists = [
        json!([stranger]),
        json!([plain]),
        json!([malformed]),
        json!([null]),
        json!([malformed, stranger, {}, plain]),
    ];
    let document = |list| json!({ "regions": list }).to_string();
    // It wants to be kept for long, too.
    let act = |list| Act::Document(Some("max-age=3600"), document(list));
    lists.into_iter().map(act).collect()
}

/// Lists of nobody.
fn empty() -> Vec<Act> {
    let texts = [
        "{}",
        r#"{"regions":null}"#,
        r#"{"regions":[]}"#,
        r#"{"region":[7]}"#,
    ];
    let act = |text: &str| Act::Document(Some("max-age=3600"), text.to_owned());
    texts.map(act).into()
}

/// Home fails, and a seed lists `b`.
fn world() -> World {
    let world = World::default();
    world
        .on("a", Act::Status(503))
        .on("s?", Act::List(&["a", "b"]));
    world
}

fn seeded() -> FailoverLayer {
    free_layer(|discovery| discovery.seeds([origin("s")]).unwrap()).health(Health::off())
}

async fn status_of(world: &World, layer: &FailoverLayer) -> u16 {
    let response = head_of(&world.client(layer), get_of("a")).await;
    response.unwrap().status().as_u16()
}

#[tokio::test(start_paused = true)]
async fn after_it_a_seed_is_asked() {
    for list in unusable() {
        let (world, what) = (world(), format!("{list:?}"));
        world.on("a?", list);
        assert_eq!(status_of(&world, &seeded()).await, 200, "{what}");
        assert_eq!(world.log(), ["a", "a?", "s?", "b"], "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_list_of_nobody_no_seed_is_asked() {
    for list in empty() {
        let (world, what) = (world(), format!("{list:?}"));
        world.on("a?", list);
        assert_eq!(status_of(&world, &seeded()).await, 503, "{what}");
        assert_eq!(world.log(), ["a", "a?"], "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_it_a_region_that_is_known_is_asked() {
    for list in unusable() {
        let (world, layer) = (world(), seeded());
        let known = regions_of(&["a", "c"]).ttl(Duration::ZERO);
        layer.handle().set_regions(origin("a"), known).unwrap();
        world.on("a?", list).on("c?", Act::List(&["a", "b"]));
        assert_eq!(status_of(&world, &layer).await, 200);
        assert_eq!(world.log(), ["a", "a?", "c?", "b"]);
    }
}

#[tokio::test(start_paused = true)]
async fn where_nobody_has_another_the_known_list_serves_and_discovery_is_left_alone() {
    for list in unusable() {
        let (world, layer) = (world(), seeded());
        let known = regions_of(&["a", "c"]).ttl(Duration::ZERO);
        layer.handle().set_regions(origin("a"), known).unwrap();
        world.on("?", list.clone()).on("s?", list);
        for expected in [
            &["a", "a?", "c?", "s?", "c"][..],
            // The failure of home is known, and so is that of discovery.
            &["a", "c"],
        ] {
            assert_eq!(status_of(&world, &layer).await, 200);
            assert_eq!(world.take(), expected);
        }
        let error = layer.handle().refresh(origin("a")).await.unwrap_err();
        let reasons = error.to_string();
        let reason = "no entry of the list can be used";
        assert_eq!(reasons.matches(reason).count(), 3, "{reasons}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_of_nobody_takes_the_place_of_the_known_one() {
    for list in empty() {
        let (world, layer) = (world(), seeded());
        let known = regions_of(&["a", "c"]).ttl(Duration::ZERO);
        layer.handle().set_regions(origin("a"), known).unwrap();
        world.on("a?", list);
        assert_eq!(status_of(&world, &layer).await, 503);
        assert_eq!(world.log(), ["a", "a?"]);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_a_service_answers_leaves_the_known_list() {
    let stranger = Region::new("x", "https://x.example.org").unwrap();
    let (discovery, asked) = source(move |_| {
        let list = RegionList::new(vec![stranger.clone()]).ttl(3600 * S);
        async { Ok(list) }
    });
    let (world, layer) = (world(), layer_of(discovery));
    let known = regions_of(&["a", "c"]).ttl(Duration::ZERO);
    layer.handle().set_regions(origin("a"), known).unwrap();
    assert_eq!(status_of(&world, &layer).await, 200);
    assert_eq!(world.log(), ["a", "c"]);
    assert_eq!(asked.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_pushed_is_an_error_and_leaves_the_known_list_and_its_time() {
    let world = world();
    let layer = free_layer(|discovery| discovery).health(Health::off());
    let handle = layer.handle();
    let known = regions_of(&["a", "c"]).ttl(100 * S);
    handle.set_regions(origin("a"), known).unwrap();
    let strangers = || {
        let origins = ["https://x.example.org", "http://eu.example.com"];
        let region = |origin: &str| Region::new("x", origin).unwrap();
        RegionList::new(origins.map(region).into()).ttl(3600 * S)
    };
    let error = handle.set_regions(origin("a"), strangers()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no entry of the list can be used")
    );
    assert_eq!(status_of(&world, &layer).await, 200);
    assert_eq!(world.take(), ["a", "c"]);
    tokio::time::sleep(101 * S).await;
    world.on("a?", Act::List(&["a", "b"]));
    assert_eq!(status_of(&world, &layer).await, 200);
    assert_eq!(world.take(), ["a", "a?", "b"]);
    handle
        .set_regions(origin("a"), RegionList::new(Vec::new()))
        .unwrap();
    assert_eq!(status_of(&world, &layer).await, 503);
    assert_eq!(world.take(), ["a"]);
}
