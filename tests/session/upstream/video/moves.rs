//! When it moves, and when it does not.

use tower_failover::session::{Closed, ErrorKind, Step};

use super::{classify, settings};
use crate::{
    support::{Exit, Play, Play::*, SECOND, Script, regions},
    upstream::{dialed, start},
};

const FAILED: Play = Refuse("UNSPECIFIED");

fn healthy(exit: Exit) -> Play {
    UpFor(20 * SECOND, exit)
}

fn brief(exit: Exit) -> Play {
    UpFor(SECOND, exit)
}

/// Where it dials, what for, and when.
async fn dials(plays: Vec<Play>) -> (String, Vec<Step>, Vec<u128>) {
    let count = plays.len();
    let script = Script::new(plays);
    let _handle = start(&script, regions("abc"), settings(), classify);
    dialed(&script, count).await;
    let steps = script
        .dials()
        .iter()
        .map(|dial| dial.attempt.step)
        .collect();
    (script.regions().concat(), steps, script.gaps())
}

#[tokio::test(start_paused = true)]
async fn the_third_failure_moves_and_no_earlier_one() {
    let rows: [(&str, Vec<Play>, &str); 9] = [
        ("S01", vec![FAILED, Up], "aa"),
        (
            "S02: what is silent for 15 s was healthy before",
            vec![FAILED, healthy("EVENT_LOST"), FAILED, Up],
            "aaaa",
        ),
        ("S03, S11", vec![FAILED, FAILED, FAILED, Up], "aaab"),
        ("S04", vec![healthy("EVENT_LOST"); 6], "aaaaaa"),
        (
            "S05",
            vec![FAILED, FAILED, healthy("UNSPECIFIED"), FAILED, FAILED, Up],
            "aaaaaa",
        ),
        (
            "S05: connected is not enough by our choice, it has to be healthy",
            vec![FAILED, FAILED, brief("UNSPECIFIED"), Up],
            "aaab",
        ),
        (
            "S07",
            vec![FAILED, FAILED, FAILED, FAILED, FAILED, Up],
            "aaabbb",
        ),
        (
            "S09, S10: on the first error",
            vec![Refuse("SFU_FULL"), Up],
            "ab",
        ),
        ("S09", vec![healthy("MIGRATE"), Up], "ab"),
    ];
    for (case, plays, expected) in rows {
        assert_eq!(dials(plays).await.0, expected, "{case}");
    }
}

/// Once after a healthy run; upstream each time, which is a loop without pause.
#[tokio::test(start_paused = true)]
async fn what_the_server_wants_is_done_at_once() {
    let rows = [
        ("S09", "MIGRATE", Step::Migrate, "abc"),
        ("S12", "REJOIN", Step::Rejoin, "aab"),
        ("S14", "FAST", Step::Resume, "aaa"),
        ("S30, S31, by our choice", "1002", Step::Resume, "aaa"),
    ];
    for (case, name, step, regions) in rows {
        let (dialed, steps, gaps) = dials(vec![healthy(name), Refuse(name), Up]).await;
        assert_eq!(dialed, regions, "{case}");
        assert_eq!(steps, [Step::First, step, step], "{case}");
        // What fails in that is paced.
        assert_eq!(gaps, [20_000, 500], "{case}");
    }
}

/// S13, S27.
#[tokio::test(start_paused = true)]
async fn a_disconnect_is_the_end() {
    let script = Script::new([brief("DISCONNECT")]);
    let handle = start(&script, regions("ab"), settings(), classify);
    let closed = handle.closed().await.unwrap();
    assert!(matches!(closed, Closed::Exited(exit) if *exit == "DISCONNECT"));
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!((script.dials().len(), script.open()), (1, 0));
}

/// S33: upstream dials ten times where it was and leaves the call. That takes a limit that is switched
/// off; by our choice the failures lead elsewhere (SW1).
#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_costs_no_call() {
    for (per_target, expected) in [(0, "aaaaaaaaaa"), (3, "aaabbbccca")] {
        let script = Script::new([Refuse("FAST")]);
        let settings = settings().per_target_attempts(per_target);
        let handle = start(&script, regions("abc"), settings, classify);
        let error = handle.closed().await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Attempts, 10));
        assert_eq!(script.regions().concat(), expected, "S33");
        assert_eq!(script.gaps(), [0, 500, 500, 500, 500, 500, 500, 500, 500]);
    }
}

/// S29: upstream spends attempts without a network. Here the directive waits for it.
#[tokio::test(start_paused = true)]
async fn without_a_network_what_the_server_wants_is_done_when_there_is_one() {
    let script = Script::new([healthy("FAST"), Up]);
    let handle = start(&script, regions("ab"), settings(), classify);
    dialed(&script, 1).await;
    handle.pause();
    // Longer than all budgets.
    tokio::time::sleep(3600 * SECOND).await;
    assert_eq!(script.dials().len(), 1, "S29");
    handle.unpause();
    dialed(&script, 2).await;
    let attempt = &script.dials()[1].attempt;
    assert_eq!((attempt.step, attempt.number), (Step::Resume, 1), "S29");
}
