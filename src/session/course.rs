//! The policy: what follows from a directive, as a function of what happened since the last healthy run.
//!
//! No clock, no chance and no I/O is in here: the time and the draw are arguments, so that a table of
//! rows can test it.

mod plan;

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    Step,
    directive::Directive,
    exclusions::Exclusions,
    settings::{Forgive, Limits},
};
use crate::{
    region::Region,
    time::{after, scaled},
};

pub(super) use plan::{Pick, Plan, Spent, Urgency};

/// The least time between two attempts, whatever draw or server made it shorter: 20 attempts a second
/// are no hot loop.
pub(super) const FLOOR: Duration = Duration::from_millis(50);

/// By how much a wait that somebody asked for may get longer at random.
const SPREAD: f64 = 0.25;

/// What happened since the last healthy run.
#[derive(Debug)]
pub(super) struct Course {
    limits: Limits,
    excluded: Exclusions,
    /// The regions dialed, in the order of the first dial, and how often since each was last left.
    dials: Vec<(Region, u32)>,
    attempts: u32,
    /// Attempts since the first failure.
    retries: u32,
    /// How many waits came from the backoff.
    waits: u32,
    /// Whether one more attempt may begin without a wait.
    has_credit: bool,
    /// The furthest that a session was moved, by which later moves go at least.
    reach: Step,
    /// The first failure.
    failing_since: Option<Instant>,
    /// The end of the last session, and how long its token is of use from then on.
    token_until: Option<Instant>,
    /// Whether the last attempt was a new beginning.
    is_rejoining: bool,
}

impl Course {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            excluded: Exclusions::default(),
            dials: Vec::new(),
            attempts: 0,
            retries: 0,
            waits: 0,
            has_credit: true,
            reach: Step::First,
            failing_since: None,
            token_until: None,
            is_rejoining: false,
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
        self.dials.iter().map(|dial| dial.0.clone()).collect()
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
    }

    pub(super) fn dial(&mut self, region: &Region) {
        match self.dials_of(region) {
            Some(dials) => *dials = dials.saturating_add(1),
            None => self.dials.push((region.clone(), 1)),
        }
    }

    /// The attempt that was begun was none, for it was given up because of a pause. `dialed` is where.
    pub(super) fn take_back(&mut self, dialed: Option<&Region>) {
        self.attempts = self.attempts.saturating_sub(1);
        if self.failing_since.is_some() {
            self.retries = self.retries.saturating_sub(1);
        }
        if let Some(dials) = dialed.and_then(|region| self.dials_of(region)) {
            *dials = dials.saturating_sub(1);
        }
    }

    fn dials_of(&mut self, region: &Region) -> Option<&mut u32> {
        self.dials
            .iter_mut()
            .find(|(known, _)| known.origin() == region.origin())
            .map(|(_, dials)| dials)
    }

    /// A session is up.
    pub(super) fn connected(&mut self) {
        if self.limits.forgive == Forgive::OnConnect {
            self.excluded.clear();
        }
    }

    /// The session was up for long enough: all is well again.
    pub(super) fn healthy(&mut self) {
        let limits = self.limits.clone();
        *self = Self::new(limits);
    }

    /// A session is over. `window` is what it said of the use of its token.
    pub(super) fn ended(&mut self, window: Option<Duration>, now: Instant) {
        let window = window.or(self.limits.resume_window);
        self.token_until = window.map(|window| after(now, window));
    }

    /// Nothing was done for this long because of a pause.
    pub(super) fn paused(&mut self, time: Duration) {
        for instant in [&mut self.failing_since, &mut self.token_until] {
            *instant = instant.map(|at| after(at, time));
        }
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
        if urgency == Urgency::Failure {
            self.afford(now)?;
        }
        let is_worn_out = self.is_worn_out(at);
        let reached = self.escalated(step, directive, is_worn_out, now);
        let is_failed_rejoin = reached == Step::Rejoin && self.is_rejoining;
        let leaves = directive.excludes || step == Step::Migrate || is_worn_out || is_failed_rejoin;
        let pick = match &directive.to {
            Some(to) => Pick::To(to.clone()),
            None => match (reached, at) {
                (Step::Rejoin, _) => Pick::Fresh,
                (_, Some(at)) if !leaves => Pick::Same(at.clone()),
                _ => Pick::Any,
            },
        };
        if let (Some(at), true) = (at, leaves) {
            self.leave(at, now);
        }
        let (wait, is_fixed) = self.wait(step, directive, urgency, draw);
        Ok(Plan {
            step: reached,
            is_escalated: reached != step,
            pick,
            wait: self.fitting(wait, is_fixed, now)?,
            is_fixed,
            keeps_token: directive.keeps.unwrap_or(reached != Step::Rejoin),
            is_soft: directive.is_soft,
        })
    }

    /// Whether the budgets allow another attempt after a failure.
    fn afford(&mut self, now: Instant) -> Result<(), Spent> {
        let since = *self.failing_since.get_or_insert(now);
        let window = self.limits.give_up_after;
        let is_over = window.is_some_and(|window| now >= after(since, window));
        let total = self.limits.total_attempts;
        if is_over && self.retries > 0 {
            Err(Spent::Window)
        } else if total.is_some_and(|total| self.attempts >= total.get()) {
            Err(Spent::Attempts)
        } else {
            Ok(())
        }
    }

    /// Whether this region was dialed as often as may be.
    fn is_worn_out(&mut self, at: Option<&Region>) -> bool {
        let limit = self.limits.per_target_attempts;
        let dials = at.and_then(|at| self.dials_of(at).copied()).unwrap_or(0);
        limit.is_some_and(|limit| dials >= limit.get())
    }

    /// How far to go: as far as was asked, unless that is known not to do.
    fn escalated(
        &mut self,
        asked: Step,
        directive: &Directive,
        is_worn_out: bool,
        now: Instant,
    ) -> Step {
        let mut step = asked;
        if is_worn_out {
            step = step.max(Step::Migrate);
        }
        let is_token_spent = self.token_until.is_some_and(|until| now >= until);
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
        if let Some(dials) = self.dials_of(region) {
            *dials = 0;
        }
    }

    /// How long to wait, and whether somebody asked for it.
    fn wait(
        &mut self,
        asked: Step,
        directive: &Directive,
        urgency: Urgency,
        draw: f64,
    ) -> (Duration, bool) {
        let wish = directive.after.map(|wait| wait.max(FLOOR));
        if wish.is_none() {
            if urgency == Urgency::Kick {
                return (Duration::ZERO, false);
            }
            // Not where a retry becomes more than that: there may be no other region.
            if asked != Step::Retry && self.has_credit {
                self.has_credit = false;
                return (Duration::ZERO, false);
            }
        }
        let next = self.waits.saturating_add(1);
        let computed = self.limits.backoff.delay(next, draw).max(FLOOR);
        match wish.map(|wait| scaled(wait, 1.0 + SPREAD * draw)) {
            Some(wish) if wish >= computed => (wish, true),
            Some(_) | None => {
                self.waits = next;
                (computed, false)
            }
        }
    }

    /// The wait, cut to the time that is left.
    fn fitting(&self, wait: Duration, is_fixed: bool, now: Instant) -> Result<Duration, Spent> {
        let (Some(since), Some(window)) = (self.failing_since, self.limits.give_up_after) else {
            return Ok(wait);
        };
        let left = after(since, window).saturating_duration_since(now);
        if wait <= left {
            Ok(wait)
        } else if is_fixed {
            Err(Spent::Window)
        } else {
            Ok(left)
        }
    }
}
