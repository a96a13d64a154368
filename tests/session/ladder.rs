//! From directive to attempt.

mod steps;

use tower_failover::session::{
    Closed, Directive, ErrorKind, Event, Outcome, Phase, Step, Supervisor,
};

use crate::support::{MS, Play::*, SECOND, Script, regions, settings, until};

#[tokio::test(start_paused = true)]
async fn attempts_that_fail_are_repeated_after_growing_waits() {
    let script = Script::new([Refuse("no")]);
    let handle = Supervisor::new(regions("a"), script.clone())
        .settings(settings().give_up_after(4 * SECOND))
        .start()
        .unwrap();
    let error = handle.closed().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GaveUp);
    assert_eq!(script.gaps(), [100, 200, 400, 800, 1600, 900]);
    assert_eq!(error.attempts(), 7);
    assert_eq!(
        error.to_string(),
        "no session came up in time, after 7 attempts in 4.0 s in a: connecting failed"
    );
}

#[tokio::test(start_paused = true)]
async fn after_three_attempts_another_region_is_tried() {
    let script = Script::new([Refuse("no")]);
    let handle = Supervisor::new(regions("abc"), script.clone())
        .settings(settings().total_attempts(12))
        .start()
        .unwrap();
    let error = handle.closed().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Attempts);
    assert_eq!(script.regions().concat(), "aaabbbcccaaa");
    assert_eq!(error.tried().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_session_told_to_go_serves_until_the_next_is_up() {
    let script = Script::new([Up, After(300 * MS, Box::new(Up))]);
    let handle = Supervisor::new(regions("ab"), script.clone())
        .settings(settings())
        .start()
        .unwrap();
    let mut status = handle.status();
    assert_eq!(handle.established().await.unwrap().client, 0);
    until(&mut status, Phase::Connected).await;
    tokio::time::sleep(2 * SECOND).await;
    script.tell(0, Event::Advice(Directive::migrate().because("go away")));
    let migrating = until(&mut status, Phase::Migrating).await;
    assert_eq!(migrating.region.unwrap().name(), "a");
    assert_eq!(handle.current().unwrap().client, 0);
    assert_eq!(script.open(), 1);
    let connected = until(&mut status, Phase::Connected).await;
    assert_eq!(
        (connected.region.unwrap().name(), connected.epoch),
        ("b", 2)
    );
    assert_eq!(handle.current().unwrap().client, 1);
    assert_eq!(script.gaps(), [2000]);
    assert_eq!(script.dials()[1].attempt.step, Step::Migrate);
}

#[tokio::test(start_paused = true)]
async fn the_classifier_has_the_last_word() {
    let script = Script::new([UpFor(3 * SECOND, "bye")]);
    let handle = Supervisor::new(regions("ab"), script.clone())
        .settings(settings())
        .classifier(|outcome| match outcome {
            Outcome::Exited { exit: &"bye", .. } => Directive::finish(),
            _ => Directive::retry(),
        })
        .start()
        .unwrap();
    match handle.closed().await.unwrap() {
        Closed::Exited(exit) => assert_eq!(*exit, "bye"),
        other => panic!("{other:?}"),
    }
}
