//! What happens before an attempt: a wait, and a pause if there is one.

use std::{future::pending, pin::pin, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{
    super::{
        Cause, Directive, Phase,
        control::Order,
        course::{FLOOR, Plan, Spent, Urgency},
        directive::Kind,
        report,
    },
    Ending, Kept, Task,
    hear::{Heard, Until},
};
use crate::{BoxError, time::after};

impl<S: Kept, E: Into<BoxError>> Task<S, E> {
    /// Waits until it is time for the plan, unless another one takes its place.
    pub(super) async fn wait(&mut self, plan: &Plan) -> Result<Option<Plan>, Ending<S::Exit>> {
        let mut at = after(Instant::now(), plan.wait);
        report::waiting(plan.step, plan.wait);
        loop {
            if self.is_paused() {
                let left = at.saturating_duration_since(Instant::now());
                if let Some(instead) = self.pause(plan).await? {
                    return Ok(Some(instead.not_before(plan, left)));
                }
                // Else pauses that end each attempt would put that off for ever.
                let is_over = plan.wait.is_zero() && self.course.is_over(Instant::now());
                if is_over && !self.sessions.is_leaving() {
                    return Err(Ending::Spent(Spent::Window));
                }
                at = after(Instant::now(), left.max(self.breath()));
            }
            let is_due = at <= Instant::now();
            if !is_due {
                self.show_way(Phase::Waiting, plan, Some(at));
            }
            let rest = async move {
                if !is_due {
                    sleep_until(at).await;
                }
            };
            // Also where there is no wait: what was asked for by now, in a pause say, may be more.
            match self.until(plan, pin!(rest)).await? {
                Until::Done(()) => return Ok(None),
                Until::Instead(instead) => {
                    let left = at.saturating_duration_since(Instant::now());
                    return Ok(Some(instead.not_before(plan, left)));
                }
                Until::Paused => {}
                Until::Hurry if plan.is_fixed => {}
                Until::Hurry => at = at.min(after(Instant::now(), FLOOR)),
            }
        }
    }

    /// Does nothing until the pause is over. There may be more to do then than what was planned.
    pub(super) async fn pause(&mut self, plan: &Plan) -> Result<Option<Plan>, Ending<S::Exit>> {
        let mut advice: Option<Directive> = None;
        while self.is_paused() {
            self.show(
                match self.sessions.is_leaving() {
                    true => Phase::Migrating,
                    false => Phase::Paused,
                },
                None,
            );
            let more = match self.hear(pin!(pending::<()>())).await {
                Heard::Order(Order::Stop(close)) => return Err(Ending::Shutdown(close)),
                Heard::Order(Order::Unpause) => {
                    self.unpause();
                    continue;
                }
                Heard::Order(Order::Kick(directive)) => Some((directive, Cause::kicked())),
                Heard::Told(told) => {
                    let advice = self.leaving(told)?;
                    advice.map(|advice| (advice, Cause::advised()))
                }
                Heard::Order(Order::Pause) | Heard::Done(()) => None,
            };
            if let Some((more, cause)) = more {
                if let Kind::Stop(_) = more.kind {
                    self.go(&more, Urgency::Kick, cause, None)?;
                }
                advice = Some(match advice {
                    Some(earlier) => earlier.merged(more),
                    None => more,
                });
            }
        }
        match advice {
            Some(advice) => self.advised(plan, &advice),
            None => Ok(None),
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused_at.is_some()
    }

    /// The pause is over.
    pub(super) fn unpause(&mut self) {
        self.forgive_pause();
        self.paused_at = None;
    }

    /// Does not count the pause so far.
    pub(super) fn forgive_pause(&mut self) {
        if let Some(at) = &mut self.paused_at {
            self.course.paused(at.elapsed());
            *at = Instant::now();
        }
    }

    /// How long after the last attempt it is too early for the next.
    pub(super) fn breath(&self) -> Duration {
        let spent = self.dialed_at.map(|at| at.elapsed());
        spent.map_or(Duration::ZERO, |spent| FLOOR.saturating_sub(spent))
    }
}
