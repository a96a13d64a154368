//! What is kept of a list: the nearest of too many, and both numbers from process to process.

use super::*;

/// Forty that are trusted, the last listed the nearest, and others between them that are nearer still.
fn too_many() -> Vec<Region> {
    let trusted = (0..40).map(|n| region(&format!("r{n}")).distance(1000 - n));
    let both = trusted.map(|region| {
        let evil = format!("https://{}.evil.com", region.name());
        [Region::new("evil", evil).unwrap().distance(0), region]
    });
    both.flatten().collect()
}

fn names(hosts: impl Iterator<Item = u64>) -> Vec<String> {
    hosts.map(|n| format!("r{n}")).collect()
}

#[tokio::test(start_paused = true)]
async fn of_too_many_regions_the_nearest_that_are_trusted_are_kept() {
    for way in WAYS {
        let world = World::default();
        let layer = knowing(&world, way, &too_many(), Order::Listed, 0);
        let expected = names((8..40).rev());
        assert_eq!(tried(&world, &layer).await, expected, "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_too_many_regions_the_first_are_kept_where_a_distance_is_none() {
    let mut list = too_many();
    list[79] = region("r39");
    for way in WAYS {
        let world = World::default();
        let layer = knowing(&world, way, &list, Order::Listed, 0);
        // In use are only such as have one, here and in the next process.
        let expected = names((0..32).rev());
        assert_eq!(tried(&world, &layer).await, expected, "{way:?}");
        let next = tireless(Discovery::http(PATH), Order::Listed, 0);
        next.handle().restore_snapshot(&layer.handle().snapshot());
        world.on("?", Act::Status(500));
        assert_eq!(tried(&world, &next).await, expected, "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn distances_say_which_are_kept_also_where_they_are_not_the_order() {
    let world = World::default();
    let layer = knowing(&world, Way::Document, &too_many(), Order::Spread, 0);
    let order = tried(&world, &layer).await;
    let (mut kept, mut expected) = (order.clone(), names((8..40).rev()));
    assert_ne!(order, expected);
    kept.sort_unstable();
    expected.sort_unstable();
    assert_eq!(kept, expected);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_keeps_distances_and_weights() {
    let list = [
        region("a").distance(u64::MAX).weight(u32::MAX),
        region("b").distance(0).weight(0),
        region("c").distance(7),
    ];
    let layer = |id| knowing(&World::default(), Way::Pushed, &list, Order::Spread, id);
    let saved = serde_json::to_string(&layer(0).handle().snapshot()).unwrap();
    let snapshot: Snapshot = serde_json::from_str(&saved).unwrap();
    for id in 0..50 {
        let next = tireless(Discovery::http(PATH), Order::Spread, id);
        next.handle().restore_snapshot(&snapshot);
        let expected = entries(
            &[list[1].clone(), list[2].clone(), list[0].clone()],
            "name",
            "origin",
        );
        assert_eq!(known(&next), expected);
        let world = World::default();
        world.on("?", Act::Status(500));
        let order = tried(&world, &layer(id)).await;
        assert_eq!(tried(&world, &next).await, order);
        assert_eq!(order[0], "a", "its weight is all there is");
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_before_there_were_distances_is_restored_as_it_was_listed() {
    let saved = r#"{"homes":[{"home":"https://home.example.com:443","came_at":18446744073709551615,"regions":[
        {"name":"us","origin":"https://us.example.com:443"},{"origin":"https://eu.example.com:443"}
    ]}]}"#;
    let snapshot: Snapshot = serde_json::from_str(saved).unwrap();
    let world = World::default();
    world.on("?", Act::Status(500));
    let layer = tireless(Discovery::http(PATH), Order::Listed, 0);
    layer.handle().restore_snapshot(&snapshot);
    assert_eq!(tried(&world, &layer).await, ["us", "eu"]);
}

#[tokio::test(start_paused = true)]
async fn a_region_whose_name_is_not_shown_keeps_its_distance_and_weight() {
    let bad = |host: &str| Region::new("b\u{202e}ad", origin(host)).unwrap();
    let list = [
        bad("a").distance(9).weight(2),
        bad("b").distance(1).weight(3),
    ];
    for way in [Way::Pushed, Way::Service, Way::Snapshot] {
        let world = World::default();
        let layer = knowing(&world, way, &list, Order::Listed, 0);
        assert_eq!(tried(&world, &layer).await, ["b", "a"], "{way:?}");
        let weights: Vec<_> = known(&layer)
            .iter()
            .map(|region| region["weight"].clone())
            .collect();
        assert_eq!(weights, [3, 2], "{way:?}");
    }
}
