//! A publisher's session with a media relay, in the way of Media over QUIC: one address or a list, an
//! end to trying after ten seconds, and a handover where the relay says to go.

use std::time::Duration;

use tokio::{sync::mpsc, time::timeout};
use tower::service_fn;
use tower_failover::{
    Backoff, Jitter, Region,
    session::{
        Attempt, Close, Directive, Handle, InvalidSettings, Link, Outcome, Session, Settings,
        Supervisor, Targets, session_fn,
    },
};

use super::lines::{Fault, Lines, millis};

/// How long a relay may say nothing: it pings several times as often.
pub(crate) const SILENCE: Duration = Duration::from_secs(1);

/// By what the program publishes, while a session is up.
pub(crate) type Frames = mpsc::Sender<String>;
/// Where it hears what the relays send, whichever it is.
pub(crate) type Received = mpsc::UnboundedSender<String>;
pub(crate) type Publisher = Handle<Result<(), Fault>, Frames>;

pub(crate) fn settings() -> Settings {
    let second = Duration::from_secs(1);
    Settings::new()
        .backoff(Backoff::exponential(second, 5 * second).jitter(Jitter::Equal))
        .healthy_after(second)
        .per_target_attempts(1) // a list is walked
        .give_up_after(10 * second)
}

pub(crate) fn publish(
    relays: impl Into<Targets>,
    settings: Settings,
    received: Received,
) -> Result<Publisher, InvalidSettings> {
    let connector = service_fn(move |attempt| connect(attempt, received.clone()));
    Supervisor::new(relays, connector)
        .classifier(classify)
        .settings(settings)
        .start()
}

/// An answer that is settled ends it all, for to ask again is no use. The rest is tried again.
pub(crate) fn classify(outcome: Outcome<'_, Fault, Result<(), Fault>>) -> Directive {
    let Some(fault) = outcome.error() else {
        return Directive::retry();
    };
    let directive = match fault {
        Fault::Unauthorized => Directive::fail(),
        Fault::Bye(status) => match status.parse::<u16>() {
            Ok(408 | 429 | 502..=504) | Err(_) => Directive::retry(),
            Ok(_) => Directive::fail(),
        },
        Fault::Busy(time) => Directive::retry().after(*time),
        Fault::Full | Fault::Silent | Fault::Io(_) => Directive::retry(),
    };
    directive.because(fault.to_string())
}

async fn connect(
    attempt: Attempt<String>,
    received: Received,
) -> Result<impl Session<Resume = String, Exit = Result<(), Fault>, Client = Frames>, Fault> {
    let from = attempt.previous.as_ref().map(Region::name);
    let (lines, token) = Lines::join(&attempt.region, attempt.resume.as_deref(), from).await?;
    let (frames, queue) = mpsc::channel(16);
    Ok(session_fn(frames, |link| {
        link.resume(token);
        run(lines, link, queue, received)
    }))
}

async fn run(
    mut lines: Lines,
    mut link: Link<String>,
    mut frames: mpsc::Receiver<String>,
    received: Received,
) -> Result<(), Fault> {
    loop {
        tokio::select! {
            line = lines.next(SILENCE) => match line?.split(' ').collect::<Vec<_>>()[..] {
                ["ECHO", frame] => drop(received.send(frame.to_owned())),
                ["GOAWAY", url, time] => link.advise(
                    Directive::migrate()
                        .to(Region::new(url, url).ok())
                        .within(millis(time))
                        .because("go away"),
                ),
                _ => {}
            },
            Some(frame) = frames.recv() => {
                // While it is being sent nothing is heard, so that must not take for ever.
                timeout(SILENCE, lines.say(format!("ECHO {frame}"))).await??;
            }
            close = link.closing() => return match close {
                Close::Superseded | Close::Shutdown { code: 0 } => lines.part("LEAVE").await,
                Close::Shutdown { code } => lines.part(format!("ABORT {code}")).await,
                // It goes on elsewhere, by its token.
                _ => Ok(()),
            },
        }
    }
}
