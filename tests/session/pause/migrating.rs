//! A pause while a session is to be left.

use tower_failover::session::{Close, Directive, ErrorKind, Event, Phase, Step, Supervisor};

use super::{HOUR, phase};
use crate::support::{Play::*, SECOND, Script, regions, settings, settle, start};

#[tokio::test(start_paused = true)]
async fn an_attempt_elsewhere_is_the_same_after_a_pause() {
    let script = Script::new([Up, Hang, Up]);
    let handle = start("ab", &script, settings());
    handle.established().await.unwrap();
    script.tell(0, Event::Resume(7));
    tokio::time::sleep(2 * SECOND).await;
    script.advise(0, Directive::migrate().because("full"));
    settle().await;
    // Not for so long that exclusions end.
    handle.pause();
    tokio::time::sleep(30 * SECOND).await;
    handle.unpause();
    settle().await;
    let [_, before, after] = &script.dials()[..] else {
        panic!("{:?}", script.dials());
    };
    for dial in [before, after] {
        let attempt = &dial.attempt;
        assert_eq!(
            (attempt.number, attempt.epoch, attempt.step),
            (1, 2, Step::Migrate)
        );
        assert_eq!((attempt.resume, dial.region()), (Some(7), "b"));
        assert_eq!(attempt.previous.as_ref().unwrap().name(), "a");
        assert_eq!(attempt.cause.as_ref().unwrap().reason(), Some("full"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_migration_is_put_off_and_the_old_session_keeps_its_time() {
    let script = Script::new([Up, Hang, Up]);
    let handle = start("ab", &script, settings());
    handle.established().await.unwrap();
    tokio::time::sleep(2 * SECOND).await;
    script.advise(0, Directive::migrate());
    settle().await;
    handle.pause();
    tokio::time::sleep(5 * SECOND).await;
    assert_eq!((phase(&handle), script.dialing()), (Phase::Migrating, 0));
    assert_eq!(handle.current().unwrap().client, 0);
    tokio::time::sleep(6 * SECOND).await;
    assert_eq!(phase(&handle), Phase::Paused);
    assert!(handle.current().is_none());
    assert_eq!(script.closed(0), Some(Close::DrainTimeout));
    handle.unpause();
    assert_eq!(handle.established().await.unwrap().region.name(), "b");
}

#[tokio::test(start_paused = true)]
async fn advice_of_the_old_session_is_followed_after_the_pause() {
    let script = Script::new([Up, Hang, Up]);
    let handle = start("ab", &script, settings().drain(HOUR));
    handle.established().await.unwrap();
    script.advise(0, Directive::migrate());
    settle().await;
    handle.pause();
    settle().await;
    script.advise(0, Directive::rejoin());
    tokio::time::sleep(SECOND).await;
    handle.unpause();
    tokio::time::sleep(SECOND).await;
    let steps: Vec<_> = script
        .dials()
        .iter()
        .map(|dial| dial.attempt.step)
        .collect();
    assert_eq!(steps, [Step::First, Step::Migrate, Step::Rejoin]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_the_end_of_a_pause() {
    for is_advice in [false, true] {
        let script = Script::new([Up, Hang]);
        let handle = Supervisor::new(regions("ab"), script.clone())
            .settings(settings().drain(HOUR))
            .start()
            .unwrap();
        handle.established().await.unwrap();
        script.advise(0, Directive::migrate());
        settle().await;
        handle.pause();
        settle().await;
        match is_advice {
            true => script.advise(0, Directive::fail()),
            false => handle.kick(Directive::fail()),
        }
        let error = handle.closed().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed);
        assert_eq!(script.open(), 0);
    }
}
