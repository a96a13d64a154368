//! A network that comes and goes.

use tower_failover::session::{ErrorKind, Phase};

use crate::support::{MS, Play::*, SECOND, Script, settings, settle, start};

/// Each time the attempt under way is given up, and begun again no sooner than 50 ms later.
#[tokio::test(start_paused = true)]
async fn flapping_makes_no_hot_loop() {
    let script = Script::new([Hang]);
    let handle = start("a", &script, settings());
    for _ in 0..2000 {
        handle.pause();
        settle().await;
        handle.unpause();
        settle().await;
    }
    let gaps = script.gaps();
    assert!(gaps.iter().all(|gap| *gap >= 50), "{gaps:?}");
    assert!(gaps.len() > 30, "{}", gaps.len());
    assert_eq!(script.most_dialing(), 1);
    assert_eq!(script.dials().last().unwrap().attempt.number, 1);
}

/// Half of the time there is a pause, so all takes twice as long.
#[tokio::test(start_paused = true)]
async fn flapping_neither_eats_the_window_nor_stretches_it() {
    let script = Script::new([Refuse("no")]);
    let handle = start("a", &script, settings().give_up_after(4 * SECOND));
    let mut spent = 0;
    while handle.status().borrow().phase != Phase::Stopped {
        handle.pause();
        tokio::time::sleep(10 * MS).await;
        handle.unpause();
        tokio::time::sleep(10 * MS).await;
        spent += 20;
        assert!(spent < 60_000);
    }
    assert!((8_000..9_000).contains(&spent), "{spent}");
    let error = handle.closed().await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::GaveUp, 7));
}

#[tokio::test(start_paused = true)]
async fn what_is_undone_at_once_never_was() {
    let script = Script::new([Hang]);
    let handle = start("a", &script, settings());
    settle().await;
    for _ in 0..100 {
        handle.pause();
        handle.unpause();
    }
    settle().await;
    assert_eq!((script.dials().len(), script.dialing()), (1, 1));
    for _ in 0..100 {
        handle.unpause();
        handle.pause();
    }
    settle().await;
    assert_eq!((script.dials().len(), script.dialing()), (1, 0));
}
