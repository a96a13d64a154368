//! The policy: what follows from a directive, as a function of what happened since the last healthy run.
//!
//! No clock, no chance and no I/O is in here: the time and the draw are arguments, so that a table of
//! rows can test it.

mod dials;
mod pace;
mod plan;

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use self::{dials::Dials, pace::Pace};
use super::{
    Step,
    directive::Directive,
    exclusions::Exclusions,
    settings::{Forgive, Limits},
};
use crate::{region::Region, time::after};

pub(super) use self::{
    pace::FLOOR,
    plan::{Pick, Plan, Spent, Urgency},
};

/// What happened since the last healthy run.
#[derive(Debug)]
pub(super) struct Course {
    limits: Limits,
    excluded: Exclusions,
    dials: Dials,
    attempts: u32,
    /// Attempts since the first failure.
    retries: u32,
    /// How many more a pause ended.
    cut: u32,
    pace: Pace,
    /// The furthest that a session was moved, by which later moves go at least.
    reach: Step,
    /// The first failure.
    failing_since: Option<Instant>,
    /// The end of the last session, and how long its token is of use from then on.
    token_until: Option<Instant>,
    /// Whether the last attempt was a new beginning.
    is_rejoining: bool,
    /// Whether the last attempt found no region to go to, or none yet.
    is_nowhere: bool,
}

impl Course {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            excluded: Exclusions::default(),
            dials: Dials::default(),
            attempts: 0,
            retries: 0,
            cut: 0,
            pace: Pace::new(),
            reach: Step::First,
            failing_since: None,
            token_until: None,
            is_rejoining: false,
            is_nowhere: false,
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The regions dialed since the last healthy run.
    pub(super) fn tried(&self) -> Vec<Region> {
        self.dials.regions()
    }

    /// The time since the first failure.
    pub(super) fn failing_for(&self, now: Instant) -> Duration {
        self.failing_since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// The regions that are excluded by now.
    pub(super) fn excluded(&mut self, now: Instant) -> Arc<[Region]> {
        self.excluded.expire(self.limits.exclusion_ttl, now);
        self.excluded.regions().into()
    }

    /// An attempt begins. It is over when a region is dialed or none was found.
    pub(super) fn begin(&mut self, plan: &Plan) {
        self.attempts = self.attempts.saturating_add(1);
        if self.failing_since.is_some() {
            self.retries = self.retries.saturating_add(1);
        }
        self.is_rejoining = plan.step == Step::Rejoin;
        self.is_nowhere = true;
    }

    pub(super) fn dial(&mut self, region: &Region) {
        self.is_nowhere = false;
        self.dials.add(region);
    }

    /// The attempt that was begun was none, for it was given up because of a pause. `dialed` is where.
    pub(super) fn take_back(&mut self, dialed: Option<&Region>) {
        self.attempts = self.attempts.saturating_sub(1);
        if self.failing_since.is_some() {
            self.retries = self.retries.saturating_sub(1);
            self.cut = self.cut.saturating_add(1);
        }
        if let Some(region) = dialed {
            self.dials.take_back(region);
        }
    }

    /// The region is not used for the time being, wherever the session is by now.
    pub(super) fn exclude(&mut self, region: &Region, now: Instant) {
        self.excluded.add(region, now);
    }

    /// A session is up.
    pub(super) fn connected(&mut self) {
        if self.limits.forgive == Forgive::OnConnect {
            self.excluded.clear();
        }
    }

    /// The session was up for long enough: all is well again.
    pub(super) fn healthy(&mut self) {
        *self = Self::new(self.limits.clone());
    }

    /// A session is over. `window` is what it said of the use of its token.
    pub(super) fn ended(&mut self, window: Option<Duration>, now: Instant) {
        let window = window.or(self.limits.resume_window);
        self.token_until = window.map(|window| after(now, window));
    }

    /// Nothing was done for this long because of a pause. A server that keeps what it takes to resume
    /// does not know of that.
    pub(super) fn paused(&mut self, time: Duration) {
        self.failing_since = self.failing_since.map(|at| after(at, time));
    }

    /// Whether the window is over now that a pause is, and something was tried in it.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.is_window_over(now) && (self.retries > 0 || self.cut > 0)
    }

    fn is_window_over(&self, now: Instant) -> bool {
        let (Some(since), Some(window)) = (self.failing_since, self.limits.give_up_after) else {
            return false;
        };
        now >= after(since, window)
    }

