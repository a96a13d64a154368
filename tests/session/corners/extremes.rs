//! Times without end, a list of one, and what is not shown.

use std::time::Duration;

use tower_failover::session::*;

use super::*;

#[tokio::test(start_paused = true)]
async fn times_without_end_do_not_panic() {
    let max = Duration::MAX;
    let settings = Settings::default()
        .backoff(tower_failover::Backoff::exponential(max, max))
        .healthy_after(max)
        .attempt_timeout(max)
        .give_up_after(max)
        .resume_window(max)
        .exclusion_ttl(max)
        .drain(max)
        .close_timeout(max);
    let script = Script::new([Up, Refuse("no"), Up]);
    let handle = start("ab", &script, settings);
    handle.established().await.unwrap();
    script.tell(0, Event::ResumeWindow(max));
    script.tell(0, Event::HealthyAfter(max));
    settle().await;
    handle.pause();
    settle().await;
    handle.unpause();
    script.advise(0, Directive::migrate().after(max).within(max));
    settle().await;
    handle.kick(Directive::rejoin().after(max));
    settle().await;
    handle.kick(Directive::fail());
    handle.closed().await.unwrap_err();
}

#[test]
fn no_token_is_shown() {
    let event: Event<&str, ()> = Event::Resume("s3cret");
    assert!(!format!("{event:?}").contains("s3cret"));
}

#[tokio::test(start_paused = true)]
async fn what_was_to_be_another_region_is_a_retry_where_there_is_none() {
    for (names, expected) in [("a", Step::Retry), ("ab", Step::Migrate)] {
        let script = Script::new([Refuse("no")]);
        let _handle = start(names, &script, settings());
        tokio::time::sleep(5 * SECOND).await;
        let steps: Vec<_> = script.dials()[..4].iter().map(|d| d.attempt.step).collect();
        assert_eq!(
            steps,
            [Step::First, Step::Retry, Step::Retry, expected],
            "{names}"
        );
    }
}
