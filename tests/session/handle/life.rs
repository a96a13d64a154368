//! What the status shows of a life, in order.

use std::sync::{Arc, Mutex};

use tower_failover::session::{CauseKind, Directive, Event, Handle, Outcome, Phase, Supervisor};

use crate::support::{Exit, MS, Play::*, SECOND, Script, regions, settings, settle, until};

/// Records each phase with its epoch, attempt and region.
fn watched(handle: &Handle<Exit, usize>) -> Arc<Mutex<Vec<String>>> {
    let mut status = handle.status();
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let record = seen.clone();
    tokio::spawn(async move {
        while status.changed().await.is_ok() {
            let now = status.borrow_and_update().clone();
            let region = now.region.as_ref().map_or("-", |region| region.name());
            let line = format!("{:?} {} {} {region}", now.phase, now.epoch, now.attempt);
            let mut seen = record.lock().unwrap();
            if seen.last() != Some(&line) {
                seen.push(line);
            }
        }
    });
    seen
}

#[tokio::test(start_paused = true)]
async fn the_status_shows_a_whole_life() {
    let later = |play| After(10 * MS, Box::new(play));
    let plays = [
        later(Refuse("no")),
        later(Up),
        later(Up),
        later(Refuse("no")),
        later(Up),
    ];
    let script = Script::new(plays);
    let handle = Supervisor::new(regions("ab"), script.clone())
        .settings(settings())
        .classifier(|outcome| match outcome {
            Outcome::Exited { exit: &"cut", .. } => Directive::resume().soft(),
            _ => Directive::retry(),
        })
        .start()
        .unwrap();
    let seen = watched(&handle);
    let mut status = handle.status();

    let waiting = until(&mut status, Phase::Waiting).await;
    assert_eq!(waiting.cause.unwrap().kind(), CauseKind::ConnectFailed);
    assert_eq!((waiting.next_at.unwrap() - waiting.since).as_millis(), 100);
    let connected = until(&mut status, Phase::Connected).await;
    assert!(connected.cause.is_some() && connected.next_at.is_none());
    let healthy = status.wait_for(|status| status.cause.is_none()).await;
    let since = healthy.unwrap().since;
    assert_eq!(since, connected.since, "the phase is what it was");

    script.advise(0, Directive::migrate().because("full"));
    let migrating = until(&mut status, Phase::Migrating).await;
    let cause = migrating.cause.unwrap();
    assert_eq!(
        (cause.kind(), cause.reason()),
        (CauseKind::Advised, Some("full"))
    );
    until(&mut status, Phase::Connected).await;
    tokio::time::sleep(SECOND + 10 * MS).await;

    script.tell(1, Event::Closed("cut"));
    let degraded = until(&mut status, Phase::Degraded).await;
    let cause = degraded.cause.unwrap();
    assert_eq!(
        (cause.kind(), cause.exit::<Exit>()),
        (CauseKind::Exited, Some(&"cut"))
    );
    until(&mut status, Phase::Waiting).await;
    handle.pause();
    until(&mut status, Phase::Paused).await;
    handle.unpause();
    until(&mut status, Phase::Connected).await;
    handle.shutdown().await;
    settle().await;

    let expected = [
        "Connecting 0 0 -",
        "Connecting 0 1 a",
        "Waiting 0 1 a",
        "Connecting 0 2 a",
        "Connected 1 2 a",
        "Connected 1 0 a",
        "Migrating 1 1 a",
        "Connected 2 1 b",
        "Connected 2 0 b",
        "Degraded 2 1 b",
        "Waiting 2 1 b",
        "Paused 2 1 b",
        "Waiting 2 1 b",
        "Connecting 2 2 b",
        "Connected 3 2 b",
        "Stopped 3 2 b",
    ];
    let seen = seen.lock().unwrap();
    // The first of them may be gone before it is looked at.
    let seen: Vec<_> = seen.iter().filter(|line| *line != expected[0]).collect();
    assert_eq!(seen, expected[1..]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_up_is_given_to_all_who_wait_at_once() {
    let script = Script::new([After(SECOND, Box::new(Up))]);
    let handle = crate::support::start("a", &script, settings());
    assert!(handle.current().is_none());
    let waiters: Vec<_> = (0..5).map(|_| handle.clone()).collect();
    let waiters = waiters.iter().map(|handle| handle.established());
    let lives = futures_util::future::join_all(waiters).await;
    for live in lives {
        let live = live.unwrap();
        assert_eq!((live.client, live.epoch, live.region.name()), (0, 1, "a"));
    }
    assert_eq!(handle.current().unwrap().epoch, 1);
    script.tell(0, Event::Closed("cut"));
    settle().await;
    assert!(handle.current().is_none());
    assert_eq!(handle.established().await.unwrap().epoch, 2);
}
