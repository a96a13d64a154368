//! `Order::Listed`.

use failover_cluster::{Fault, LiveKit};

use super::*;

/// Where calls end that home and these regions fail; its list is this, with the regions' origins in place
/// of `R1` to `R3`.
async fn served(failing: &[usize], list: &str) -> String {
    let livekit = LiveKit::start(4).await;
    let mut list = list.to_owned();
    for n in 1..4 {
        list = list.replace(&format!("R{n}"), &livekit.origin(n));
    }
    let home = livekit.region(0);
    home.set(Fault::Status(503)).await;
    home.set_at(PATH, Fault::Answer(200, Vec::new(), list.into()))
        .await;
    for &n in failing {
        livekit.region(n).set(Fault::Status(503)).await;
    }
    let layer = tireless(Discovery::http(PATH), Order::Listed, 0);
    let (status, region) = answer(&client(&layer), get(&livekit.origin(0))).await;
    assert_eq!((status, asked(&livekit)), (200, vec![1, 0, 0, 0]));
    let called: Vec<_> = (0..4).map(|n| livekit.region(n).hits()).collect();
    for n in 1..4 {
        let is_called = failing.contains(&n) || region == format!("region-{n}");
        assert_eq!(called[n], usize::from(is_called), "{called:?}");
    }
    region
}

const OUT_OF_ORDER: &str = r#"{"regions":[
    {"url":"R3","distance":"1000"}, {"url":"R1","distance":9}, {"url":"R2","distance":"80"}
]}"#;

#[tokio::test]
async fn a_failover_goes_to_the_nearest_and_then_to_the_next_nearest() {
    assert_eq!(served(&[], OUT_OF_ORDER).await, "region-1");
    assert_eq!(served(&[1], OUT_OF_ORDER).await, "region-2");
    assert_eq!(served(&[1, 2], OUT_OF_ORDER).await, "region-3");
}

#[tokio::test]
async fn the_order_of_the_list_counts_where_one_distance_is_none() {
    for odd in [
        "",
        r#","distance":null"#,
        r#","distance":-1"#,
        r#","distance":{}"#,
    ] {
        let list = format!(
            r#"{{"regions":[
                {{"url":"R3","distance":"1000"}}, {{"url":"R1","distance":9}}, {{"url":"R2"{odd}}}
            ]}}"#
        );
        assert_eq!(served(&[], &list).await, "region-3", "{odd}");
        assert_eq!(served(&[3], &list).await, "region-1", "{odd}");
    }
}

#[tokio::test]
async fn a_list_of_livekits_is_in_the_order_of_distance_however_it_is_written() {
    let livekit = LiveKit::start(4).await;
    // Each has its index as its distance, and home none: it would be 0.
    for (list, region) in [
        (&[3, 1, 2][..], "region-1"),
        (&[2, 3], "region-2"),
        (&[3, 0, 1, 2], "region-3"),
    ] {
        livekit.list(list);
        let layer = tireless(Discovery::http(PATH), Order::Listed, 0);
        let call = call(&livekit.origin(0), r#"{"failRegions":[0]}"#);
        let expected = (200, region.to_owned());
        assert_eq!(answer(&client(&layer), call).await, expected, "{list:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_rule_is_one_for_all_lists() {
    let all = ["a", "b", "c", "d"].map(region);
    let [a, b, c, d] = all.clone();
    let out_of_order = [a.distance(9), b.distance(2), c.distance(9), d.distance(0)];
    let mut partial = out_of_order.clone();
    partial[2] = region("c");
    for way in WAYS {
        for (list, expected) in [
            (&all, ["a", "b", "c", "d"]),
            (&out_of_order, ["d", "b", "a", "c"]),
            (&partial, ["a", "b", "c", "d"]),
        ] {
            let world = World::default();
            let layer = knowing(&world, way, list, Order::Listed, 0);
            assert_eq!(tried(&world, &layer).await, expected, "{way:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_is_not_used_has_no_say_in_the_order() {
    let bad = [
        r#"{"url":"https://evil.com"}"#,
        r#"{"url":"https://a.example.com"}"#,
        r#"{"url":"nonsense"}"#,
        "null",
    ];
    for bad in bad {
        let list = format!(
            r#"{{"regions":[{{"url":"https://a.example.com","distance":7}},{bad},
                {{"url":"https://b.example.com","distance":3}}]}}"#
        );
        let world = World::default();
        world.on("?", Act::Document(None, list));
        let layer = tireless(Discovery::http(PATH), Order::Listed, 0);
        assert_eq!(tried(&world, &layer).await, ["b", "a"], "{bad}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_differs_in_its_distances_alone_replaces_the_other() {
    let (world, mut layer) = (World::default(), None);
    for (a, b, expected) in [(1, 2, ["a", "b"]), (2, 1, ["b", "a"])] {
        let list = [region("a").distance(a), region("b").distance(b)];
        let layer =
            layer.get_or_insert_with(|| knowing(&world, Way::Pushed, &list, Order::Listed, 0));
        let pushed = RegionList::new(list.to_vec());
        layer.handle().set_regions(HOME, pushed).unwrap();
        assert_eq!(tried(&world, layer).await, expected);
    }
}
