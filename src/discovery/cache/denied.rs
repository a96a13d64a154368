use tokio::time::Instant;

/// Whose credentials were denied the list a moment ago, and until when they are not to try again.
#[derive(Default)]
pub(super) struct Denied(Vec<(u64, Instant)>);

impl Denied {
    /// How many different credentials may be denied, or ask whether they are, before nobody else asks.
    /// Some may be expired or another's; when all are, as where each call signs its own, it is discovery
    /// that denies.
    pub(super) const MAX: usize = 3;

    pub(super) fn add(&mut self, credentials: u64, until: Instant, now: Instant) {
        let is_other = |&(denied, until): &(u64, Instant)| denied != credentials && now < until;
        self.0.retain(is_other);
        // Some of them may have asked before the others were forgotten.
        if self.0.len() == Self::MAX {
            self.0.remove(0);
        }
        self.0.push((credentials, until));
    }

    pub(super) fn contains(&self, credentials: u64, now: Instant) -> bool {
        let mut denied = self.0.iter();
        denied.any(|&(denied, until)| denied == credentials && now < until)
    }

    pub(super) fn count(&self, now: Instant) -> usize {
        self.0.iter().filter(|&&(_, until)| now < until).count()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
