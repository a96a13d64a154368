//! What a kick says counts, whatever is being done.

use tower_failover::session::*;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_kick_that_drops_the_token_drops_it_also_while_waiting() {
    for kick in [
        Directive::resume(),
        Directive::retry(),
        Directive::migrate(),
    ] {
        let script = Script::new([Up]);
        let handle = start("ab", &script, settings());
        handle.established().await.unwrap();
        script.tell(0, Event::Resume(7));
        tokio::time::sleep(2 * SECOND).await;
        script.tell(0, Event::Closed("cut"));
        settle().await;
        handle.kick(kick.clone().drop_resume());
        tokio::time::sleep(SECOND).await;
        assert_eq!(script.dials()[1].attempt.resume, None, "{kick:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_kick_that_excludes_does_so_also_while_waiting() {
    for kick in [Directive::resume(), Directive::retry()] {
        let script = Script::new([Refuse("no"), Up]);
        let handle = start("ab", &script, settings());
        settle().await;
        handle.kick(kick.clone().exclude());
        tokio::time::sleep(SECOND).await;
        assert_eq!(script.regions().concat(), "ab", "{kick:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_kick_that_says_where_is_heard_during_a_migration() {
    let script = Script::new([Up, Refuse("no"), Up]);
    let handle = start("abcd", &script, settings().per_target_attempts(1));
    handle.established().await.unwrap();
    tokio::time::sleep(2 * SECOND).await;
    script.advise(0, Directive::migrate());
    settle().await;
    // b refused; the plan is a migration to c, after a wait.
    handle.kick(Directive::migrate().to(region("d")));
    tokio::time::sleep(SECOND).await;
    let hosts: Vec<_> = script
        .dials()
        .iter()
        .map(|d| d.attempt.region.origin().host().to_owned())
        .collect();
    assert_eq!(hosts, ["a.example", "b.example", "d.example"]);
}

#[tokio::test(start_paused = true)]
async fn kicks_on_sessions_that_are_up_are_paced() {
    // Every session is up at once and the program kicks each: the dials are paced.
    let script = Script::new([Up]);
    let handle = start("ab", &script, settings());
    for _ in 0..200 {
        handle.kick(Directive::retry());
        tokio::time::sleep(MS).await;
    }
    assert!(
        script.gaps().iter().all(|gap| *gap >= 50),
        "{:?}",
        script.gaps()
    );
}
