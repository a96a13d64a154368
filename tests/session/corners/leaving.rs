//! A session that is about to be left.

use tower_failover::{Region, session::*};

use super::*;

/// An advice of the session that is left speaks of its own region, not of the one dialed instead.
#[tokio::test(start_paused = true)]
async fn what_the_old_session_excludes_is_its_own_region() {
    let script = Script::new([Up, Hang, Up]);
    let handle = start("ab", &script, settings().drain(60 * SECOND));
    handle.established().await.unwrap();
    tokio::time::sleep(2 * SECOND).await;
    script.advise(0, Directive::migrate());
    settle().await;
    assert_eq!(script.regions().concat(), "ab");
    script.advise(0, Directive::rejoin().exclude());
    tokio::time::sleep(SECOND).await;
    let dial = &script.dials()[2];
    let excluded: Vec<_> = dial.attempt.excluded.iter().map(Region::name).collect();
    assert_eq!((dial.region(), &excluded[..]), ("b", &["a"][..]));
}

/// `resume_window`: how long after the end of its session a token is of use.
#[tokio::test(start_paused = true)]
async fn a_token_is_of_use_from_when_the_old_session_really_ended() {
    let script = Script::new([Up, After(5 * SECOND, Box::new(Refuse("no"))), Up]);
    let handle = start(
        "a",
        &script,
        settings().resume_window(2 * SECOND).drain(10 * SECOND),
    );
    handle.established().await.unwrap();
    script.tell(0, Event::Resume(7));
    tokio::time::sleep(2 * SECOND).await;
    script.advise(0, Directive::migrate());
    settle().await;
    script.tell(0, Event::Closed("gone"));
    tokio::time::sleep(10 * SECOND).await;
    let dial = &script.dials()[2];
    // It ended more than 5 s before this dial.
    assert_eq!(
        (dial.attempt.step, dial.attempt.resume),
        (Step::Rejoin, None)
    );
}

/// "The time since"/"the window": a session tells it while it is being left.
#[tokio::test(start_paused = true)]
async fn a_session_that_is_left_may_still_tell_its_window() {
    let script = Script::new([Up, After(5 * SECOND, Box::new(Refuse("no"))), Up]);
    let handle = start("a", &script, settings().drain(SECOND));
    handle.established().await.unwrap();
    script.tell(0, Event::Resume(7));
    tokio::time::sleep(2 * SECOND).await;
    script.advise(0, Directive::migrate());
    settle().await;
    script.tell(0, Event::ResumeWindow(SECOND));
    tokio::time::sleep(10 * SECOND).await;
    let dial = &script.dials()[2];
    assert_eq!(
        (dial.attempt.step, dial.attempt.resume),
        (Step::Rejoin, None)
    );
}

#[tokio::test(start_paused = true)]
async fn a_healthy_session_that_still_serves_is_not_given_up() {
    for settings in [
        settings().give_up_after(3 * SECOND).drain(30 * SECOND),
        settings().total_attempts(3).drain(30 * SECOND),
    ] {
        let script = Script::new([Up, Refuse("no")]);
        let handle = start("ab", &script, settings);
        handle.established().await.unwrap();
        tokio::time::sleep(2 * SECOND).await;
        script.advise(0, Directive::migrate());
        tokio::time::sleep(20 * SECOND).await;
        assert_eq!(handle.current().map(|live| live.client), Some(0));
    }
}

/// An advice that becomes a migration by `exclude` overlaps like one.
#[tokio::test(start_paused = true)]
async fn advice_to_go_that_became_a_migration_overlaps() {
    let script = Script::new([Up, Hang]);
    let handle = start("ab", &script, settings());
    handle.established().await.unwrap();
    tokio::time::sleep(2 * SECOND).await;
    script.advise(0, Directive::resume().exclude());
    settle().await;
    assert_eq!(script.regions().concat(), "ab");
    assert_eq!(handle.current().map(|live| live.client), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_second_go_away_never_delays() {
    let script = Script::new([Up, Hang]);
    let handle = start("ab", &script, settings().attempt_timeout(60 * SECOND));
    handle.established().await.unwrap();
    tokio::time::sleep(2 * SECOND).await;
    script.advise(0, Directive::migrate().within(3 * SECOND));
    settle().await;
    script.advise(0, Directive::migrate().within(60 * SECOND));
    tokio::time::sleep(3 * SECOND + 10 * MS).await;
    assert!(handle.current().is_none());
}

#[tokio::test(start_paused = true)]
async fn status_is_true_while_the_last_session_closes() {
    let script = Script::new([Up]);
    script.closing(2 * SECOND);
    let handle = start("a", &script, settings());
    handle.established().await.unwrap();
    let closing = {
        let handle = handle.clone();
        tokio::spawn(async move { handle.shutdown().await })
    };
    settle().await;
    assert!(handle.current().is_none());
    let phase = handle.status().borrow().phase;
    closing.await.unwrap();
    assert_ne!(
        phase,
        Phase::Connected,
        "\"A session is up\", and there is none to be had"
    );
}
