//! Shutting down, in good order and in time.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;
use tower_failover::session::{Close, Closed, Directive, ErrorKind, Phase};

use super::{ALL, State, phase, slow};
use crate::support::{MS, SECOND, settle, tasks};

#[tokio::test(start_paused = true)]
async fn it_ends_all_sessions_with_the_code_in_every_state() {
    for state in ALL {
        let (script, handle) = state.reach(slow()).await;
        let dials = script.dials().len();
        handle.shutdown_with(42).await;
        assert!(
            matches!(handle.closed().await, Ok(Closed::Shutdown)),
            "{state:?}"
        );
        let error = handle.established().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{state:?}");
        assert_eq!(phase(&handle), Phase::Stopped, "{state:?}");
        assert_eq!((script.open(), script.dialing()), (0, 0), "{state:?}");
        for n in 0..script.sessions() {
            match (state, n) {
                (State::Closing, 0) => assert_eq!(script.closed(0), Some(Close::Superseded)),
                _ => assert_eq!(script.code(n), Some(42), "{state:?}, session {n}"),
            }
        }
        settle().await;
        assert_eq!((script.dials().len(), tasks()), (dials, 0), "{state:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_takes_no_longer_than_the_sessions_or_their_time() {
    for state in ALL {
        for (takes, expected) in [(0, 0), (1, 1), (60, 3)] {
            let (script, handle) = state.reach(slow()).await;
            for n in 0..script.sessions() {
                script.slow_to_close(n, takes * SECOND);
            }
            let before = Instant::now();
            handle.shutdown().await;
            let spent = before.elapsed();
            let expected = match state.open() {
                0 => Duration::ZERO,
                _ => expected * SECOND,
            };
            let is_bound = match state {
                // The old session has been closing for some milliseconds, and is given no more time.
                State::Closing => spent <= 3 * SECOND && spent + 10 * MS >= expected,
                _ => spent >= expected && spent <= expected + 2 * MS,
            };
            assert!(is_bound, "{state:?}, {takes} s: {spent:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_when_nobody_waits_for_it() {
    let (script, handle) = State::Connected.reach(slow()).await;
    script.slow_to_close(0, SECOND);
    assert!(handle.shutdown_with(1).now_or_never().is_none());
    assert!(handle.shutdown_with(2).now_or_never().is_none());
    handle.pause();
    handle.kick(Directive::fail());
    tokio::time::sleep(2 * SECOND).await;
    assert!(matches!(handle.closed().await, Ok(Closed::Shutdown)));
    assert_eq!(script.code(0), Some(1), "the first counts");
}

#[tokio::test(start_paused = true)]
async fn no_session_is_given_out_while_it_closes() {
    let (script, handle) = State::Connected.reach(slow()).await;
    script.slow_to_close(0, SECOND);
    assert!(handle.shutdown().now_or_never().is_none());
    settle().await;
    assert!(handle.current().is_none());
    assert_eq!(script.open(), 1);
}
