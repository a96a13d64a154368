use std::{fmt, sync::Arc};

use tokio::{sync::watch, time::Instant};
use tower_service::Service;

use super::{
    AlwaysRetry, Attempt, Classify, Directive, Handle, InvalidSettings, Outcome, Phase, Session,
    Settings, Status, Targets,
    control::Control,
    course::Course,
    handle::Shown,
    task::{Task, Teller},
};
use crate::BoxError;

/// Keeps a session up: connects, watches, and connects again where it belongs.
///
/// The connector is a tower service that is called with an [`Attempt`] and answers with a [`Session`]; it
/// is polled for readiness before each call, one call at a time.
///
/// # Examples
///
/// A session over TCP that lasts until the server hangs up, in the nearest region that accepts it:
///
/// ```no_run
/// use tokio::{io::AsyncReadExt, net::TcpStream};
/// use tower::service_fn;
/// use tower_failover::{Regions, session::{Attempt, Directive, Outcome, Supervisor}};
///
/// # async fn doc() -> Result<(), Box<dyn std::error::Error>> {
/// let regions = Regions::fixed(["https://eu.example.com:7000", "https://us.example.com:7000"])?;
/// let connector = service_fn(|attempt: Attempt| async move {
///     let at = attempt.region.origin();
///     let mut stream = TcpStream::connect(format!("{}:{}", at.host(), at.port())).await?;
///     Ok::<_, std::io::Error>(async move {
///         let mut bytes = [0; 1024];
///         while stream.read(&mut bytes).await? > 0 {}
///         Ok::<_, std::io::Error>(())
///     })
/// });
/// let handle = Supervisor::new(regions, connector)
///     .classifier(|outcome| match outcome {
///         Outcome::Exited { exit: Ok(()), .. } => Directive::resume(),
///         _ => Directive::retry(),
///     })
///     .start()?;
/// let live = handle.established().await?;
/// println!("up in {}", live.region);
/// # Ok(())
/// # }
/// ```
#[must_use = "a supervisor does nothing before it is started"]
pub struct Supervisor<C, F = AlwaysRetry> {
    targets: Targets,
    connector: C,
    classifier: F,
    settings: Settings,
    seed: Option<u64>,
}

impl<C> Supervisor<C> {
    /// A supervisor with default settings, of sessions that this connector brings up in these
    /// [targets](Targets): [`Regions`](crate::Regions), or what a
    /// [`FailoverLayer`](crate::FailoverLayer) knows of them.
    pub fn new(targets: impl Into<Targets>, connector: C) -> Self {
        Self {
            targets: targets.into(),
            connector,
            classifier: AlwaysRetry,
            settings: Settings::default(),
            seed: None,
        }
    }
}

impl<C, F> Supervisor<C, F> {
    /// Sets what to do when an attempt fails or a session ends. It is a pure function; see [`Outcome`].
    ///
    /// Write it in place, or as a `fn`. A closure that is bound by `let` first has to give its argument's
    /// type, as in `|outcome: Outcome<'_, E, X>|`, or it does not compile here.
    ///
    /// # Defaults
    ///
    /// [`Directive::retry`], whatever it was.
    pub fn classifier<R, S, G>(self, classifier: G) -> Supervisor<C, G>
    where
        C: Service<Attempt<R>, Response = S>,
        S: Session<Resume = R>,
        G: Fn(Outcome<'_, C::Error, S::Exit>) -> Directive,
    {
        Supervisor {
            targets: self.targets,
            connector: self.connector,
            classifier,
            settings: self.settings,
            seed: self.seed,
        }
    }

    /// Sets waits and budgets.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets the seed of all that is left to chance: waits, and regions that are coming back.
    ///
    /// # Defaults
    ///
    /// Random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Starts the supervisor on the Tokio runtime of the caller.
    ///
    /// # Errors
    ///
    /// When a setting cannot be used.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime, as `tokio::spawn` does.
    pub fn start<R, S>(self) -> Result<Handle<S::Exit, S::Client>, InvalidSettings>
    where
        C: Service<Attempt<R>, Response = S> + Send + 'static,
        C::Error: Into<BoxError> + Send,
        C::Future: Send,
        S: Session<Resume = R> + Send + 'static,
        S::Exit: fmt::Debug + Send + Sync + 'static,
        S::Client: Send + Sync + 'static,
        R: Clone + Send + 'static,
        F: Classify<C::Error, S::Exit> + Send + 'static,
    {
        let limits = self.settings.limits()?;
        let control = Arc::<Control>::default();
        let (status, status_shown) = watch::channel(Status {
            phase: Phase::Connecting,
            region: None,
            epoch: 0,
            attempt: 0,
            cause: None,
            since: Instant::now(),
            next_at: None,
        });
        let (live, live_shown) = watch::channel(None);
        let (end, end_shown) = watch::channel(None);
        let rng = self
            .seed
            .map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let teller = Teller::new(status, live, end);
        let course = Course::new(limits);
        let classifier = self.classifier;
        let classifier = Box::new(move |outcome: Outcome<'_, _, _>| classifier.classify(outcome));
        let task = Task::new(course, control.clone(), teller, classifier, rng);
        let task = tokio::spawn(task.run(self.targets, self.connector));
        let shown = Shown {
            status: status_shown,
            live: live_shown,
            end: end_shown,
        };
        Ok(Handle::new(control, shown, task.abort_handle()))
    }
}

impl<C, F> fmt::Debug for Supervisor<C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("targets", &self.targets)
            .field("settings", &self.settings)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
