use std::time::Duration;

use tokio::time::Instant;

use crate::region::{Origin, Region};

/// The regions that a session does not go to while there is another, the one longest excluded first.
#[derive(Clone, Debug, Default)]
pub(super) struct Exclusions {
    entries: Vec<(Region, Instant)>,
}

impl Exclusions {
    /// Excludes the region from now on, whether it was or not.
    pub(super) fn add(&mut self, region: &Region, now: Instant) {
        self.entries
            .retain(|(known, _)| known.origin() != region.origin());
        self.entries.push((region.clone(), now));
    }

    /// Forgets those that were excluded for so long.
    pub(super) fn expire(&mut self, ttl: Duration, now: Instant) {
        self.entries
            .retain(|(_, since)| now.saturating_duration_since(*since) < ttl);
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    /// The regions, the one longest excluded first.
    pub(super) fn regions(&self) -> Vec<Region> {
        self.entries.iter().map(|entry| entry.0.clone()).collect()
    }

    /// How many were excluded before this one; `None` where it is not.
    pub(super) fn turn(excluded: &[Region], origin: &Origin) -> Option<usize> {
        excluded.iter().position(|region| region.origin() == origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(name: &str) -> Region {
        Region::new(name, format!("http://{name}")).unwrap()
    }

    fn names(excluded: &Exclusions) -> String {
        let regions = excluded.regions();
        regions.iter().map(Region::name).collect()
    }

    /// S15, S16, S18, S19, S20, S21, S22; that an id is not blank (S17) is in the type.
    #[test]
    fn a_region_is_excluded_once_and_a_copy_stays_as_it_was() {
        let now = Instant::now();
        let mut excluded = Exclusions::default();
        excluded.add(&region("a"), now);
        excluded.add(&region("b"), now);
        assert_eq!(names(&excluded), "ab", "S15, S20, S21");
        let copy = excluded.clone();
        for _ in 0..3 {
            excluded.add(&region("c"), now);
        }
        assert_eq!(names(&excluded), "abc", "S16");
        assert_eq!(names(&copy), "ab", "S18");
        excluded.clear();
        assert_eq!(names(&excluded), "", "S19, S22");
    }

    #[test]
    fn the_one_longest_excluded_stands_first() {
        let now = Instant::now();
        let mut excluded = Exclusions::default();
        for name in ["a", "b", "a"] {
            excluded.add(&region(name), now);
        }
        assert_eq!(names(&excluded), "ba");
    }

    #[test]
    fn an_exclusion_ends_with_its_time() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut excluded = Exclusions::default();
        excluded.add(&region("a"), now);
        excluded.add(&region("b"), now + second);
        excluded.expire(3 * second, now + 3 * second);
        assert_eq!(names(&excluded), "b");
    }
}
