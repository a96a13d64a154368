use crate::region::Region;

/// The regions dialed, in the order of the first dial, and how often since each was last left.
#[derive(Debug, Default)]
pub(super) struct Dials(Vec<(Region, u32)>);

impl Dials {
    pub(super) fn regions(&self) -> Vec<Region> {
        self.0.iter().map(|dial| dial.0.clone()).collect()
    }

    pub(super) fn of(&self, region: &Region) -> u32 {
        let mut dials = self.0.iter();
        dials
            .find(|(known, _)| known.origin() == region.origin())
            .map_or(0, |dial| dial.1)
    }

    fn of_mut(&mut self, region: &Region) -> Option<&mut u32> {
        let mut dials = self.0.iter_mut();
        dials
            .find(|(known, _)| known.origin() == region.origin())
            .map(|dial| &mut dial.1)
    }

    pub(super) fn add(&mut self, region: &Region) {
        match self.of_mut(region) {
            Some(dials) => *dials = dials.saturating_add(1),
            None => self.0.push((region.clone(), 1)),
        }
    }

    /// The last one was none.
    pub(super) fn take_back(&mut self, region: &Region) {
        if let Some(dials) = self.of_mut(region) {
            *dials = dials.saturating_sub(1);
        }
    }

    /// The region is left: it is counted anew.
    pub(super) fn leave(&mut self, region: &Region) {
        if let Some(dials) = self.of_mut(region) {
            *dials = 0;
        }
    }
}
