//! One attempt.

use std::{future::poll_fn, pin::pin, time::Duration};

use tokio::time::{Instant, timeout_at};
use tower_service::Service;

use super::{
    super::{
        Attempt, Cause, NoRegion, Outcome, Phase, Step, Targets,
        course::{Plan, Urgency},
        report,
    },
    Ending, Kept, Task,
    hear::Until,
};
use crate::{BoxError, region::Region, time::after};

/// What came of an attempt.
pub(super) enum Dialed<S, E> {
    Up(S, Region),
    Failed(Fault<E>),
    /// Something else is to be done.
    Instead(Plan),
}

/// How an attempt failed.
pub(super) enum Fault<E> {
    Connect(E),
    TimedOut,
    NoRegion(NoRegion),
}

impl<S: Kept, E: Into<BoxError>> Task<S, E> {
    /// Makes one attempt.
    pub(super) async fn dial<C>(
        &mut self,
        plan: &Plan,
        targets: &Targets,
        connector: &mut C,
    ) -> Result<Dialed<S, E>, Ending<S::Exit>>
    where
        C: Service<Attempt<S::Resume>, Response = S, Error = E>,
    {
        let now = Instant::now();
        let deadline = after(now, self.course.limits().attempt_timeout);
        // The last session is what is left, wherever was dialed since.
        let previous = self.session_at.clone().or_else(|| self.at.clone());
        self.dialed_at = Some(now);
        let excluded = self.course.excluded(now);
        self.course.begin(plan);
        self.show_way(Phase::Connecting, plan, None);

        let draw = self.rng.f64();
        let (left, said) = (previous.as_ref(), self.at.clone());
        let pick = targets.pick(&plan.pick, &excluded, left, said.as_ref(), draw);
        let region = match self.attend(plan, pin!(timeout_at(deadline, pick))).await? {
            Until::Done(Ok(Ok(region))) => region,
            Until::Done(Ok(Err(error))) => return Ok(Dialed::Failed(Fault::NoRegion(error))),
            Until::Done(Err(_)) => return Ok(Dialed::Failed(Fault::TimedOut)),
            Until::Instead(plan) => return Ok(Dialed::Instead(plan)),
            Until::Paused | Until::Hurry => return Ok(Dialed::Instead(self.put_off(plan, None))),
        };

        self.course.dial(&region);
        // To find the region may have taken its time.
        self.dialed_at = Some(Instant::now());
        let before = self.at.replace(region.clone());
        self.show_way(Phase::Connecting, plan, None);
        let is_same = before.as_ref() == Some(&region);
        let attempt = Attempt {
            region: region.clone(),
            number: self.course.attempts(),
            epoch: self.epoch + 1,
            // What was to be another region is none where there is no other.
            step: match plan.step {
                Step::Migrate if plan.is_escalated && is_same => Step::Retry,
                step => step,
            },
            cause: self.cause.clone(),
            resume: self.token.clone(),
            previous,
            excluded,
            deadline,
        };
        report::connecting(attempt.number, &region, attempt.step);
        let connect = timeout_at(deadline, connect(connector, attempt));
        Ok(match self.attend(plan, pin!(connect)).await? {
            Until::Done(Ok(Ok(session))) => Dialed::Up(session, region),
            Until::Done(Ok(Err(error))) => Dialed::Failed(Fault::Connect(error)),
            Until::Done(Err(_)) => Dialed::Failed(Fault::TimedOut),
            Until::Instead(plan) => Dialed::Instead(plan),
            Until::Paused | Until::Hurry => {
                self.at = before;
                Dialed::Instead(self.put_off(plan, Some(&region)))
            }
        })
    }

    /// The same plan, for when the pause is over.
    pub(super) fn put_off(&mut self, plan: &Plan, dialed: Option<&Region>) -> Plan {
        self.course.take_back(dialed);
        Plan {
            wait: Duration::ZERO,
            ..plan.clone()
        }
    }

    /// An attempt failed.
    pub(super) fn failed(&mut self, fault: Fault<E>) -> Result<Plan, Ending<S::Exit>> {
        let directive = (self.classifier)(match &fault {
            Fault::Connect(error) => Outcome::ConnectFailed(error),
            Fault::TimedOut => Outcome::TimedOut,
            Fault::NoRegion(error) => Outcome::NoRegion(error),
        });
        let cause = match fault {
            Fault::Connect(error) => Cause::connect_failed(error),
            Fault::TimedOut => Cause::timed_out(),
            Fault::NoRegion(error) => Cause::no_region(error),
        };
        let urgency = match self.sessions.is_leaving() {
            true => Urgency::Covered,
            false => Urgency::Failure,
        };
        self.go(&directive, urgency, cause, None)
    }
}

async fn connect<C, R>(connector: &mut C, attempt: Attempt<R>) -> Result<C::Response, C::Error>
where
    C: Service<Attempt<R>>,
{
    poll_fn(|cx| connector.poll_ready(cx)).await?;
    connector.call(attempt).await
}
