//! Each directive, and what the next attempt is like.

use std::time::Duration;

use tower_failover::session::{Directive, Event, Forgive, Settings, Step, Supervisor};

use crate::support::{MS, Play::*, SECOND, Script, regions, settings, settle};

/// The attempt that follows on the end of a session that told a token, by its step, region, whether it
/// has the token, and how long after the end it comes.
async fn next(directive: Directive, ran: Duration) -> String {
    let script = Script::new([Up]);
    let handle = Supervisor::new(regions("ab"), script.clone())
        .settings(settings())
        .classifier(move |_| directive.clone())
        .start()
        .unwrap();
    handle.established().await.unwrap();
    script.tell(0, Event::Resume(7));
    tokio::time::sleep(ran).await;
    script.tell(0, Event::Closed("cut"));
    let mut status = handle.status();
    status.wait_for(|status| status.epoch == 2).await.unwrap();
    let dial = script.dials()[1].clone();
    let token = match dial.attempt.resume {
        Some(7) => "with",
        _ => "without",
    };
    let wait = script.gaps()[0] - ran.as_millis();
    let (step, region) = (dial.attempt.step, dial.region());
    format!("{step:?} in {region} {token} after {wait}")
}

#[tokio::test(start_paused = true)]
async fn a_directive_says_where_when_and_with_what() {
    for (directive, expected) in [
        (Directive::resume(), "Resume in a with after 0"),
        (
            Directive::resume().drop_resume(),
            "Resume in a without after 0",
        ),
        (Directive::retry(), "Retry in a with after 100"),
        (Directive::retry().exclude(), "Migrate in b with after 100"),
        (Directive::retry().soft(), "Retry in a with after 100"),
        (Directive::migrate(), "Migrate in b with after 0"),
        (
            Directive::migrate().drop_resume(),
            "Migrate in b without after 0",
        ),
        (Directive::rejoin(), "Rejoin in a without after 0"),
        (
            Directive::rejoin().keep_resume(),
            "Rejoin in a with after 0",
        ),
        (Directive::rejoin().exclude(), "Rejoin in b without after 0"),
    ] {
        for ran in [10 * MS, 2 * SECOND] {
            assert_eq!(
                next(directive.clone(), ran).await,
                expected,
                "{directive:?}"
            );
        }
    }
}

/// The regions dialed by so many attempts that fail.
async fn walk(names: &str, settings: Settings, directive: Directive, dials: u32) -> String {
    let script = Script::new([Refuse("no")]);
    let handle = Supervisor::new(regions(names), script.clone())
        .settings(settings.total_attempts(dials))
        .classifier(move |_| directive.clone())
        .start()
        .unwrap();
    handle.closed().await.unwrap_err();
    script.regions().concat()
}

#[tokio::test(start_paused = true)]
async fn a_region_is_left_when_it_is_worn_out_or_excluded() {
    let (resume, retry) = (Directive::resume(), Directive::retry());
    for (names, per_target, directive, expected) in [
        ("abc", 3, &retry, "aaabbbcccaaabbb"),
        ("abc", 3, &resume, "aaabbbcccaaabbb"),
        ("abc", 1, &retry, "abcabc"),
        ("ab", 0, &retry, "aaaaaaaaaa"),
        ("a", 2, &retry, "aaaaaa"),
        ("abc", 3, &retry.clone().exclude(), "abcabc"),
        ("abc", 3, &Directive::migrate(), "abcabc"),
    ] {
        let settings = settings().per_target_attempts(per_target);
        let walked = walk(names, settings, directive.clone(), expected.len() as u32).await;
        assert_eq!(walked, expected, "{directive:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_exclusion_ends_with_its_time() {
    // After waits of 0, 100 and 200 ms, the first two regions have been left for 300 ms, the third for 200.
    let settings = settings().exclusion_ttl(250 * MS);
    let walked = walk("abcd", settings, Directive::migrate(), 4).await;
    assert_eq!(walked, "abca");
}

#[tokio::test(start_paused = true)]
async fn exclusions_are_forgiven_when_healthy_or_on_connect() {
    for (forgive, ran, expected) in [
        (Forgive::OnHealthy, 10 * MS, "abc"),
        (Forgive::OnConnect, 10 * MS, "aba"),
        (Forgive::OnHealthy, 1010 * MS, "aba"),
    ] {
        let script = Script::new([UpFor(ran, "full"), UpFor(ran, "full"), Hang]);
        let _handle = Supervisor::new(regions("abc"), script.clone())
            .settings(settings().forgive(forgive))
            .classifier(|_| Directive::migrate())
            .start()
            .unwrap();
        tokio::time::sleep(5 * SECOND).await;
        assert_eq!(script.regions().concat(), expected, "{forgive:?}, {ran:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_too_old_makes_a_new_beginning() {
    for (told, ran, expected) in [
        (None, 1, (Step::Rejoin, None)),
        (Some(20 * SECOND), 1, (Step::Resume, Some(7))),
    ] {
        let script = Script::new([Up, Refuse("no"), Refuse("no"), Up]);
        let handle = Supervisor::new(regions("ab"), script.clone())
            .settings(settings().resume_window(150 * MS).per_target_attempts(0))
            .classifier(|_| Directive::resume())
            .start()
            .unwrap();
        handle.established().await.unwrap();
        script.tell(0, Event::Resume(7));
        if let Some(window) = told {
            script.tell(0, Event::ResumeWindow(window));
        }
        tokio::time::sleep(ran * SECOND).await;
        script.tell(0, Event::Closed("cut"));
        tokio::time::sleep(5 * SECOND).await;
        let attempt = script.dials()[3].attempt.clone();
        assert_eq!((attempt.step, attempt.resume), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_says_itself_when_it_is_healthy() {
    let script = Script::new([Up, UpFor(MS, "cut"), UpFor(MS, "cut"), Up]);
    let handle = Supervisor::new(regions("a"), script.clone())
        .settings(settings())
        .classifier(|_| Directive::resume())
        .start()
        .unwrap();
    handle.established().await.unwrap();
    script.tell(0, Event::HealthyAfter(5 * SECOND));
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(handle.status().borrow().attempt, 1, "not yet");
    tokio::time::sleep(4 * SECOND).await;
    assert_eq!(handle.status().borrow().attempt, 0);
    script.tell(0, Event::Closed("cut"));
    let mut status = handle.status();
    status.wait_for(|status| status.epoch == 4).await.unwrap();
    assert_eq!(script.gaps()[1..], [101, 201]);
    script.tell(3, Event::HealthyAfter(Duration::ZERO));
    settle().await;
    assert_ne!(
        handle.status().borrow().attempt,
        0,
        "fifty milliseconds at least"
    );
    tokio::time::sleep(60 * MS).await;
    assert_eq!(handle.status().borrow().attempt, 0);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_comes_from_the_last_session_wherever_was_dialed_since() {
    let script = Script::new([Refuse("full"), UpFor(2 * SECOND, "bye"), Refuse("no")]);
    let settings = settings().per_target_attempts(1).total_attempts(3);
    let supervisor = Supervisor::new(regions("abc"), script.clone()).settings(settings);
    supervisor.start().unwrap().closed().await.unwrap_err();
    let ways = script.dials().into_iter().map(|dial| {
        let from = dial.attempt.previous.as_ref();
        format!("{}{}", from.map_or("-", |from| from.name()), dial.region())
    });
    // Before there was a session, from the attempt before. A healthy run forgives all.
    assert_eq!(ways.collect::<Vec<_>>(), ["-a", "ab", "bb", "ba", "bc"]);
}