    /// How to go on with `directive`, which says this `step` and came while the session was or went to
    /// `at`. `draw` is from `0.0..1.0`.
    pub(super) fn decide(
        &mut self,
        (step, directive): (Step, &Directive),
        at: Option<&Region>,
        urgency: Urgency,
        now: Instant,
        draw: f64,
    ) -> Result<Plan, Spent> {
        let is_failure = matches!(urgency, Urgency::Failure | Urgency::Covered);
        if urgency == Urgency::Failure {
            self.afford(now)?;
        }
        // Where the session was before has no part in an attempt that got nowhere.
        let at = at.filter(|_| !(is_failure && self.is_nowhere));
        let wish = directive.after;
        let wait = match urgency {
            Urgency::Kick if wish.is_none() => Duration::ZERO,
            _ => self.pace.wait(&self.limits.backoff, step, wish, draw),
        };
        let wait = match urgency {
            // What is not given up has no end for the wait to be cut to.
            Urgency::Covered => wait,
            _ => self.fitting(wait, wish, now)?,
        };

        let is_worn_out = self.is_worn_out(at);
        let reached = self.escalated(step, directive, is_worn_out, after(now, wait));
        let is_failed_rejoin = reached == Step::Rejoin && self.is_rejoining && is_failure;
        let leaves = directive.excludes || step == Step::Migrate || is_worn_out || is_failed_rejoin;
        let pick = match (reached, at) {
            (Step::Rejoin, _) => Pick::Fresh,
            (_, Some(at)) if !leaves => Pick::Same(at.clone()),
            _ => Pick::Any,
        };
        if let (Some(at), true) = (at, leaves) {
            self.leave(at, now);
        }
        Ok(Plan {
            step: reached,
            is_escalated: reached != step,
            pick: match &directive.to {
                Some(to) => Pick::To(to.clone(), Box::new(pick)),
                None => pick,
            },
            wait,
            is_fixed: wish.is_some(),
            keeps_token: directive.keeps.unwrap_or(reached != Step::Rejoin),
            is_soft: directive.is_soft,
        })
    }

    /// Whether the budgets allow another attempt after a failure.
    fn afford(&mut self, now: Instant) -> Result<(), Spent> {
        self.failing_since.get_or_insert(now);
        let total = self.limits.total_attempts;
        if self.is_window_over(now) && self.retries > 0 {
            Err(Spent::Window)
        } else if total.is_some_and(|total| self.attempts >= total.get()) {
            Err(Spent::Attempts)
        } else {
            Ok(())
        }
    }

    /// Whether this region was dialed as often as may be.
    fn is_worn_out(&self, at: Option<&Region>) -> bool {
        let dials = at.map_or(0, |at| self.dials.of(at));
        let limit = self.limits.per_target_attempts;
        limit.is_some_and(|limit| dials >= limit.get())
    }

    /// How far to go, in an attempt that begins then: as far as was asked, unless that is known not to
    /// do.
    fn escalated(
        &mut self,
        asked: Step,
        directive: &Directive,
        is_worn_out: bool,
        begins: Instant,
    ) -> Step {
        let mut step = asked;
        if is_worn_out || directive.excludes {
            step = step.max(Step::Migrate);
        }
        let is_token_spent = self.token_until.is_some_and(|until| begins >= until);
        if is_token_spent && directive.keeps.is_none() {
            step = step.max(Step::Rejoin);
        }
        if step >= Step::Migrate {
            self.reach = self.reach.max(step);
            step = self.reach;
        }
        step
    }

    /// Goes elsewhere for the time being. When all others were tried the region gets as many dials
    /// again.
    fn leave(&mut self, region: &Region, now: Instant) {
        self.excluded.add(region, now);
        self.dials.leave(region);
    }

    /// The wait, cut to the time that is left. Of what somebody asked for nothing is cut.
    fn fitting(
        &self,
        wait: Duration,
        wish: Option<Duration>,
        now: Instant,
    ) -> Result<Duration, Spent> {
        let (Some(since), Some(window)) = (self.failing_since, self.limits.give_up_after) else {
            return Ok(wait);
        };
        let left = after(since, window).saturating_duration_since(now);
        match wish {
            Some(wish) if wish > left => Err(Spent::Window),
            _ => Ok(wait.min(left)),
        }
    }
}

#[cfg(test)]
mod tests;
