//! When a kick is done.

use tower_failover::session::{Close, Directive, Outcome, Supervisor};

use super::super::{SOON, State, phase, slow};
use crate::support::{MS, Play::*, SECOND, Script, regions, settings, settle, start};

/// A server's wish to be left alone is not the program's to overrule.
#[tokio::test(start_paused = true)]
async fn it_does_not_cut_a_wait_that_was_asked_for() {
    for kick in [
        Directive::resume(),
        Directive::migrate(),
        Directive::rejoin(),
    ] {
        let script = Script::new([Refuse("busy"), Up]);
        let handle = Supervisor::new(regions("a"), script.clone())
            .settings(settings())
            .classifier(|_: Outcome<'_, _, _>| Directive::retry().after(20 * SECOND))
            .start()
            .unwrap();
        tokio::time::sleep(5 * SECOND).await;
        handle.kick(kick.clone());
        handle.established().await.unwrap();
        let gap = script.gaps()[0];
        assert!((20_000..=25_001).contains(&gap), "{kick:?}: {gap}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_kick_that_is_to_wait_does_not_shorten_a_wait() {
    let (script, handle) = State::Waiting.reach(slow()).await;
    handle.kick(Directive::retry().after(20 * SECOND));
    tokio::time::sleep(9 * SECOND).await;
    assert_eq!(script.dials().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn attempts_are_never_closer_than_fifty_milliseconds() {
    for (plays, paused) in [
        (vec![Refuse("no")], false),
        (vec![Up], false),
        (vec![Refuse("no"), Hang], true),
        (vec![Hang], true),
        (vec![Up, Hang], true),
    ] {
        let script = Script::new(plays.clone());
        let settings = settings().per_target_attempts(0).drain(60 * SECOND);
        let handle = start("abcdef", &script, settings);
        for n in 0..2000 {
            match (paused, n % 4) {
                (true, 0) => handle.pause(),
                (true, 2) => handle.unpause(),
                (_, 1) => handle.kick(Directive::rejoin()),
                _ => handle.kick(Directive::migrate()),
            }
            tokio::time::sleep(MS).await;
        }
        let gaps = script.gaps();
        let least = gaps.iter().min().unwrap();
        assert!(*least >= 50, "{plays:?}, {paused}: {least} {gaps:?}");
        assert!(gaps.len() > 10, "{plays:?}, {paused}: {}", gaps.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_kick_in_a_pause_is_done_when_that_is_over() {
    for (state, expected) in [
        (State::Paused, "ab"),
        (State::PausedMigrating, "ab"),
        (State::Connected, "ab"),
        // The dial that was given up was none, so there is nothing to migrate from.
        (State::Dialing, "aa"),
    ] {
        let (script, handle) = state.reach(slow()).await;
        handle.pause();
        settle().await;
        handle.kick(Directive::migrate());
        tokio::time::sleep(SECOND).await;
        assert_eq!(script.dials().len(), 1, "{state:?}");
        handle.unpause();
        tokio::time::sleep(SOON).await;
        let regions = script.regions().concat();
        assert_eq!(regions, expected, "{state:?}, {:?}", phase(&handle));
    }
    let (script, handle) = State::Connected.reach(slow()).await;
    handle.pause();
    handle.kick(Directive::retry());
    settle().await;
    assert_eq!(script.closed(0), None);
    handle.unpause();
    settle().await;
    assert_eq!(script.closed(0), Some(Close::Interrupted));
}
