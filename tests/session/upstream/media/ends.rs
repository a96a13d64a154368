//! How it ends, and what of that is seen.

use std::time::Duration;

use tokio::time::Instant;
use tower_failover::{
    Backoff, Jitter,
    session::{CauseKind, Close, Closed, Directive, ErrorKind, Event, Phase, Settings},
};

use super::{classify, once, settings};
use crate::{
    support::{MS, Play::*, Refused, SECOND, Script, regions, until},
    upstream::start,
};

/// M06.
#[tokio::test(start_paused = true)]
async fn a_transient_failure_is_retried_until_the_budget_runs_out() {
    let script = Script::new([Refuse("refused")]);
    let settings = settings()
        .backoff(Backoff::exponential(20 * MS, 40 * MS))
        .give_up_after(200 * MS);
    let handle = start(&script, regions("a"), settings, classify);
    let error = handle.closed().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GaveUp, "M06");
    assert_eq!(error.elapsed(), 200 * MS, "M06");
    let cause = error.cause().unwrap();
    assert_eq!(cause.downcast_ref(), Some(&Refused("refused")), "M06");
    // Waits of 20 and 40 ms are below the floor (M25).
    assert_eq!(script.gaps(), [50, 50, 50, 50], "M25");
}

/// M07; what is settled otherwise likewise (M28).
#[tokio::test(start_paused = true)]
async fn a_settled_answer_ends_it_at_once() {
    for status in ["401", "403", "404"] {
        let script = Script::new([Refuse("503"), Refuse(status)]);
        let handle = start(&script, regions("ab"), settings(), classify);
        let error = handle.closed().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed, "M07, M28");
        let cause = error.cause().unwrap();
        assert_eq!(cause.downcast_ref(), Some(&Refused(status)), "M07");
        assert_eq!(script.dials().len(), 2, "M07");
    }
}

/// M08, with the numbers of M03 and M09: 30 s, if the window does not leave less (MW3).
#[tokio::test(start_paused = true)]
async fn a_peer_that_never_speaks_costs_the_attempt_timeout() {
    // Timers go by whole milliseconds.
    for (window, timeout) in [(None, 30_000), (Some(10 * SECOND), 3334)] {
        let script = Script::new([Hang]);
        let settings = settings().give_up_after(window);
        let started = Instant::now();
        let handle = start(&script, regions("a"), settings, once);
        let error = handle.closed().await.unwrap_err();
        assert_eq!(error.cause().unwrap().kind(), CauseKind::TimedOut, "M08");
        assert_eq!(started.elapsed().as_millis(), timeout, "M08");
        assert_eq!(script.dialing(), 0, "M08");
    }
}

/// M05: value, none, value, end. M04, M34: by our choice a session that is gone is so at once, however
/// long its window; M34 has none, and its redial hangs.
#[tokio::test(start_paused = true)]
async fn what_is_up_is_shown_for_as_long_as_it_is() {
    for window in [None, Some(60 * SECOND)] {
        let again = After(2 * SECOND, Box::new(Up));
        let script = Script::new([UpFor(3 * SECOND, "lost"), again]);
        let settings = settings().give_up_after(window);
        let handle = start(&script, regions("a"), settings, classify);
        let mut status = handle.status();
        assert_eq!(handle.established().await.unwrap().epoch, 1, "M05");
        let waiting = until(&mut status, Phase::Waiting).await;
        assert!(handle.current().is_none(), "M04, M05, M34");
        assert_eq!(waiting.since, Instant::now(), "M04, M34");
        assert_eq!(waiting.cause.unwrap().exit(), Some(&"lost"));
        assert_eq!(handle.established().await.unwrap().epoch, 2, "M05");
        handle.shutdown().await;
        assert!(handle.current().is_none(), "M05");
        let error = handle.established().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "M05");
    }
}

/// M32: no hang, though the server names no time.
#[tokio::test(start_paused = true)]
async fn a_go_away_ends_the_only_connection() {
    let script = Script::new([Up]);
    let handle = start(&script, regions("ab"), settings(), once);
    handle.established().await.unwrap();
    script.tell(0, Event::Advice(Directive::finish().because("go away")));
    assert!(matches!(handle.closed().await, Ok(Closed::Settled)), "M32");
    assert_eq!((script.dials().len(), script.open()), (1, 0), "M32");
}

/// M33; M36, of one connection. An end in good order is one.
#[tokio::test(start_paused = true)]
async fn the_only_connection_ends_as_its_session_does() {
    for (case, exit) in [("M33", "reset"), ("M36", "401")] {
        let script = Script::new([UpFor(SECOND, exit)]);
        let handle = start(&script, regions("ab"), settings(), once);
        let error = handle.closed().await.unwrap_err();
        assert_eq!(error.cause().unwrap().exit(), Some(&exit), "{case}");
        assert_eq!(script.dials().len(), 1, "{case}");
    }
    let script = Script::new([UpFor(SECOND, "closed")]);
    let handle = start(&script, regions("ab"), settings(), once);
    assert!(matches!(handle.closed().await, Ok(Closed::Exited(exit)) if *exit == "closed"));
}

/// M35. A base of zero is refused by our choice (M01), so it is 50 ms. Accept-then-close as in MW1.
#[tokio::test(start_paused = true)]
async fn a_flapping_peer_is_given_up() {
    let flap = UpFor(MS, "reset");
    let script = Script::new([flap]);
    let backoff = |base| Backoff::exponential(base, 5 * SECOND).jitter(Jitter::None);
    let settings: Settings = settings().give_up_after(500 * MS);
    let unpaced = settings.clone().backoff(backoff(Duration::ZERO));
    assert!(unpaced.validate().is_err(), "M35, M01");
    let settings = settings.backoff(backoff(50 * MS));
    let handle = start(&script, regions("a"), settings, classify);
    let error = handle.closed().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GaveUp, "M35");
    assert_eq!(script.gaps(), [51, 101, 201, 148], "M35");
}

/// M36: a rejection after the handshake.
#[tokio::test(start_paused = true)]
async fn a_session_that_is_rejected_ends_it_at_once() {
    for exit in ["401", "403"] {
        let script = Script::new([UpFor(SECOND / 2, exit)]);
        let started = Instant::now();
        let handle = start(&script, regions("ab"), settings(), classify);
        let error = handle.closed().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed, "M36");
        assert_eq!(error.cause().unwrap().exit(), Some(&exit), "M36");
        assert_eq!(started.elapsed(), SECOND / 2, "M36");
        assert_eq!(script.dials().len(), 1, "M36");
    }
}

/// M37.
#[tokio::test(start_paused = true)]
async fn a_shutdown_carries_its_code_to_the_peer() {
    let script = Script::new([Up]);
    let handle = start(&script, regions("a"), settings(), classify);
    handle.established().await.unwrap();
    handle.shutdown_with(42).await;
    let closed = script.peer(0, |peer| peer.closed);
    assert!(matches!(closed, Some(Close::Shutdown { code: 42 })), "M37");
    assert!(matches!(handle.closed().await, Ok(Closed::Shutdown)));
}
