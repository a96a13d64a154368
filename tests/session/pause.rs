//! A machine that sleeps, or has no network.

mod connected;
mod flapping;
mod migrating;

use std::time::Duration;

use tower_failover::session::{ErrorKind, Handle, Phase, Step};

use crate::support::{Exit, MS, Play::*, SECOND, Script, settings, settle, start, until};

const HOUR: Duration = Duration::from_secs(3600);

async fn sleep_for_an_hour(handle: &Handle<Exit, usize>) {
    handle.pause();
    tokio::time::sleep(HOUR).await;
    handle.unpause();
}

fn phase(handle: &Handle<Exit, usize>) -> Phase {
    handle.status().borrow().phase
}

#[tokio::test(start_paused = true)]
async fn a_wait_goes_on_with_what_was_left() {
    let script = Script::new([Refuse("no")]);
    let handle = start("a", &script, settings().give_up_after(4 * SECOND));
    tokio::time::sleep(1000 * MS).await;
    assert_eq!(script.gaps(), [100, 200, 400]);
    handle.pause();
    settle().await;
    let status = handle.status().borrow().clone();
    assert_eq!((status.phase, status.next_at), (Phase::Paused, None));
    tokio::time::sleep(HOUR - MS).await;
    handle.unpause();
    let error = handle.closed().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GaveUp);
    // As without a pause, save for the hour.
    assert_eq!(script.gaps(), [100, 200, 400, 3_600_800, 1600, 900]);
    assert_eq!(error.attempts(), 7);
    let elapsed = error.elapsed().as_millis();
    assert!((4000..=4005).contains(&elapsed), "{elapsed}");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_given_up_does_not_count() {
    let plays = [Refuse("no"), Hang, Hang, Hang, Hang, Hang, Refuse("no")];
    let script = Script::new(plays);
    let handle = start("ab", &script, settings().give_up_after(3 * SECOND));
    tokio::time::sleep(200 * MS).await;
    for _ in 0..5 {
        assert_eq!(script.dialing(), 1);
        handle.pause();
        settle().await;
        assert_eq!(script.dialing(), 0);
        assert_eq!(phase(&handle), Phase::Paused);
        tokio::time::sleep(HOUR).await;
        handle.unpause();
        settle().await;
    }
    let error = handle.closed().await.unwrap_err();
    let dials = script.dials();
    let told: Vec<_> = dials
        .iter()
        .map(|dial| (dial.attempt.number, dial.region(), dial.attempt.step))
        .collect();
    assert!(
        told[1..7].iter().all(|told| *told == (2, "a", Step::Retry)),
        "{told:?}"
    );
    assert_eq!((told[7].0, told[8].1), (3, "b"), "three dials that counted");
    assert!(dials[6].attempt.previous.as_ref().unwrap().name() == "a");
    // The window is three seconds of being awake.
    let elapsed = error.elapsed().as_millis();
    assert!((3000..=3100).contains(&elapsed), "{elapsed}");
}

#[tokio::test(start_paused = true)]
async fn a_pause_before_the_first_attempt_puts_it_off() {
    let script = Script::new([Up]);
    let handle = start("a", &script, settings());
    handle.pause();
    tokio::time::sleep(HOUR).await;
    assert_eq!((script.dials().len(), phase(&handle)), (0, Phase::Paused));
    handle.unpause();
    let mut status = handle.status();
    let connected = until(&mut status, Phase::Connected).await;
    assert_eq!(connected.attempt, 1);
}
