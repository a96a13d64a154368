//! How the session is closed that is left.

use std::time::Duration;

use tower_failover::session::{Close, Directive, Phase};

use super::{phase, serving, told_to_go};
use crate::support::{MS, Play::*, SECOND, Script, settings, settle, start};

#[tokio::test(start_paused = true)]
async fn the_old_session_is_closed_in_good_order_for_so_long_at_most() {
    for (takes, expected) in [(0, 0), (2, 2), (60, 5)] {
        let settings = settings().drain(60 * SECOND);
        let plays = [After(SECOND, Box::new(Up))];
        let (script, handle) = told_to_go("ab", settings, Directive::migrate(), plays).await;
        // The sessions that are there know of it no more.
        assert_eq!(script.closed(0), None);
        script.slow_to_close(0, takes * SECOND);
        tokio::time::sleep(SECOND).await;
        assert_eq!(serving(&handle), Some(1));
        assert_eq!(script.closed(0), Some(Close::Superseded));
        if expected > 0 {
            tokio::time::sleep(expected * SECOND - 10 * MS).await;
            assert!(!script.dropped(0), "{takes} s");
        }
        tokio::time::sleep(20 * MS).await;
        assert!(script.dropped(0), "{takes} s");
        assert_eq!((script.open(), phase(&handle)), (1, Phase::Connected));
    }
}

#[tokio::test(start_paused = true)]
async fn closing_for_want_of_time_is_bounded_as_well() {
    let settings = settings()
        .drain(SECOND)
        .close_timeout(3 * SECOND)
        .attempt_timeout(60 * SECOND);
    let (script, _handle) = told_to_go("ab", settings, Directive::migrate(), [Hang]).await;
    script.slow_to_close(0, 60 * SECOND);
    tokio::time::sleep(4 * SECOND - 10 * MS).await;
    assert_eq!(script.closed(0), Some(Close::DrainTimeout));
    assert!(!script.dropped(0));
    tokio::time::sleep(20 * MS).await;
    assert!(script.dropped(0));
}

#[tokio::test(start_paused = true)]
async fn without_time_to_close_it_is_dropped_at_once() {
    let settings = settings().close_timeout(Duration::ZERO);
    let (script, _handle) = told_to_go("ab", settings, Directive::migrate(), [Hang, Up]).await;
    script.slow_to_close(0, 60 * SECOND);
    tokio::time::sleep(10 * SECOND + 10 * MS).await;
    assert!(script.dropped(0));
}

#[tokio::test(start_paused = true)]
async fn without_drain_there_is_no_overlap() {
    let again = Close::Interrupted;
    for (settings, advice, close) in [
        (
            settings().drain(Duration::ZERO),
            Directive::migrate(),
            again,
        ),
        (
            settings(),
            Directive::migrate().within(Duration::ZERO),
            again,
        ),
        (settings(), Directive::retry(), again),
        (settings(), Directive::rejoin(), Close::Superseded),
    ] {
        let (script, handle) = told_to_go("ab", settings, advice, [Hang]).await;
        assert_eq!(serving(&handle), None);
        assert_eq!(script.closed(0), Some(close));
        assert_eq!(script.open(), 0);
        assert_ne!(phase(&handle), Phase::Migrating);
    }
}

#[tokio::test(start_paused = true)]
async fn advice_of_the_new_session_retires_the_older_one() {
    let plays = [Up, Hang];
    let (script, handle) = told_to_go("abc", settings(), Directive::migrate(), plays).await;
    script.slow_to_close(0, 4 * SECOND);
    assert_eq!((serving(&handle), script.open()), (Some(1), 1));
    script.advise(1, Directive::migrate());
    settle().await;
    assert_eq!((serving(&handle), script.open()), (Some(1), 1));
    assert_eq!(phase(&handle), Phase::Migrating);
    assert_eq!(script.most_open(), 2);
}

#[tokio::test(start_paused = true)]
async fn there_are_never_more_than_two_sessions() {
    let script = Script::new([Up]);
    script.closing(60 * SECOND);
    let handle = start("abcd", &script, settings().drain(60 * SECOND));
    handle.established().await.unwrap();
    for n in 0..20 {
        while serving(&handle) != Some(n) {
            tokio::time::sleep(10 * MS).await;
        }
        script.advise(n, Directive::migrate());
    }
    assert_eq!(script.most_open(), 2);
}
