//! M: a media transport, which is given up after a while, and handed over when a server goes away.

mod ends;
mod handover;
mod redirects;
mod walk;

use tower_failover::{
    Backoff, Jitter,
    session::{Directive, Outcome, Settings},
};

use crate::support::{Exit, Refused, SECOND};

/// A status that will be the same the next time.
fn is_settled(status: &str) -> bool {
    matches!(status, "400" | "401" | "403" | "404" | "500")
}

fn classify(outcome: Outcome<'_, Refused, Exit>) -> Directive {
    match outcome {
        Outcome::ConnectFailed(Refused(status)) if is_settled(status) => Directive::fail(),
        Outcome::Exited {
            exit: &("401" | "403"),
            ..
        } => Directive::fail(),
        _ => Directive::retry(),
    }
}

/// With one connection and no more.
fn once(outcome: Outcome<'_, Refused, Exit>) -> Directive {
    match outcome {
        Outcome::Exited {
            exit: &"closed", ..
        } => Directive::finish(),
        _ => Directive::fail(),
    }
}

fn settings() -> Settings {
    let backoff = Backoff::exponential(SECOND, 5 * SECOND).jitter(Jitter::Equal);
    Settings::new()
        .backoff(backoff)
        .healthy_after(SECOND)
        .give_up_after(10 * SECOND)
}

/// M28, M07 (with M12), M36.
#[test]
fn a_settled_status_is_no_reason_to_go_on() {
    let (fail, retry) = (Directive::fail(), Directive::retry());
    let rows = [
        ("M28", ["400", "404", "500"], &fail),
        (
            "M28, by our choice the caller's",
            ["401", "403", "403"],
            &fail,
        ),
        ("M28", ["408", "429", "502"], &retry),
        ("M28", ["503", "504", "reset"], &retry),
    ];
    for (case, statuses, expected) in rows {
        for status in statuses {
            let refused = Refused(status);
            let directive = classify(Outcome::ConnectFailed(&refused));
            assert_eq!(directive, *expected, "{case}: {status}");
        }
    }
    for (exit, expected) in [
        ("401", &fail),
        ("403", &fail),
        ("404", &retry),
        ("closed", &retry),
    ] {
        let directive = classify(Outcome::exited(&exit, SECOND, true));
        assert_eq!(directive, *expected, "M36: {exit}");
    }
    assert_eq!(classify(Outcome::TimedOut), retry);
}
