//! S: servers say how a client is to come back, and a coordinator says where to.

mod excluded;
mod moves;
mod rejoin;

use tower_failover::{
    Backoff, Jitter,
    session::{Directive, Outcome, Settings},
};

use crate::support::{Exit, MS, Refused, SECOND};

/// What a server wants, by its name in the protocol.
fn strategy(name: &'static str) -> Directive {
    let directive = match name {
        "MIGRATE" | "SFU_FULL" | "GO_AWAY" => Directive::migrate(),
        // The server wants to know which session this one takes the place of.
        "REJOIN" | "PEER_STALE" => Directive::rejoin().keep_resume(),
        "DISCONNECT" => Directive::finish(),
        // "FAST", "UNSPECIFIED", the loss of events, a server that closes.
        _ => Directive::resume(),
    };
    directive.because(name)
}

fn classify(outcome: Outcome<'_, Refused, Exit>) -> Directive {
    match outcome {
        Outcome::ConnectFailed(Refused(name)) => strategy(name),
        Outcome::Exited { exit, .. } => strategy(exit),
        // The coordinator has no place for the session.
        Outcome::NoRegion(_) => Directive::fail(),
        _ => Directive::resume(),
    }
}

fn settings() -> Settings {
    let backoff = Backoff::exponential(500 * MS, 500 * MS).factor(1.0);
    Settings::new()
        .backoff(backoff.jitter(Jitter::None))
        .resume_window(10 * SECOND)
        .per_target_attempts(3)
        .total_attempts(10)
        .give_up_after(30 * SECOND)
}

#[test]
fn each_strategy_is_a_directive() {
    let resume = Directive::resume;
    let rejoin = || Directive::rejoin().keep_resume();
    let rows: [(&str, Exit, Directive); 12] = [
        (
            "S01, S02, S11, S23: counted by the target",
            "UNSPECIFIED",
            resume(),
        ),
        ("S04, S28: a lost event is no error", "EVENT_LOST", resume()),
        ("S09, S10, S24", "MIGRATE", Directive::migrate()),
        ("S10: code 700", "SFU_FULL", Directive::migrate()),
        ("a server that shuts down", "GO_AWAY", Directive::migrate()),
        ("S12, S25", "REJOIN", rejoin()),
        ("S32", "PEER_STALE", rejoin()),
        ("S14, S26; S29: whatever the network is", "FAST", resume()),
        ("S13, S27", "DISCONNECT", Directive::finish()),
        (
            "S30, online: upstream does nothing for ever",
            "1002",
            resume(),
        ),
        ("S31, offline: likewise", "1002", resume()),
        ("a close without an error", "1000", resume()),
    ];
    for (case, name, expected) in rows {
        let expected = expected.because(name);
        let refused = Refused(name);
        assert_eq!(
            classify(Outcome::ConnectFailed(&refused)),
            expected,
            "{case}"
        );
        let exited = Outcome::exited(&name, SECOND, false);
        assert_eq!(classify(exited), expected, "{case}");
    }
    assert_eq!(classify(Outcome::TimedOut), resume());
}
