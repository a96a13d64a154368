//! A call on a media server, in the way of Stream Video: a coordinator assigns the server and hears which
//! ones failed, and the server says what to do when it cannot go on.

use std::{future::Future, time::Duration};

use tokio::time::interval;
use tower::service_fn;
use tower_failover::{
    Backoff, BoxError, Discovery, Jitter, Query, Region, RegionList, Regions,
    error::InvalidRegion,
    session::{
        Attempt, Close, Directive, Handle, InvalidSettings, Link, Outcome, Session, Settings, Step,
        Supervisor, Targets, session_fn,
    },
};

use super::lines::{Fault, Lines};

const PING: Duration = Duration::from_millis(300);
/// How long a server may leave pings without an answer.
pub(crate) const SILENCE: Duration = Duration::from_secs(1);
/// For how long a server keeps a session that lost its connection.
pub(crate) const RESUME_WINDOW: Duration = Duration::from_secs(10);

/// The program uses a session by its id.
pub(crate) type Call = Handle<Result<(), Fault>, String>;

/// The servers that the coordinator assigns.
pub(crate) fn servers<A, F>(coordinator: &str, assign: A) -> Result<Targets, InvalidRegion>
where
    A: Fn(Query) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<RegionList, BoxError>> + Send + 'static,
{
    let discovery = Discovery::service(service_fn(assign));
    Targets::from(Regions::discover(discovery)).coordinator(coordinator)
}

pub(crate) fn settings() -> Settings {
    let pause = Duration::from_millis(500);
    Settings::new()
        .backoff(Backoff::exponential(pause, pause).jitter(Jitter::Equal))
        .resume_window(RESUME_WINDOW)
        .total_attempts(10)
        .give_up_after(Duration::from_secs(30))
}

pub(crate) fn join(servers: Targets, settings: Settings) -> Result<Call, InvalidSettings> {
    Supervisor::new(servers, service_fn(connect))
        .classifier(classify)
        .settings(settings)
        .start()
}

pub(crate) fn classify(outcome: Outcome<'_, Fault, Result<(), Fault>>) -> Directive {
    let Some(fault) = outcome.error() else {
        return Directive::resume();
    };
    let directive = match fault {
        Fault::Full => Directive::migrate(),
        Fault::Busy(time) => Directive::retry().after(*time),
        Fault::Unauthorized => Directive::fail(),
        // Where it was, and after the third time elsewhere.
        Fault::Silent | Fault::Bye(_) | Fault::Io(_) => Directive::resume(),
    };
    directive.because(fault.to_string())
}

pub(crate) fn advised(advice: &str) -> Directive {
    match advice {
        "DISCONNECT" => Directive::finish(),
        "MIGRATE" => Directive::migrate(),
        // The new session has an id of its own, and tells the old one.
        "REJOIN" => Directive::rejoin().keep_resume(),
        _ => Directive::resume(),
    }
    .because(advice.to_owned())
}

async fn connect(
    attempt: Attempt<String>,
) -> Result<impl Session<Resume = String, Exit = Result<(), Fault>, Client = String>, Fault> {
    let id = attempt.resume.as_deref();
    let (id, from) = match attempt.step {
        Step::Rejoin => (None, id),
        Step::Migrate => (id, attempt.previous.as_ref().map(Region::name)),
        _ => (id, None),
    };
    let (lines, id) = Lines::join(&attempt.region, id, from).await?;
    Ok(session_fn(id.clone(), |link| run(lines, link, id)))
}

async fn run(mut lines: Lines, mut link: Link<String>, id: String) -> Result<(), Fault> {
    link.resume(id);
    let mut pings = interval(PING);
    loop {
        tokio::select! {
            line = lines.next(SILENCE) => match line?.split(' ').collect::<Vec<_>>()[..] {
                ["ADVICE", advice] => link.advise(advised(advice)),
                ["GOAWAY", ..] => link.advise(Directive::migrate().because("go away")),
                _ => {}
            },
            _ = pings.tick() => lines.say("ECHO ping").await?,
            close = link.closing() => return match close {
                Close::Superseded | Close::Shutdown { .. } => lines.part("LEAVE").await,
                // It goes on, by its id.
                _ => Ok(()),
            },
        }
    }
}
