//! F: a watch with a lease, of which the policy is here; the watch itself has tests of its own.

mod next;

use std::time::Duration;

use tower_failover::{
    Backoff, Jitter,
    session::{Directive, Event, Outcome, Phase, Settings},
};

use super::{dialed, start};
use crate::support::{Exit, MS, Play::*, Refused, SECOND, Script, regions, until};

const PAUSE: Duration = Duration::from_secs(30);

fn classify(outcome: Outcome<'_, Refused, Exit>) -> Directive {
    let conflict = || Directive::retry().after(PAUSE).drop_resume();
    match outcome {
        Outcome::ConnectFailed(Refused("unauthorized")) => Directive::fail(),
        Outcome::ConnectFailed(Refused("conflict")) => conflict(),
        Outcome::ConnectFailed(Refused("wrong content type")) => Directive::retry().after(PAUSE),
        Outcome::Exited { exit, healthy, .. } => match *exit {
            "wake" => Directive::finish(),
            "stream ended" | "read timeout" | "heartbeat failed" => Directive::resume().soft(),
            "stream error" if healthy => Directive::resume().soft(),
            "heartbeat conflict" => conflict(),
            "heartbeat gone" => Directive::resume().drop_resume().soft(),
            "heartbeat unauthorized" => Directive::fail(),
            _ => Directive::retry(),
        },
        _ => Directive::retry(),
    }
}

fn settings() -> Settings {
    let backoff = Backoff::exponential(SECOND, PAUSE).jitter(Jitter::None);
    Settings::new().backoff(backoff).per_target_attempts(0)
}

/// F01.
#[tokio::test(start_paused = true)]
async fn waits_double_up_to_their_cap() {
    let script = Script::new([Refuse("eof")]);
    let _handle = start(&script, regions("a"), settings(), classify);
    dialed(&script, 21).await;
    let mut expected = vec![1000, 2000, 4000, 8000, 16_000];
    expected.resize(20, 30_000);
    assert_eq!(script.gaps(), expected, "F01");
}

/// F02, the half about the lease: the next one takes its place. The other half is by our choice another
/// one: a hello alone does not reset the waits, nor is a clean end free of them (F09, F10; FW1, FW2).
#[tokio::test(start_paused = true)]
async fn a_hello_brings_a_new_lease_but_no_new_patience() {
    let brief = UpFor(100 * MS, "stream ended");
    let script = Script::new(vec![brief; 5]);
    let handle = start(&script, regions("a"), settings(), classify);
    let mut status = handle.status();
    for n in 0..5 {
        let up = status.wait_for(|status| status.epoch == n + 1).await;
        assert_eq!(up.unwrap().phase, Phase::Connected);
        script.tell(n as usize, Event::Resume(n as u32));
    }
    dialed(&script, 6).await;
    let leases: Vec<_> = script.dials().iter().map(|d| d.attempt.resume).collect();
    assert_eq!(
        leases,
        [None, Some(0), Some(1), Some(2), Some(3), Some(4)],
        "F02"
    );
    assert_eq!(
        script.gaps(),
        [100, 1100, 2100, 4100, 8100],
        "F02, F09, F10"
    );
}

/// F09, F17: what most likely lasts a moment is told as such, until it proves otherwise (FW10).
#[tokio::test(start_paused = true)]
async fn a_soft_reconnect_is_told_as_one_until_it_fails() {
    let slow = After(SECOND, Box::new(Refuse("eof")));
    let script = Script::new([UpFor(60 * SECOND, "read timeout"), slow, Up]);
    let handle = start(&script, regions("a"), settings(), classify);
    let mut status = handle.status();
    let mut phases = vec![];
    for phase in [
        Phase::Connected,
        Phase::Degraded,
        Phase::Waiting,
        Phase::Connected,
    ] {
        phases.push(until(&mut status, phase).await.since);
    }
    let waits: Vec<_> = phases
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs())
        .collect();
    assert_eq!(waits, [60, 1, 1], "F09, F17");
}
