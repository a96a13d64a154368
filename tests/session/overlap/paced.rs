//! A server that sends every session away is no better than one that refuses.

use tower_failover::session::{Directive, ErrorKind};

use crate::support::{MS, Play::*, SECOND, Script, settings, start};

#[tokio::test(start_paused = true)]
async fn a_server_that_sends_every_session_away_meets_growing_waits_and_is_given_up() {
    let script = Script::new([Up]);
    let handle = start("abc", &script, settings().give_up_after(10 * SECOND));
    let mut status = handle.status();
    for n in 0.. {
        let up = status.wait_for(|status| status.epoch == n + 1);
        if up.await.is_err() {
            break;
        }
        script.advise(n as usize, Directive::migrate());
        if script.dials().len() > 100 {
            break;
        }
    }
    let error = handle.closed().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GaveUp);
    // The first migration is at once; what is left of the ten seconds comes last.
    let gaps = [0, 100, 200, 400, 800, 1600, 1600, 1600, 1600, 1600, 500];
    assert_eq!(script.gaps(), gaps);
    assert_eq!(script.regions().concat(), "abcabcabcabc");
}

#[tokio::test(start_paused = true)]
async fn sessions_that_were_healthy_are_replaced_at_once() {
    let script = Script::new([Up]);
    let handle = start("ab", &script, settings().give_up_after(10 * SECOND));
    let mut status = handle.status();
    for n in 0..20 {
        let up = status.wait_for(|status| status.epoch == n + 1);
        up.await.unwrap();
        tokio::time::sleep(SECOND + 10 * MS).await;
        script.advise(n as usize, Directive::migrate());
    }
    let gaps = script.gaps();
    assert!(gaps.iter().all(|gap| *gap == 1010), "{gaps:?}");
    assert_eq!(script.regions()[..4], ["a", "b", "a", "b"]);
}
