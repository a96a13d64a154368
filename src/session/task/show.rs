use tokio::time::Instant;

use super::{
    super::{Phase, course::Plan},
    Kept, Task,
};
use crate::BoxError;

impl<S: Kept, E: Into<BoxError>> Task<S, E> {
    /// Shows what is being done for a plan.
    pub(super) fn show_way(&mut self, phase: Phase, plan: &Plan, next_at: Option<Instant>) {
        self.way = (phase, next_at);
        self.show_again(plan);
    }

    /// Shows it as it is now that something else has changed.
    pub(super) fn show_again(&mut self, plan: &Plan) {
        let (phase, next_at) = self.way;
        let phase = if self.sessions.is_leaving() {
            Phase::Migrating
        } else if plan.is_soft {
            Phase::Degraded
        } else {
            phase
        };
        self.show(phase, next_at);
    }

    pub(super) fn show(&mut self, phase: Phase, next_at: Option<Instant>) {
        let serving = self.sessions.serving().map(|open| &open.region);
        let region = serving.or(self.at.as_ref()).cloned();
        let (epoch, attempt, cause) = (self.epoch, self.course.attempts(), self.cause.clone());
        self.teller.show(|status| {
            status.region = region;
            status.epoch = epoch;
            status.attempt = attempt;
            status.cause = cause;
            status.next_at = next_at;
            if status.phase != phase {
                status.phase = phase;
                status.since = Instant::now();
            }
        });
    }
}
