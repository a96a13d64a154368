//! What a pause does not put off, and does not lose.

use tower_failover::{Region, session::*};

use super::*;

/// The wait that a server asked for holds whatever else comes, in a pause as well.
#[tokio::test(start_paused = true)]
async fn a_wait_asked_for_is_kept_when_the_old_session_says_more_in_a_pause() {
    for in_pause in [false, true] {
        let script = Script::new([Up]);
        let handle = start("abc", &script, settings().drain(60 * SECOND));
        handle.established().await.unwrap();
        tokio::time::sleep(2 * SECOND).await;
        script.advise(0, Directive::migrate().after(20 * SECOND));
        settle().await;
        if in_pause {
            handle.pause();
            settle().await;
        }
        script.advise(0, Directive::rejoin());
        settle().await;
        handle.unpause();
        tokio::time::sleep(60 * SECOND).await;
        let gap = script.gaps()[0];
        assert!(gap >= 22_000, "paused: {in_pause}, {gap}");
    }
}

/// "In a pause ... nothing counts as tried."
#[tokio::test(start_paused = true)]
async fn a_region_whose_dial_was_cut_by_a_pause_was_not_tried() {
    let script = Script::new([Hang, Refuse("no")]);
    let handle = start("ab", &script, settings());
    settle().await;
    handle.pause();
    settle().await;
    handle.kick(Directive::migrate().to(region("b")));
    handle.unpause();
    settle().await;
    tokio::time::sleep(60 * MS).await;
    assert_eq!(script.regions().concat(), "ab");
    handle.kick(Directive::fail());
    let error = handle.closed().await.unwrap_err();
    let tried: Vec<_> = error.tried().iter().map(Region::name).collect();
    assert_eq!((error.attempts(), &tried[..]), (1, &["b"][..]));
}

/// The window is of time that was not paused, however short the pieces of it are.
#[tokio::test(start_paused = true)]
async fn short_pauses_do_not_put_off_giving_up_for_ever() {
    let script = Script::new([Refuse("no"), Hang]);
    let handle = start("ab", &script, settings().give_up_after(10 * SECOND));
    for _ in 0..60 {
        tokio::time::sleep(2 * SECOND).await;
        handle.pause();
        tokio::time::sleep(10 * MS).await;
        handle.unpause();
    }
    assert_eq!(
        handle.status().borrow().phase,
        Phase::Stopped,
        "after 120 s, and {} dials",
        script.dials().len()
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_told_in_a_pause_is_merged() {
    let script = Script::new([Up]);
    let handle = start("abc", &script, settings().drain(60 * SECOND));
    handle.established().await.unwrap();
    tokio::time::sleep(2 * SECOND).await;
    handle.pause();
    settle().await;
    script.advise(0, Directive::migrate());
    settle().await;
    script.advise(0, Directive::rejoin().after(20 * SECOND));
    settle().await;
    script.advise(0, Directive::rejoin());
    settle().await;
    handle.unpause();
    tokio::time::sleep(60 * SECOND).await;
    assert!(script.gaps()[0] >= 22_000, "{:?}", script.gaps());
}
