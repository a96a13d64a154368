//! What a kick does, state by state.

mod wait;

use tower_failover::session::{Closed, Directive, Event, Step};

use super::{ALL, SOON, State, slow};
use crate::support::settle;

/// The dials that follow within the time a kick takes, `+` in front where the dial before was given up.
async fn after_kicks(state: State, kicks: &[Directive]) -> String {
    let (script, handle) = state.reach(slow()).await;
    let dials = script.dials().len();
    let dialing = script.dialing();
    for kick in kicks {
        handle.kick(kick.clone());
    }
    tokio::time::sleep(SOON).await;
    assert!(script.dialing() <= 1);
    let new = script.dials();
    let new = new[dials..].iter();
    let new = new.map(|dial| format!("{:?} {}", dial.attempt.step, dial.region()));
    let new: Vec<_> = new.collect();
    let instead = if dialing > 0 && !new.is_empty() {
        "+"
    } else {
        ""
    };
    let serving = match handle.current() {
        Some(_) => ", serving",
        None => "",
    };
    format!("{instead}{}{serving}", new.join(" "))
}

#[tokio::test(start_paused = true)]
async fn it_does_what_is_more_than_what_is_being_done() {
    use State::*;
    let (resume, retry) = (Directive::resume(), Directive::retry());
    let (migrate, rejoin) = (Directive::migrate(), Directive::rejoin());
    let rows: [(State, [&str; 4]); 8] = [
        (Dialing, ["", "", "+Migrate b", "+Rejoin a"]),
        (Waiting, ["Retry a", "Retry a", "Migrate b", "Rejoin a"]),
        (
            Connected,
            ["Resume a", "Retry a", "Migrate b, serving", "Rejoin a"],
        ),
        (
            Migrating,
            [", serving", ", serving", ", serving", "+Rejoin b, serving"],
        ),
        (
            MigratingLater,
            [
                "Retry b, serving",
                "Retry b, serving",
                "Migrate c, serving",
                "Rejoin b, serving",
            ],
        ),
        (
            Closing,
            ["Resume b", "Retry b", "Migrate c, serving", "Rejoin b"],
        ),
        (Paused, ["", "", "", ""]),
        (
            PausedMigrating,
            [", serving", ", serving", ", serving", ", serving"],
        ),
    ];
    for (state, expected) in rows {
        let directives = [&resume, &retry, &migrate, &rejoin];
        for (directive, expected) in directives.into_iter().zip(expected) {
            let done = after_kicks(state, std::slice::from_ref(directive)).await;
            assert_eq!(done, expected, "{state:?}, {directive:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_always_wins() {
    for state in ALL {
        let (script, handle) = state.reach(slow()).await;
        handle.kick(Directive::rejoin());
        handle.kick(Directive::finish());
        handle.kick(Directive::migrate());
        let end = handle.closed().await;
        assert!(matches!(end, Ok(Closed::Settled)), "{state:?}: {end:?}");
        assert_eq!((script.open(), script.dialing()), (0, 0), "{state:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_several_at_once_the_strongest_counts() {
    let kicks = [
        Directive::resume(),
        Directive::migrate(),
        Directive::retry(),
    ];
    for _ in 0..3 {
        assert_eq!(
            after_kicks(State::Connected, &kicks).await,
            "Migrate b, serving"
        );
        assert_eq!(after_kicks(State::Waiting, &kicks).await, "Migrate b");
    }
    let kicks = [
        Directive::retry().exclude().drop_resume(),
        Directive::rejoin().keep_resume(),
    ];
    let (script, handle) = State::Connected.reach(slow()).await;
    script.tell(0, Event::Resume(7));
    settle().await;
    kicks.into_iter().for_each(|kick| handle.kick(kick));
    settle().await;
    let attempt = script.dials()[1].attempt.clone();
    assert_eq!((attempt.step, attempt.resume), (Step::Rejoin, None));
    assert_eq!(attempt.excluded[0].name(), "a");
    assert_eq!(attempt.region.name(), "b");
}
