//! Regions that are discovered, and what the discovery is told.

use tower_failover::Regions;
use tower_failover::session::{CauseKind, Directive, ErrorKind, Outcome, Step, Supervisor};

use super::{Source, begin, epoch};
use crate::support::{Play::*, SECOND, Script, settings, settle};

#[tokio::test(start_paused = true)]
async fn the_source_is_told_what_is_excluded_and_what_is_left() {
    let source = Source::new(&["ab", "abc"]);
    let script = Script::new([Up]);
    let handle = begin(source.coordinator(), &script);
    epoch(&handle, 1).await;
    assert_eq!(source.asked(), ["-/"]);
    script.advise(0, Directive::migrate());
    epoch(&handle, 2).await;
    assert_eq!(source.asked().len(), 1, "the list has another one");
    script.advise(1, Directive::migrate());
    epoch(&handle, 3).await;
    assert_eq!(source.asked(), ["-/", "b/ab"]);
    assert_eq!(script.regions().concat(), "abc");
    let attempt = script.dials()[2].attempt.clone();
    assert_eq!(attempt.previous.unwrap().name(), "b");
    assert_eq!(attempt.excluded.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_names_excluded_regions_is_checked() {
    let source = Source::new(&["a", "ab", "ab"]);
    let script = Script::new([Up]);
    let handle = begin(source.coordinator(), &script);
    epoch(&handle, 1).await;
    script.advise(0, Directive::migrate());
    epoch(&handle, 2).await;
    assert_eq!(script.regions().concat(), "ab");
    assert_eq!(source.asked(), ["-/", "a/a"]);
}

#[tokio::test(start_paused = true)]
async fn where_all_are_excluded_the_oldest_comes_first() {
    let source = Source::new(&["abc"]);
    let script = Script::new([Refuse("no")]);
    let _handle = Supervisor::new(source.coordinator(), script.clone())
        .settings(settings().total_attempts(8))
        .classifier(|_: Outcome<'_, _, _>| Directive::migrate())
        .start()
        .unwrap();
    tokio::time::sleep(30 * SECOND).await;
    assert_eq!(script.regions().concat(), "abcabcab");
    // Each time all of the list are excluded there might be a new one.
    assert_eq!(source.asked()[1..3], ["c/abc", "a/bca"]);
}

#[tokio::test(start_paused = true)]
async fn a_rejoin_asks_anew() {
    let source = Source::new(&["ab", "ba"]);
    let script = Script::new([Up]);
    let handle = begin(source.coordinator(), &script);
    epoch(&handle, 1).await;
    tokio::time::sleep(2 * SECOND).await;
    script.advise(0, Directive::rejoin());
    epoch(&handle, 2).await;
    assert_eq!(script.regions().concat(), "ab");
    assert_eq!(source.asked(), ["-/", "a/"]);
    assert_eq!(script.dials()[1].attempt.step, Step::Rejoin);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_is_an_outcome_like_others() {
    let source = Source::new(&["!"]);
    let script = Script::new([Up]);
    let handle = Supervisor::new(source.coordinator(), script.clone())
        .settings(settings().give_up_after(10 * SECOND))
        .classifier(|outcome: Outcome<'_, _, _>| {
            assert!(matches!(outcome, Outcome::NoRegion(why) if why.discovery().is_some()));
            Directive::retry()
        })
        .start()
        .unwrap();
    let error = handle.closed().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GaveUp);
    assert_eq!(error.cause().unwrap().kind(), CauseKind::NoRegion);
    assert!(error.tried().is_empty());
    assert_eq!(error.attempts(), 11, "paced by the backoff");
    let asked = source.asked().len();
    assert!((2..=11).contains(&asked), "{asked}");
    assert!(script.dials().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_source_may_settle_the_matter() {
    for (answer, is_empty) in [("!", false), ("", true)] {
        let source = Source::new(&[answer]);
        let script = Script::new([Up]);
        let handle = Supervisor::new(source.coordinator(), script.clone())
            .settings(settings())
            .classifier(move |outcome: Outcome<'_, _, _>| match outcome {
                Outcome::NoRegion(why) if why.discovery().is_none() == is_empty => {
                    Directive::fail()
                }
                _ => Directive::retry(),
            })
            .start()
            .unwrap();
        let error = handle.closed().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (ErrorKind::Failed, 1),
            "{answer}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_renewed_still_serves() {
    let source = Source::new(&["ab", "!"]);
    let script = Script::new([Up]);
    let handle = begin(source.coordinator(), &script);
    epoch(&handle, 1).await;
    for n in 0..3 {
        tokio::time::sleep(2 * SECOND).await;
        script.advise(n, Directive::rejoin().exclude());
        epoch(&handle, n as u64 + 2).await;
    }
    assert_eq!(script.regions().concat(), "abab");
    assert!(source.asked().len() > 1);
}

/// The API of a media service is no media server, and it is not dialed even where nothing else is left.
#[tokio::test(start_paused = true)]
async fn a_coordinator_is_never_dialed() {
    for answers in [&["ab"][..], &["!"], &[""], &["ab", "!"]] {
        let source = Source::new(answers);
        let script = Script::new([Refuse("no")]);
        let handle = Supervisor::new(source.coordinator(), script.clone())
            .settings(settings().total_attempts(12))
            .classifier(|_: Outcome<'_, _, _>| Directive::rejoin().exclude())
            .start()
            .unwrap();
        handle.closed().await.unwrap_err();
        let dials = script.dials();
        let mut hosts = dials.iter().map(|dial| dial.attempt.region.origin().host());
        assert!(hosts.all(|host| host != "api.example.com"), "{answers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn home_is_dialed_first_and_nobody_is_asked_for_that() {
    let source = Source::new(&["bc"]);
    let script = Script::new([Up, Refuse("no"), Up]);
    let handle = begin(source.home("https://a.example.com"), &script);
    epoch(&handle, 1).await;
    assert_eq!(
        script.dials()[0].attempt.region.origin().host(),
        "a.example.com"
    );
    assert!(source.asked().is_empty());
    script.advise(0, Directive::migrate());
    epoch(&handle, 2).await;
    let hosts: Vec<_> = script
        .dials()
        .iter()
        .map(|dial| dial.attempt.region.origin().host().to_owned())
        .collect();
    assert_eq!(hosts, ["a.example.com", "b.example.com", "b.example.com"]);
    assert_eq!(source.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_discovery_without_a_home_is_a_failure_that_is_told() {
    let source = Source::new(&["ab"]);
    let script = Script::new([Up]);
    let handle = begin(Regions::discover(source.discovery()), &script);
    settle().await;
    let cause = handle.status().borrow().cause.clone().unwrap();
    assert_eq!(cause.kind(), CauseKind::NoRegion);
    assert!(cause.error().is_some());
    assert!(source.asked().is_empty() && script.dials().is_empty());
}
