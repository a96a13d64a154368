//! What a session tells that is about to be left.

use tower_failover::session::{Closed, Directive, Event, Step};

use super::{serving, told_to_go};
use crate::support::{MS, Play::*, SECOND, settings, settle};

#[tokio::test(start_paused = true)]
async fn a_second_go_away_hurries_and_never_delays() {
    let settings = settings().attempt_timeout(60 * SECOND);
    let go = |seconds: u32| Directive::migrate().within(seconds * SECOND);
    let (script, handle) = told_to_go("abc", settings, go(8), [Hang]).await;
    script.advise(0, go(60));
    settle().await;
    script.advise(0, go(2));
    tokio::time::sleep(2 * SECOND - 10 * MS).await;
    assert_eq!(serving(&handle), Some(0));
    tokio::time::sleep(20 * MS).await;
    assert_eq!(serving(&handle), None);
    assert_eq!(script.regions(), ["a", "b"], "the dial goes on");
}

#[tokio::test(start_paused = true)]
async fn advice_to_leave_says_nothing_of_the_region_dialed_instead() {
    let plays = [Refuse("no"), Hang];
    let (script, _handle) = told_to_go("abc", settings(), Directive::migrate(), plays).await;
    script.advise(0, Directive::migrate());
    tokio::time::sleep(200 * MS).await;
    assert_eq!(script.regions(), ["a", "b", "b"]);
    assert_eq!(script.gaps(), [2000, 100]);
}

#[tokio::test(start_paused = true)]
async fn advice_that_says_more_is_followed_while_the_new_session_is_dialed() {
    let (script, handle) = told_to_go("ab", settings(), Directive::migrate(), [Hang, Up]).await;
    script.advise(0, Directive::rejoin());
    settle().await;
    assert_eq!(script.dialing(), 0);
    tokio::time::sleep(200 * MS).await;
    let steps: Vec<_> = script
        .dials()
        .iter()
        .map(|dial| dial.attempt.step)
        .collect();
    assert_eq!(steps, [Step::First, Step::Migrate, Step::Rejoin]);
    assert_eq!(serving(&handle), Some(1));
    script.advise(1, Directive::finish());
    assert!(matches!(handle.closed().await, Ok(Closed::Settled)));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_dropped_does_not_come_back_from_the_old_session() {
    for (advice, expected) in [
        (Directive::migrate(), Some(7)),
        (Directive::migrate().drop_resume(), None),
    ] {
        let (script, _handle) = told_to_go("ab", settings(), advice, [Refuse("no"), Up]).await;
        script.tell(0, Event::Resume(7));
        tokio::time::sleep(SECOND).await;
        assert_eq!(script.dials()[2].attempt.resume, expected);
    }
}
