//! Everything that can happen beside what the supervisor is doing.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use tokio::time::Instant;

use super::{
    super::{
        Cause, Directive, Event, Outcome, Step,
        control::Order,
        course::{Plan, Urgency},
        directive::Kind,
        sessions::Told,
    },
    Ending, Kept, Task,
};
use crate::{BoxError, time::after};

/// What the supervisor hears, the most urgent first.
pub(super) enum Heard<T, R, X> {
    Order(Order),
    Told(Told<R, X>),
    /// What it was doing is done.
    Done(T),
}

/// How something ended that was to be done for a plan.
pub(super) enum Until<T> {
    Done(T),
    /// There is something else to do.
    Instead(Plan),
    /// Somebody wants it now.
    Hurry,
    /// It has to wait for the end of a pause.
    Paused,
}

impl<S: Kept, E: Into<BoxError>> Task<S, E> {
    /// Waits for the next thing that happens.
    pub(super) async fn hear<T>(
        &mut self,
        mut doing: Pin<&mut impl Future<Output = T>>,
    ) -> Heard<T, S::Resume, S::Exit> {
        // However much a session has to tell: others have their turn, and an abort takes effect.
        tokio::task::consume_budget().await;
        let control = self.control.clone();
        let mut order = pin!(control.order(self.is_paused()));
        poll_fn(|cx| {
            if let Poll::Ready(order) = order.as_mut().poll(cx) {
                return Poll::Ready(Heard::Order(order));
            }
            if let Poll::Ready(told) = self.sessions.poll_told(cx) {
                return Poll::Ready(Heard::Told(told));
            }
            doing.as_mut().poll(cx).map(Heard::Done)
        })
        .await
    }

    /// Does what the plan needs, while no session is up, unless there is more to do than that.
    pub(super) async fn until<T>(
        &mut self,
        plan: &Plan,
        mut doing: Pin<&mut impl Future<Output = T>>,
    ) -> Result<Until<T>, Ending<S::Exit>> {
        loop {
            match self.hear(doing.as_mut()).await {
                Heard::Done(done) => return Ok(Until::Done(done)),
                Heard::Order(Order::Stop(close)) => return Err(Ending::Shutdown(close)),
                Heard::Order(Order::Pause) => {
                    self.paused_at = Some(Instant::now());
                    return Ok(Until::Paused);
                }
                Heard::Order(Order::Unpause) => self.unpause(),
                Heard::Order(Order::Kick(directive)) => {
                    match self.more(plan, &directive, Urgency::Kick, Cause::kicked())? {
                        Some(instead) => return Ok(Until::Instead(instead)),
                        // It would have this wait longer, rather than shorter.
                        None if directive.after.is_some() => {}
                        None => return Ok(Until::Hurry),
                    }
                }
                Heard::Told(told) => {
                    let advice = self.leaving(told)?;
                    self.show_again(plan);
                    if let Some(advice) = advice {
                        if let Some(instead) = self.advised(plan, &advice)? {
                            return Ok(Until::Instead(instead));
                        }
                    }
                }
            }
        }
    }

    /// As [`until`](Self::until), for what is being done as fast as can be.
    pub(super) async fn attend<T>(
        &mut self,
        plan: &Plan,
        mut doing: Pin<&mut impl Future<Output = T>>,
    ) -> Result<Until<T>, Ending<S::Exit>> {
        loop {
            match self.until(plan, doing.as_mut()).await? {
                Until::Hurry => {}
                until => return Ok(until),
            }
        }
    }

    /// The plan for a directive that says more than what is being done.
    fn more(
        &mut self,
        plan: &Plan,
        directive: &Directive,
        urgency: Urgency,
        cause: Cause,
    ) -> Result<Option<Plan>, Ending<S::Exit>> {
        let is_more = match directive.kind {
            // It says to leave where one is, or where to go.
            Kind::Go(_) if directive.excludes => true,
            Kind::Go(step) if step == plan.step && directive.to.is_some() => step >= Step::Migrate,
            Kind::Go(step) => step >= Step::Migrate && step > plan.step,
            Kind::Stop(_) => true,
        };
        if is_more {
            return self.go(directive, urgency, cause, None).map(Some);
        }
        if directive.keeps == Some(false) {
            self.token = None;
            self.heeds_token = false;
        }
        Ok(None)
    }

    /// As [`more`](Self::more), for what a session advises that is about to be left.
    pub(super) fn advised(
        &mut self,
        plan: &Plan,
        advice: &Directive,
    ) -> Result<Option<Plan>, Ending<S::Exit>> {
        // It speaks of its own region, not of the one that is dialed instead.
        let mut advice = advice.clone();
        if std::mem::take(&mut advice.excludes) {
            if let Some(open) = self.sessions.serving() {
                self.course.exclude(&open.region, Instant::now());
            }
        }
        self.more(plan, &advice, Urgency::Advice, Cause::advised())
    }

    /// Takes note of what a session tells that is about to be left. What it advises may be more than
    /// that.
    pub(super) fn leaving(
        &mut self,
        told: Told<S::Resume, S::Exit>,
    ) -> Result<Option<Directive>, Ending<S::Exit>> {
        let now = Instant::now();
        match told {
            Told::Leaving(Event::Resume(token)) if self.heeds_token => self.token = Some(token),
            Told::Leaving(Event::ResumeWindow(time)) => self.window = Some(time),
            Told::Leaving(Event::Advice(directive)) => {
                if let Some(within) = directive.within {
                    self.sessions.hurry(after(now, within));
                }
                // That its region is to be left says nothing of the one that is dialed instead.
                return Ok(Some(directive).filter(|advice| advice.kind > Kind::Go(Step::Migrate)));
            }
            Told::Leaving(Event::Closed(exit)) => {
                let was = self.sessions.serving();
                let ran = was.map(|open| now.saturating_duration_since(open.since));
                let healthy = was.is_some_and(|open| open.is_healthy);
                self.teller.live(None);
                self.sessions.left();
                self.course.ended(self.window, now);
                let exit = Arc::new(exit);
                // It was to be left anyway. Only that there is to be no session at all still counts.
                let directive = (self.classifier)(Outcome::Exited {
                    exit: &*exit,
                    ran: ran.unwrap_or_default(),
                    healthy,
                    leaving: true,
                });
                if let Kind::Stop(how) = directive.kind {
                    self.cause = Some(Cause::exited(exit.clone()).because(directive.reason));
                    return Err(Ending::Stop(how, Some(exit)));
                }
            }
            Told::Left => {
                self.teller.live(None);
                self.course.ended(self.window, now);
            }
            Told::Leaving(_) | Told::Event(_) => {}
        }
        Ok(None)
    }
}
