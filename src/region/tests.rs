use std::collections::HashSet;

use super::*;

fn eu() -> Region {
    Region::new("eu", "https://eu.example.com").unwrap()
}

#[test]
fn distance_and_weight_are_no_part_of_what_a_region_is() {
    let regions = [
        eu(),
        eu().distance(1),
        eu().distance(2).weight(1),
        eu().weight(u32::MAX),
    ];
    for region in &regions {
        assert_eq!(*region, eu());
        assert_eq!(
            format!("{region} {region:?}"),
            format!("{} {:?}", eu(), eu())
        );
    }
    assert_eq!(regions.into_iter().collect::<HashSet<_>>().len(), 1);
    let others = [
        Region::new("us", "https://eu.example.com").unwrap(),
        Region::new("eu", "https://us.example.com").unwrap(),
        Region::unnamed("https://eu.example.com").unwrap(),
    ];
    assert!(others.iter().all(|other| *other != eu()));
}

#[test]
fn what_is_set_of_a_clone_is_not_set_of_the_other() {
    let plain = eu();
    let region = plain.clone().weight(3).distance(0);
    assert_eq!(
        (region.get_distance(), region.get_weight()),
        (Some(0), Some(3))
    );
    assert_eq!((plain.get_distance(), plain.get_weight()), (None, None));
    let again = region.clone().distance(7);
    assert_eq!(
        (again.get_distance(), again.get_weight()),
        (Some(7), Some(3))
    );
    assert_eq!(region.get_distance(), Some(0));
}

#[test]
fn a_region_without_its_name_keeps_the_rest() {
    let region = eu().distance(7).weight(3);
    let unnamed = region.clone().without_name();
    assert_eq!(unnamed.name(), "https://eu.example.com:443");
    assert_eq!(
        (unnamed.get_distance(), unnamed.get_weight()),
        (Some(7), Some(3))
    );
    assert_eq!(region.name(), "eu");
}
