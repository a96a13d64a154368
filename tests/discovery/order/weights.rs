//! `Order::Spread`.

use super::*;

const HOSTS: [&str; 4] = ["a", "b", "c", "d"];

/// Those four, `c` without a weight; `d` is the nearest.
fn weighted() -> Vec<Region> {
    let [a, b, c, d] = HOSTS.map(region);
    vec![
        a.weight(6).distance(30),
        b.weight(3).distance(20),
        c.distance(10),
        d.weight(0).distance(1),
    ]
}

async fn order_of(way: Way, list: &[Region], client_id: u64) -> Vec<String> {
    let world = World::default();
    let layer = knowing(&world, way, list, Order::Spread, client_id);
    tried(&world, &layer).await
}

/// Over a document, which regions so many clients try first.
async fn first(list: &[Region], clients: u64) -> [u64; 4] {
    let mut first = [0; 4];
    for id in 0..clients {
        let order = order_of(Way::Document, list, id).await;
        let place = HOSTS.iter().position(|host| *host == order[0]);
        first[place.unwrap()] += 1;
    }
    first
}

/// That each of these got its share of the sum, within six standard deviations.
fn assert_shares(counts: [u64; 4], weights: [u32; 4]) {
    let of = counts.iter().sum::<u64>() as f64;
    let sum = f64::from(weights.iter().sum::<u32>());
    for (count, weight) in counts.into_iter().zip(weights) {
        let share = f64::from(weight) / sum;
        let bound = 6.0 * (of * share * (1.0 - share)).sqrt();
        let error = (count as f64 - of * share).abs();
        assert!(error <= bound, "{counts:?} are not as {weights:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn clients_spread_over_regions_in_proportion_to_their_weights() {
    assert_shares(first(&weighted(), 2000).await, [6, 3, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn without_weights_and_with_equal_ones_clients_spread_evenly() {
    let equal = |weight| HOSTS.map(|host| region(host).weight(weight));
    let even = first(&HOSTS.map(region), 1000).await;
    assert_shares(even, [1; 4]);
    for weight in [0, 1, 7, u32::MAX] {
        assert_eq!(first(&equal(weight), 1000).await, even, "{weight}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_of_no_weight_is_the_last_resort_of_all_clients() {
    for id in 0..200 {
        let order = order_of(Way::Document, &weighted(), id).await;
        assert_eq!((order.len(), order[3].as_str()), (4, "d"), "{order:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_that_joins_or_leaves_does_not_change_the_order_of_the_others() {
    for id in 0..100 {
        let order = order_of(Way::Document, &weighted(), id).await;
        for left in 0..4 {
            let mut list = weighted();
            let left = list.remove(left);
            let mut expected = order.clone();
            expected.retain(|host| host != left.name());
            assert_eq!(order_of(Way::Document, &list, id).await, expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_has_one_order_however_the_list_came_and_was_written() {
    let mut backwards = weighted();
    backwards.reverse();
    for id in 0..50 {
        let order = order_of(Way::Document, &weighted(), id).await;
        for way in WAYS {
            assert_eq!(order_of(way, &weighted(), id).await, order, "{way:?}");
            assert_eq!(order_of(way, &backwards, id).await, order, "{way:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_odd_weight_counts_as_none() {
    let list = |weight: &str| {
        let region = |host| format!(r#"{{"url":"{}","weight":{weight}}}"#, origin(host));
        let regions = HOSTS.map(region).join(",");
        format!(r#"{{"regions":[{regions},{{"url":"https://e.example.com","weight":"1"}}]}}"#)
    };
    for id in 0..50 {
        let order = async |weight: &str| {
            let world = World::default();
            world.on("?", Act::Document(None, list(weight)));
            let layer = tireless(Discovery::http(PATH), Order::Spread, id);
            tried(&world, &layer).await
        };
        let expected = order("1").await;
        for odd in ["null", "-1", "1e999", "4294967296", r#""much""#, "[2]"] {
            assert_eq!(order(odd).await, expected, "{odd}");
        }
    }
}
