//! A session that is to be left serves until the next one is up, or until its time is over.

mod close;
mod paced;
mod told;

use tower_failover::session::{
    Close, Closed, Directive, Event, Handle, Outcome, Phase, Settings, Supervisor,
};

use crate::support::{
    Exit, MS, Play, Play::*, SECOND, Script, regions, settings, settle, start, until,
};

/// A supervisor whose first session was healthy and is told to go; the next dials meet these.
async fn told_to_go(
    names: &str,
    settings: Settings,
    advice: Directive,
    plays: impl IntoIterator<Item = Play>,
) -> (Script, Handle<Exit, usize>) {
    let script = Script::new([Up].into_iter().chain(plays));
    let handle = start(names, &script, settings);
    handle.established().await.unwrap();
    tokio::time::sleep(2 * SECOND).await;
    script.advise(0, advice);
    settle().await;
    (script, handle)
}

fn serving(handle: &Handle<Exit, usize>) -> Option<usize> {
    handle.current().map(|live| live.client)
}

fn phase(handle: &Handle<Exit, usize>) -> Phase {
    handle.status().borrow().phase
}

#[tokio::test(start_paused = true)]
async fn the_old_session_serves_while_the_new_one_is_dialed() {
    let (script, handle) = told_to_go("ab", settings(), Directive::migrate(), [Hang]).await;
    for _ in 0..9 {
        assert_eq!(handle.established().await.unwrap().client, 0);
        assert_eq!(
            (serving(&handle), phase(&handle)),
            (Some(0), Phase::Migrating)
        );
        assert_eq!((script.open(), script.dialing()), (1, 1));
        tokio::time::sleep(SECOND).await;
    }
    assert_eq!(script.regions(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn the_old_session_serves_while_the_next_attempt_is_waited_for() {
    let plays = [Refuse("no"), Refuse("no"), Up];
    let (script, handle) = told_to_go("ab", settings(), Directive::migrate(), plays).await;
    let mut status = handle.status();
    let waiting = status.borrow_and_update().clone();
    assert_eq!(waiting.phase, Phase::Migrating);
    assert_eq!(waiting.region.unwrap().name(), "a", "where it is");
    assert!(waiting.next_at.is_some());
    assert_eq!(serving(&handle), Some(0));
    until(&mut status, Phase::Connected).await;
    assert_eq!(script.gaps(), [2000, 100, 200]);
    assert_eq!(
        (serving(&handle), script.closed(0)),
        (Some(1), Some(Close::Superseded))
    );
}

/// M39, and the deadline is the shorter of what we allow and what the server does.
#[tokio::test(start_paused = true)]
async fn a_black_hole_does_not_keep_the_old_session_beyond_its_time() {
    for (drain, within, expected) in [
        (10, None, 10),
        (10, Some(4), 4),
        (3, Some(60), 3),
        (3600, Some(7), 7),
    ] {
        let advice = match within {
            Some(within) => Directive::migrate().within(within * SECOND),
            None => Directive::migrate(),
        };
        let settings = settings().drain(drain * SECOND);
        let (script, handle) = told_to_go("ab", settings, advice, [Hang]).await;
        tokio::time::sleep(expected * SECOND - 10 * MS).await;
        assert_eq!(serving(&handle), Some(0), "{drain}, {within:?}");
        tokio::time::sleep(20 * MS).await;
        assert_eq!(serving(&handle), None, "{drain}, {within:?}");
        assert_eq!(script.closed(0), Some(Close::DrainTimeout));
        assert_eq!(phase(&handle), Phase::Connecting);
        assert_eq!(
            (script.open(), script.dialing()),
            (0, 1),
            "the dial goes on"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_the_old_session_ends_while_an_attempt_is_waited_for() {
    let settings = settings().drain(250 * MS);
    let (_script, handle) = told_to_go("ab", settings, Directive::migrate(), [Refuse("no")]).await;
    assert_eq!(phase(&handle), Phase::Migrating);
    tokio::time::sleep(260 * MS).await;
    let status = handle.status().borrow().clone();
    assert_eq!((status.phase, serving(&handle)), (Phase::Waiting, None));
    assert!(status.next_at.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_old_session_that_dies_meanwhile_is_no_second_outage() {
    let plays = [After(3 * SECOND, Box::new(Up))];
    let (script, handle) = told_to_go("abc", settings(), Directive::migrate(), plays).await;
    let mut status = handle.status();
    script.tell(0, Event::Closed("gone"));
    let connecting = until(&mut status, Phase::Connecting).await;
    assert_eq!(connecting.region.unwrap().name(), "b");
    assert_eq!((serving(&handle), script.open()), (None, 0));
    assert_eq!(until(&mut status, Phase::Connected).await.epoch, 2);
    assert_eq!((serving(&handle), script.gaps()), (Some(1), vec![2000]));
    assert_eq!(script.dials()[1].attempt.number, 1, "the run was healthy");
}

#[tokio::test(start_paused = true)]
async fn an_old_session_may_settle_it_all_by_how_it_ends() {
    let script = Script::new([Up, Hang]);
    let handle = Supervisor::new(regions("ab"), script.clone())
        .settings(settings())
        .classifier(|outcome| match outcome {
            Outcome::Exited {
                exit: &"kicked out",
                healthy,
                ..
            } => {
                assert!(!healthy);
                Directive::finish()
            }
            _ => Directive::retry(),
        })
        .start()
        .unwrap();
    handle.established().await.unwrap();
    script.advise(0, Directive::migrate());
    settle().await;
    assert_eq!(script.dialing(), 1);
    script.tell(0, Event::Closed("kicked out"));
    assert!(matches!(handle.closed().await, Ok(Closed::Exited(exit)) if *exit == "kicked out"));
    assert_eq!((script.dialing(), script.open()), (0, 0));
}
