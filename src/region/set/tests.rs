use super::*;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn region(name: &str) -> Region {
    Region::new(name, format!("http://{name}")).unwrap()
}

/// `a` to `e`, with these weights.
fn weighted(weights: [Option<u32>; 5]) -> Vec<Region> {
    let regions = NAMES.into_iter().zip(weights);
    regions
        .map(|(name, weight)| region(name).measured(None, weight))
        .collect()
}

/// As many of them, with these distances.
fn distant(distances: &[Option<u64>]) -> Vec<Region> {
    let regions = NAMES.into_iter().zip(distances);
    regions
        .map(|(name, distance)| region(name).measured(*distance, None))
        .collect()
}

/// The order in which these stand in for another.
fn arranged(regions: &[Region], order: Order, client_id: u64) -> String {
    let set = Set::new(regions.to_vec(), Arrangement { order, client_id }).unwrap();
    let fallbacks = set.fallbacks.iter();
    fallbacks.map(|&place| set.place(place).name()).collect()
}

fn listed(regions: &[Region]) -> String {
    arranged(regions, Order::Listed, 0)
}

fn spread(regions: &[Region], client_id: u64) -> String {
    arranged(regions, Order::Spread, client_id)
}

/// That `count` of `of` is within six standard deviations of this share.
fn assert_share(count: usize, of: usize, share: f64, what: &str) {
    let (count, of) = (count as f64, of as f64);
    let deviation = (of * share * (1.0 - share)).sqrt();
    let bound = 6.0 * deviation;
    assert!(
        (count - of * share).abs() <= bound,
        "{what}: {count} of {of}, not {share}"
    );
}

#[test]
fn the_nearest_is_first_where_all_distances_are_known() {
    let regions = distant(&[Some(30), Some(u64::MAX), Some(0), Some(30), Some(7)]);
    assert_eq!(listed(&regions), "ceadb");
}

#[test]
fn the_list_counts_where_a_distance_is_not_known() {
    assert_eq!(listed(&distant(&[Some(3), Some(2), Some(1)])), "cba");
    assert_eq!(listed(&distant(&[Some(3), Some(2), None])), "abc");
    assert_eq!(listed(&distant(&[None, Some(2), Some(1)])), "abc");
    assert_eq!(listed(&distant(&[None; 5])), "abcde");
}

#[test]
fn an_alias_has_no_say_in_the_order() {
    let regions = distant(&[Some(2), Some(1)]);
    let mut set = Set::new(regions, Arrangement::default()).unwrap();
    set.add_alias(region("z")).unwrap();
    set.arrange(Arrangement::default());
    assert_eq!(set.candidates(2).collect::<Vec<_>>(), [2, 1, 0]);
}

#[test]
fn listed_is_deaf_to_weights_and_spread_to_distances() {
    let heavy = weighted([Some(1), Some(9), None, Some(0), Some(100)]);
    assert_eq!(listed(&heavy), "abcde");
    let far = distant(&[Some(30), Some(20), Some(0), Some(30), Some(7)]);
    for id in 0..100 {
        assert_eq!(spread(&far, id), spread(&distant(&[None; 5]), id));
    }
}

#[test]
fn a_clients_order_is_the_same_on_every_machine() {
    // Computed apart from this code.
    for (id, even, uneven) in [
        (0, "debca", "bdcae"),
        (1, "ebacd", "bacde"),
        (2, "baced", "bacde"),
        (42, "bedac", "bdace"),
        (u64::MAX, "cdaeb", "cbdae"),
    ] {
        for weight in [None, Some(0), Some(1), Some(7), Some(u32::MAX)] {
            assert_eq!(spread(&weighted([weight; 5]), id), even, "{weight:?}");
        }
        let weights = [Some(1), Some(5), None, None, Some(0)];
        assert_eq!(spread(&weighted(weights), id), uneven);
    }
}

#[test]
fn clients_prefer_regions_in_proportion_to_their_weights() {
    const CLIENTS: usize = 20_000;
    let weights = [None, Some(2), Some(5), Some(0), Some(12)];
    let regions = weighted(weights);
    // Of each region: how many prefer it, and how many after `e`.
    let (mut first, mut second) = ([0; 5], [0; 5]);
    for id in 0..CLIENTS as u64 {
        let order = spread(&regions, id);
        let place = |n: usize| usize::from(order.as_bytes()[n] - b'a');
        first[place(0)] += 1;
        if place(0) == 4 {
            second[place(1)] += 1;
        }
        assert!(order.ends_with('d'), "a last resort: {order}");
    }
    for (place, weight) in [1.0, 2.0, 5.0, 0.0, 12.0].into_iter().enumerate() {
        assert_share(first[place], CLIENTS, weight / 20.0, NAMES[place]);
        if place != 4 {
            assert_share(second[place], first[4], weight / 8.0, NAMES[place]);
        }
    }
}

#[test]
fn weights_of_any_size_count_by_their_ratio() {
    for id in 0..1000 {
        let few = weighted([Some(1), Some(2), Some(3), Some(4), Some(0)]);
        let many = [1, 2, 3, 4, 0].map(|weight| Some(weight * 1_000_000_000));
        assert_eq!(spread(&few, id), spread(&weighted(many), id));
    }
}

#[test]
fn a_region_that_joins_or_leaves_does_not_change_the_order_of_the_others() {
    let all = weighted([Some(1), Some(4), None, Some(0), Some(50)]);
    for id in 0..500 {
        let order = spread(&all, id);
        for left in 0..5 {
            let mut others = all.clone();
            let name = others.remove(left);
            let expected = order.replace(name.name(), "");
            assert_eq!(spread(&others, id), expected, "{order}");
        }
    }
}

#[test]
fn a_region_that_gains_weight_does_not_change_the_order_of_the_others() {
    for id in 0..500 {
        let order = |weight| spread(&weighted([Some(weight), Some(4), None, Some(3), None]), id);
        let (light, heavy) = (order(1), order(40));
        assert_eq!(light.replace('a', ""), heavy.replace('a', ""));
        assert!(heavy.find('a') <= light.find('a'), "{light} {heavy}");
    }
}
