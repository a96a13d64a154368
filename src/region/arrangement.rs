use std::{collections::hash_map::RandomState, hash::BuildHasher, sync::OnceLock};

/// In which order the regions other than home are tried.
///
/// Distances and weights come with the regions: with a list, whether it was discovered, pushed or
/// restored, or with those of [`Regions::of`](crate::Regions::of). Of a list of more than 32 regions
/// those 32 are used that [`Listed`](Self::Listed) puts first, under either order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Order {
    /// The nearest first: by their [distances](crate::Region::distance) where all regions in use have
    /// one, those that are as near in the order of the list; else in the order of the list, so list the
    /// nearest first. With many clients a dead region's whole load falls on the region that is next.
    ///
    /// Where one distance is missing the order of the list says more than the others do: servers that
    /// leave out a 0, as LiveKit's do, list by distance themselves.
    #[default]
    Listed,
    /// Each client has an order of its own (rendezvous hash of a client id and the region), so that
    /// the clients of a dead region spread over all others: evenly, or as their
    /// [weights](crate::Region::weight) say.
    ///
    /// Distances do not matter: clients of one home are alike in them, and would all go to one region.
    Spread,
}

/// What decides the order of a set's regions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrangement {
    pub(crate) order: Order,
    pub(crate) client_id: u64,
}

impl Default for Arrangement {
    fn default() -> Self {
        Self {
            order: Order::default(),
            client_id: process_id(),
        }
    }
}

/// Puts the nearest first, if all distances are known; else the order stays.
pub(crate) fn nearest_first<T>(items: &mut [T], distance: impl Fn(&T) -> Option<u64>) {
    if items.iter().all(|item| distance(item).is_some()) {
        items.sort_by_key(distance);
    }
}

fn process_id() -> u64 {
    static ID: OnceLock<u64> = OnceLock::new();
    *ID.get_or_init(|| RandomState::new().hash_one("tower-failover"))
}

#[cfg(test)]
mod tests {
    use super::nearest_first;

    fn sorted(mut items: Vec<(&str, Option<u64>)>) -> String {
        nearest_first(&mut items, |item| item.1);
        items.into_iter().map(|item| item.0).collect()
    }

    #[test]
    fn the_nearest_is_first_and_those_alike_keep_their_order() {
        let items = vec![
            ("a", Some(u64::MAX)),
            ("b", Some(7)),
            ("c", Some(0)),
            ("d", Some(7)),
            ("e", Some(0)),
        ];
        assert_eq!(sorted(items), "cebda");
    }

    #[test]
    fn the_order_stays_where_one_distance_is_unknown() {
        for unknown in 0..3 {
            let mut items = vec![("a", Some(3)), ("b", Some(2)), ("c", Some(1))];
            assert_eq!(sorted(items.clone()), "cba");
            items[unknown].1 = None;
            assert_eq!(sorted(items), "abc");
        }
        assert_eq!(sorted(vec![]), "");
    }
}
