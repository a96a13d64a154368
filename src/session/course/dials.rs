use crate::region::Region;

/// The regions dialed, in the order of the first dial, and how often since each was last left.
#[derive(Debug, Default)]
pub(super) struct Dials {
    all: Vec<(Region, u32)>,
    /// Whether the last one was the first of its region.
    was_new: bool,
}

impl Dials {
    pub(super) fn regions(&self) -> Vec<Region> {
        self.all.iter().map(|dial| dial.0.clone()).collect()
    }

    pub(super) fn of(&self, region: &Region) -> u32 {
        let mut dials = self.all.iter();
        dials
            .find(|(known, _)| known.origin() == region.origin())
            .map_or(0, |dial| dial.1)
    }

    fn of_mut(&mut self, region: &Region) -> Option<&mut u32> {
        let mut dials = self.all.iter_mut();
        dials
            .find(|(known, _)| known.origin() == region.origin())
            .map(|dial| &mut dial.1)
    }

    pub(super) fn add(&mut self, region: &Region) {
        let known = self.of_mut(region);
        let is_new = known.is_none();
        match known {
            Some(dials) => *dials = dials.saturating_add(1),
            None => self.all.push((region.clone(), 1)),
        }
        self.was_new = is_new;
    }

    /// The last one was none.
    pub(super) fn take_back(&mut self, region: &Region) {
        if let Some(dials) = self.of_mut(region) {
            *dials = dials.saturating_sub(1);
        }
        if std::mem::take(&mut self.was_new) {
            self.all.pop();
        }
    }

    /// The region is left: it is counted anew.
    pub(super) fn leave(&mut self, region: &Region) {
        if let Some(dials) = self.of_mut(region) {
            *dials = 0;
        }
    }
}
