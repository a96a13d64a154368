//! A session that is up.

use std::{future::pending, pin::pin, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{
    super::{
        Cause, Close, Directive, Event, Live, Outcome, Phase, Step,
        control::Order,
        course::{FLOOR, Plan, Urgency},
        directive::Kind,
        report,
        sessions::Told,
    },
    Ending, Kept, Task,
    hear::Heard,
};
use crate::{BoxError, region::Region, time::after};

impl<S: Kept, E: Into<BoxError>> Task<S, E> {
    /// Watches the session that is up, until it is over or to be left.
    pub(super) async fn serve(
        &mut self,
        session: S,
        region: Region,
    ) -> Result<Plan, Ending<S::Exit>> {
        let since = Instant::now();
        self.epoch += 1;
        self.heeds_token = true;
        self.session_at = Some(region.clone());
        report::connected(&region, self.epoch);
        let client = self.sessions.begin(session, region.clone(), since);
        self.course.connected();
        self.teller.live(Some(Live {
            client,
            region,
            epoch: self.epoch,
        }));
        self.show(Phase::Connected, None);

        let mut healthy_at = after(since, self.course.limits().healthy_after.max(FLOOR));
        let mut is_healthy = false;
        self.window = None;
        loop {
            let heard = match is_healthy {
                false => self.hear(pin!(sleep_until(healthy_at))).await,
                true => self.hear(pin!(pending())).await,
            };
            // What it tells may come at the same time.
            if !is_healthy && Instant::now() >= healthy_at {
                is_healthy = true;
                self.sessions.healthy();
                self.course.healthy();
                self.cause = None;
                self.show(Phase::Connected, None);
            }
            match heard {
                Heard::Done(()) => {}
                Heard::Order(Order::Stop(close)) => return Err(Ending::Shutdown(close)),
                Heard::Order(Order::Pause) => self.paused_at = Some(Instant::now()),
                Heard::Order(Order::Unpause) => self.unpause(),
                Heard::Order(Order::Kick(directive)) => {
                    return self.depart(&directive, Urgency::Kick);
                }
                Heard::Told(Told::Event(event)) => match event {
                    Event::Resume(token) => self.token = Some(token),
                    Event::ResumeWindow(time) => self.window = Some(time),
                    Event::HealthyAfter(time) => healthy_at = after(since, time.max(FLOOR)),
                    Event::Advice(directive) => {
                        let urgency = match is_healthy {
                            true => Urgency::Advice,
                            // A server that sends everybody on is no better than one that fails.
                            false => Urgency::Failure,
                        };
                        return self.depart(&directive, urgency);
                    }
                    Event::Closed(exit) => {
                        let now = Instant::now();
                        self.teller.live(None);
                        self.sessions.end();
                        self.forgive_pause();
                        self.course.ended(self.window, now);
                        return self.exited(exit, now.saturating_duration_since(since), is_healthy);
                    }
                },
                // The session before this one is being closed, and has no more to say.
                Heard::Told(Told::Leaving(_) | Told::Left) => {}
            }
        }
    }

    /// The session that was up is over.
    pub(super) fn exited(
        &mut self,
        exit: S::Exit,
        ran: Duration,
        healthy: bool,
    ) -> Result<Plan, Ending<S::Exit>> {
        let exit = Arc::new(exit);
        let directive = (self.classifier)(Outcome::Exited {
            exit: &*exit,
            ran,
            healthy,
            leaving: false,
        });
        let cause = Cause::exited(exit.clone());
        self.go(&directive, Urgency::Failure, cause, Some(exit))
    }

    /// Leaves the session that is up, because it or the program says so.
    pub(super) fn depart(
        &mut self,
        directive: &Directive,
        urgency: Urgency,
    ) -> Result<Plan, Ending<S::Exit>> {
        let now = Instant::now();
        let cause = match urgency {
            Urgency::Kick => Cause::kicked(),
            Urgency::Advice | Urgency::Failure | Urgency::Covered => Cause::advised(),
        };
        self.forgive_pause();
        let drain = self.course.limits().drain;
        let overlap = match directive.kind {
            Kind::Go(step)
                if step == Step::Migrate || step < Step::Migrate && directive.excludes =>
            {
                directive.within.map_or(drain, |within| within.min(drain))
            }
            Kind::Go(_) | Kind::Stop(_) => Duration::ZERO,
        };
        if let Kind::Go(_) = directive.kind {
            // As far as is known now: it may be over before.
            self.course.ended(self.window, after(now, overlap));
        }
        let plan = self.go(directive, urgency, cause, None)?;
        if !overlap.is_zero() {
            self.sessions.leave(after(now, overlap));
        } else {
            self.sessions.close(
                match plan.keeps_token {
                    true => Close::Interrupted,
                    false => Close::Superseded,
                },
                now,
            );
            self.teller.live(None);
        }
        Ok(plan)
    }
}
