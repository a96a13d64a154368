//! The supervisor at work: it waits, dials and watches, and goes on as the [`Course`] says.

mod ending;
mod hear;
mod teller;

use std::{fmt, future::pending, pin::pin, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until, timeout_at};
use tower_service::Service;

pub(super) use self::teller::Teller;
use self::{
    ending::Ending,
    hear::{Heard, Until},
};
use super::{
    Attempt, Cause, Close, Directive, Event, Live, NoRegion, Outcome, Phase, Session, Step,
    Targets,
    control::{Control, Order},
    course::{Course, FLOOR, Plan, Urgency},
    directive::Kind,
    report,
    sessions::{Sessions, Told},
};
use crate::{BoxError, region::Region, time::after};

/// The classifier, whatever its type.
pub(super) type Classifier<E, X> = Box<dyn Fn(Outcome<'_, E, X>) -> Directive + Send>;

/// What a supervisor knows. `E` is what its connector fails with.
pub(super) struct Task<S: Session, E> {
    course: Course,
    control: Arc<Control>,
    teller: Teller<S::Exit, S::Client>,
    classifier: Classifier<E, S::Exit>,
    rng: fastrand::Rng,
    sessions: Sessions<S>,
    token: Option<S::Resume>,
    /// Whether the session that is about to be left may tell another one.
    heeds_token: bool,
    /// Where the session is, or went last.
    at: Option<Region>,
    cause: Option<Cause>,
    epoch: u64,
    /// When the last attempt began.
    dialed_at: Option<Instant>,
    /// Since when nothing is dialed because of a pause.
    paused_at: Option<Instant>,
    /// What is being done for the plan at hand, and when it is over.
    way: (Phase, Option<Instant>),
}

/// What came of an attempt.
enum Dialed<S, E> {
    Up(S, Region),
    Failed(Fault<E>),
    /// Something else is to be done.
    Instead(Plan),
}

/// How an attempt failed.
enum Fault<E> {
    Connect(E),
    TimedOut,
    NoRegion(NoRegion),
}

impl<S, E> Task<S, E>
where
    S: Session,
    S::Resume: Clone,
    S::Exit: fmt::Debug + Send + Sync + 'static,
    E: Into<BoxError>,
{
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
            heeds_token: true,
            at: None,
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

    /// Waits until it is time for the plan, unless another one takes its place.
    async fn wait(&mut self, plan: &Plan) -> Result<Option<Plan>, Ending<S::Exit>> {
        let mut at = after(Instant::now(), plan.wait);
        report::waiting(plan.step, plan.wait);
        loop {
            if self.is_paused() {
                let left = at.saturating_duration_since(Instant::now());
                if let Some(instead) = self.pause(plan).await? {
                    return Ok(Some(instead));
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
                Until::Instead(mut instead) => {
                    let left = at.saturating_duration_since(Instant::now());
                    if plan.is_fixed && left > instead.wait {
                        (instead.wait, instead.is_fixed) = (left, true);
                    }
                    return Ok(Some(instead));
                }
                Until::Paused => {}
                Until::Hurry if plan.is_fixed => {}
                Until::Hurry => at = at.min(after(Instant::now(), FLOOR)),
            }
        }
    }

    /// Makes one attempt.
    async fn dial<C>(
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
        // A session that serves on is what is left, wherever was dialed since.
        let serving = self.sessions.serving().map(|open| open.region.clone());
        let previous = serving.or_else(|| self.at.clone());
        self.dialed_at = Some(now);
        let excluded = self.course.excluded(now);
        self.course.begin(plan);
        self.show_way(Phase::Connecting, plan, None);

        let draw = self.rng.f64();
        let pick = targets.pick(&plan.pick, &excluded, previous.as_ref(), draw);
        let region = match self.attend(plan, pin!(timeout_at(deadline, pick))).await? {
            Until::Done(Ok(Ok(region))) => region,
            Until::Done(Ok(Err(error))) => return Ok(Dialed::Failed(Fault::NoRegion(error))),
            Until::Done(Err(_)) => return Ok(Dialed::Failed(Fault::TimedOut)),
            Until::Instead(plan) => return Ok(Dialed::Instead(plan)),
            Until::Paused | Until::Hurry => return Ok(Dialed::Instead(self.put_off(plan, None))),
        };

        self.course.dial(&region);
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
    fn put_off(&mut self, plan: &Plan, dialed: Option<&Region>) -> Plan {
        self.course.take_back(dialed);
        Plan {
            wait: Duration::ZERO,
            ..plan.clone()
        }
    }

    /// How long after the last attempt it is too early for the next.
    fn breath(&self) -> Duration {
        let spent = self.dialed_at.map(|at| at.elapsed());
        spent.map_or(Duration::ZERO, |spent| FLOOR.saturating_sub(spent))
    }

    /// An attempt failed.
    fn failed(&mut self, fault: Fault<E>) -> Result<Plan, Ending<S::Exit>> {
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
        self.go(&directive, Urgency::Failure, cause, None)
    }

    /// Watches the session that is up, until it is over or to be left.
    async fn serve(&mut self, session: S, region: Region) -> Result<Plan, Ending<S::Exit>> {
        let since = Instant::now();
        self.epoch += 1;
        self.heeds_token = true;
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
        let mut window = None;
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
                    return self.depart(&directive, Urgency::Kick, window);
                }
                Heard::Told(Told::Event(event)) => match event {
                    Event::Resume(token) => self.token = Some(token),
                    Event::ResumeWindow(time) => window = Some(time),
                    Event::HealthyAfter(time) => healthy_at = after(since, time.max(FLOOR)),
                    Event::Advice(directive) => {
                        let urgency = match is_healthy {
                            true => Urgency::Advice,
                            // A server that sends everybody on is no better than one that fails.
                            false => Urgency::Failure,
                        };
                        return self.depart(&directive, urgency, window);
                    }
                    Event::Closed(exit) => {
                        let now = Instant::now();
                        self.sessions.end();
                        self.teller.live(None);
                        self.forgive_pause();
                        self.course.ended(window, now);
                        return self.exited(exit, now.saturating_duration_since(since), is_healthy);
                    }
                },
                // The session before this one is being closed, and has no more to say.
                Heard::Told(Told::Leaving(_) | Told::Left) => {}
            }
        }
    }

    /// The session that was up is over.
    fn exited(
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
    fn depart(
        &mut self,
        directive: &Directive,
        urgency: Urgency,
        window: Option<Duration>,
    ) -> Result<Plan, Ending<S::Exit>> {
        let now = Instant::now();
        let cause = match urgency {
            Urgency::Kick => Cause::kicked(),
            Urgency::Advice | Urgency::Failure => Cause::advised(),
        };
        self.forgive_pause();
        let drain = self.course.limits().drain;
        let overlap = match directive.kind {
            Kind::Go(Step::Migrate) => directive.within.map_or(drain, |within| within.min(drain)),
            Kind::Go(_) | Kind::Stop(_) => Duration::ZERO,
        };
        if let Kind::Go(_) = directive.kind {
            self.course.ended(window, after(now, overlap));
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

    /// Shows what is being done for a plan.
    fn show_way(&mut self, phase: Phase, plan: &Plan, next_at: Option<Instant>) {
        self.way = (phase, next_at);
        self.show_again(plan);
    }

    /// Shows it as it is now that something else has changed.
    fn show_again(&mut self, plan: &Plan) {
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

    fn show(&mut self, phase: Phase, next_at: Option<Instant>) {
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

    /// Ends the sessions that are open, and says how it ended.
    async fn end(mut self, ending: Ending<S::Exit>) {
        let close = ending.close();
        self.forgive_pause();
        let end = ending.result(&self.course, self.cause.take());
        self.teller.live(None);
        self.sessions.close_all(close).await;
        report::over(end.as_ref().err());
        self.teller.end(end);
    }
}

async fn connect<C, R>(connector: &mut C, attempt: Attempt<R>) -> Result<C::Response, C::Error>
where
    C: Service<Attempt<R>>,
{
    std::future::poll_fn(|cx| connector.poll_ready(cx)).await?;
    connector.call(attempt).await
}
