//! What happens while a list of regions is fetched.

use std::{
    convert::Infallible,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tower::service_fn;
use tower_failover::{
    Discovery, Query, RegionList, Regions,
    session::{CauseKind, Closed, Directive, Handle, Outcome, Phase, Supervisor, Targets},
};

use super::API;
use crate::support::{Exit, MS, Play::*, SECOND, Script, settings, settle, tasks};

/// A supervisor whose discovery never answers, how often that was asked, and the connector.
fn begin() -> (Handle<Exit, usize>, Arc<AtomicUsize>, Script) {
    let asked = Arc::<AtomicUsize>::default();
    let count = asked.clone();
    let source = service_fn(move |_: Query| {
        count.fetch_add(1, Ordering::SeqCst);
        pending::<Result<RegionList, Infallible>>()
    });
    let targets = Targets::from(Regions::discover(Discovery::service(source)));
    let targets = targets.coordinator(API).unwrap();
    let script = Script::new([Up]);
    let handle = Supervisor::new(targets, script.clone())
        .settings(settings().attempt_timeout(SECOND))
        .classifier(|outcome: Outcome<'_, _, _>| match outcome {
            Outcome::TimedOut => Directive::retry().because("late"),
            _ => Directive::fail(),
        })
        .start()
        .unwrap();
    (handle, asked, script)
}

#[tokio::test(start_paused = true)]
async fn the_attempt_takes_no_longer_than_others() {
    let (handle, asked, script) = begin();
    tokio::time::sleep(SECOND + 10 * MS).await;
    let status = handle.status().borrow().clone();
    let cause = status.cause.unwrap();
    assert_eq!(status.phase, Phase::Waiting);
    assert_eq!(
        (cause.kind(), cause.reason()),
        (CauseKind::TimedOut, Some("late"))
    );
    tokio::time::sleep(SECOND).await;
    assert!(asked.load(Ordering::SeqCst) >= 1);
    assert!(script.dials().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_it() {
    let (handle, _asked, _script) = begin();
    settle().await;
    let before = tokio::time::Instant::now();
    handle.shutdown().await;
    assert!(before.elapsed() <= MS);
    assert!(matches!(handle.closed().await, Ok(Closed::Shutdown)));
    settle().await;
    assert_eq!(tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_pause_puts_it_off() {
    let (handle, _asked, _script) = begin();
    settle().await;
    handle.pause();
    tokio::time::sleep(3600 * SECOND).await;
    let status = handle.status().borrow().clone();
    assert_eq!((status.phase, status.attempt), (Phase::Paused, 0));
    assert!(status.cause.is_none(), "it did not fail");
    handle.unpause();
    settle().await;
    let status = handle.status().borrow().clone();
    assert_eq!((status.phase, status.attempt), (Phase::Connecting, 1));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_it() {
    let (handle, _asked, _script) = begin();
    settle().await;
    handle.kick(Directive::rejoin());
    handle.kick(Directive::finish());
    assert!(matches!(handle.closed().await, Ok(Closed::Settled)));
}
