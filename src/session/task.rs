//! The supervisor at work: it waits, dials and watches, and goes on as the [`Course`] says.

mod dial;
mod ending;
mod hear;
mod serve;
mod show;
mod teller;
mod wait;

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::Instant;
use tower_service::Service;

pub(super) use self::teller::Teller;
use self::{dial::Dialed, ending::Ending};
use super::{
    Attempt, Cause, Directive, Outcome, Phase, Session, Targets,
    control::Control,
    course::{Course, Plan, Urgency},
    directive::Kind,
    report,
    sessions::Sessions,
};
use crate::{BoxError, region::Region};

/// The classifier, whatever its type.
pub(super) type Classifier<E, X> = Box<dyn Fn(Outcome<'_, E, X>) -> Directive + Send>;

/// What a session has to be to be kept up.
pub(super) trait Kept:
    Session<Resume: Clone, Exit: fmt::Debug + Send + Sync + 'static>
{
}

impl<S: Session<Resume: Clone, Exit: fmt::Debug + Send + Sync + 'static>> Kept for S {}

/// What a supervisor knows. `E` is what its connector fails with.
pub(super) struct Task<S: Session, E> {
    course: Course,
    control: Arc<Control>,
    teller: Teller<S::Exit, S::Client>,
    classifier: Classifier<E, S::Exit>,
    rng: fastrand::Rng,
    sessions: Sessions<S>,
    token: Option<S::Resume>,
    /// For how long it is of use after its session's end, as that told.
    window: Option<Duration>,
    /// Whether the session that is about to be left may tell another one.
    heeds_token: bool,
    /// Where the session is, or went last.
    at: Option<Region>,
    /// Where the last session is or was.
    session_at: Option<Region>,
    cause: Option<Cause>,
    epoch: u64,
    /// When the last attempt began.
    dialed_at: Option<Instant>,
    /// Since when nothing is dialed because of a pause.
    paused_at: Option<Instant>,
    /// What is being done for the plan at hand, and when it is over.
    way: (Phase, Option<Instant>),
}

impl<S: Kept, E: Into<BoxError>> Task<S, E> {
    pub(super) fn new(
        course: Course,
        control: Arc<Control>,
        teller: Teller<S::Exit, S::Client>,
        classifier: Classifier<E, S::Exit>,
        rng: fastrand::Rng,
    ) -> Self {
        let sessions = Sessions::new(course.limits().close_timeout);
        Self {
            course,
            control,
            teller,
            classifier,
            rng,
            sessions,
            token: None,
            window: None,
            heeds_token: true,
            at: None,
            session_at: None,
            cause: None,
            epoch: 0,
            dialed_at: None,
            paused_at: None,
            way: (Phase::Connecting, None),
        }
    }

    /// Keeps a session up until something ends it.
    pub(super) async fn run<C>(mut self, targets: Targets, mut connector: C)
    where
        C: Service<Attempt<S::Resume>, Response = S, Error = E>,
    {
        let mut plan = Plan::first();
        let ending = loop {
            match self.round(plan, &targets, &mut connector).await {
                Ok(next) => plan = next,
                Err(ending) => break ending,
            }
        };
        self.end(ending).await;
    }

    /// Does what is planned, up to the next plan.
    async fn round<C>(
        &mut self,
        plan: Plan,
        targets: &Targets,
        connector: &mut C,
    ) -> Result<Plan, Ending<S::Exit>>
    where
        C: Service<Attempt<S::Resume>, Response = S, Error = E>,
    {
        if let Some(instead) = self.wait(&plan).await? {
            return Ok(instead);
        }
        match self.dial(&plan, targets, connector).await? {
            Dialed::Up(session, region) => self.serve(session, region).await,
            Dialed::Failed(fault) => self.failed(fault),
            Dialed::Instead(plan) => Ok(plan),
        }
    }

    /// Goes on as the directive says, and remembers why.
    fn go(
        &mut self,
        directive: &Directive,
        urgency: Urgency,
        cause: Cause,
        exit: Option<Arc<S::Exit>>,
    ) -> Result<Plan, Ending<S::Exit>> {
        let cause = cause.because(directive.reason.clone());
        report::interrupted(self.at.as_ref(), &cause);
        self.cause = Some(cause);
        let step = match directive.kind {
            Kind::Go(step) => step,
            Kind::Stop(how) => return Err(Ending::Stop(how, exit)),
        };
        let (now, draw) = (Instant::now(), self.rng.f64());
        let at = self.at.as_ref();
        let plan = self
            .course
            .decide((step, directive), at, urgency, now, draw);
        let mut plan = plan.map_err(Ending::Spent)?;
        if urgency == Urgency::Kick {
            plan.wait = plan.wait.max(self.breath());
        }
        if !plan.keeps_token {
            self.token = None;
            self.heeds_token = false;
        }
        Ok(plan)
    }

    /// Ends the sessions that are open, and says how it ended.
    async fn end(mut self, ending: Ending<S::Exit>) {
        let close = ending.close();
        self.forgive_pause();
        let end = ending.result(&self.course, self.cause.clone());
        self.teller.live(None);
        if self.sessions.is_any_open() {
            self.show(Phase::Closing, None);
            self.sessions.close_all(close).await;
        }
        report::over(end.as_ref().err());
        self.teller.end(end);
    }
}
