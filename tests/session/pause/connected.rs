//! A pause while a session is up.

use tower_failover::session::{Event, Phase, Step};

use super::{HOUR, phase, sleep_for_an_hour};
use crate::support::{MS, Play::*, SECOND, Script, settings, start};

#[tokio::test(start_paused = true)]
async fn a_session_that_is_up_stays() {
    let script = Script::new([Up]);
    let handle = start("a", &script, settings());
    handle.established().await.unwrap();
    sleep_for_an_hour(&handle).await;
    assert_eq!(phase(&handle), Phase::Connected);
    assert_eq!(handle.current().unwrap().epoch, 1);
    assert_eq!(script.dials().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_dies_in_a_pause_is_replaced_after_it() {
    for (ran, after) in [(500 * MS, 100), (10 * SECOND, 100)] {
        let script = Script::new([UpFor(ran, "cut"), Refuse("no")]);
        let handle = start("a", &script, settings().give_up_after(2 * SECOND));
        handle.established().await.unwrap();
        handle.pause();
        tokio::time::sleep(HOUR).await;
        assert_eq!(phase(&handle), Phase::Paused);
        assert!(handle.current().is_none());
        assert_eq!(script.dials().len(), 1);
        handle.unpause();
        let error = handle.closed().await.unwrap_err();
        let gaps = script.gaps();
        assert!(
            (3_600_000 + after..3_600_010 + after).contains(&gaps[0]),
            "{gaps:?}"
        );
        assert_eq!(gaps[1..], [200, 400, 800, 500]);
        let elapsed = error.elapsed().as_millis();
        assert!((2000..=2010).contains(&elapsed), "{elapsed}");
    }
}

/// What began to fail before the pause, with a session up that is not healthy yet.
#[tokio::test(start_paused = true)]
async fn the_window_stands_still_while_a_session_is_up_that_is_not_healthy() {
    let script = Script::new([Refuse("no"), UpFor(2 * HOUR, "cut"), Refuse("no")]);
    let settings = settings().healthy_after(10 * HOUR).give_up_after(4 * HOUR);
    let handle = start("a", &script, settings);
    handle.established().await.unwrap();
    handle.pause();
    tokio::time::sleep(90 * HOUR).await;
    handle.unpause();
    tokio::time::sleep(3 * HOUR).await;
    assert_ne!(phase(&handle), Phase::Stopped);
    let error = handle.closed().await.unwrap_err();
    assert_eq!(error.elapsed().as_secs(), 4 * 3600);
}

#[tokio::test(start_paused = true)]
async fn a_token_keeps_what_was_left_of_its_window() {
    let script = Script::new([Up]);
    let handle = start("a", &script, settings().resume_window(5 * SECOND));
    handle.established().await.unwrap();
    script.tell(0, Event::Resume(7));
    handle.pause();
    tokio::time::sleep(2 * SECOND).await;
    script.tell(0, Event::Closed("cut"));
    tokio::time::sleep(HOUR).await;
    handle.unpause();
    handle.established().await.unwrap();
    let attempt = script.dials()[1].attempt.clone();
    assert_eq!((attempt.resume, attempt.step), (Some(7), Step::Retry));
}
