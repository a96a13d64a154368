//! Servers that let sessions in and end them, and many sessions that are cut off together.

mod together;

use std::time::Duration;

use tower_failover::{
    Backoff, Jitter,
    session::{Directive, ErrorKind, Handle, Outcome, Supervisor},
};

use crate::support::{Exit, MS, Play::*, Refused, SECOND, Script, regions, settings, settle};

/// A supervisor that says this of all that goes wrong, and gives up after half a minute.
fn says(directive: Directive, names: &str, script: &Script) -> Handle<Exit, usize> {
    Supervisor::new(regions(names), script.clone())
        .settings(settings().give_up_after(30 * SECOND))
        .classifier(move |_: Outcome<'_, Refused, Exit>| directive.clone())
        .start()
        .unwrap()
}

/// The waits of 100 ms doubling to 1.6 s in half a minute, with the time that a session is up.
fn expected(is_first_free: bool, up: u128) -> Vec<u128> {
    let growing = [100, 200, 400, 800].into_iter();
    let waits = growing.chain(std::iter::repeat(1600));
    let free = is_first_free.then_some(0);
    let gaps = free.into_iter().chain(waits).map(|wait| wait + up);
    // The first session ends when the window begins.
    let mut left = 30_000 + up;
    gaps.map_while(|gap| {
        let is_whole = gap <= left;
        let gap = gap.min(left);
        left -= gap;
        (is_whole || gap >= up).then_some(gap)
    })
    .take_while(|gap| *gap > 0 || up == 0)
    .collect()
}

#[tokio::test(start_paused = true)]
async fn accept_then_close_meets_growing_waits_and_is_given_up() {
    for (directive, is_first_free) in [
        (Directive::resume(), true),
        (Directive::resume().soft(), true),
        (Directive::migrate(), true),
        (Directive::rejoin(), true),
        (Directive::retry(), false),
        (Directive::retry().exclude(), false),
    ] {
        for names in ["a", "abc"] {
            let script = Script::new([UpFor(10 * MS, "bye")]);
            let handle = says(directive.clone(), names, &script);
            let error = handle.closed().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::GaveUp, "{directive:?}");
            let gaps = script.gaps();
            let growing = expected(is_first_free, 10);
            let shared = growing.len() - 2;
            assert_eq!(gaps[..shared], growing[..shared], "{directive:?}");
            assert!(gaps.len().abs_diff(growing.len()) <= 1, "{gaps:?}");
            let elapsed = error.elapsed();
            assert!(
                (30 * SECOND..30 * SECOND + 20 * MS).contains(&elapsed),
                "{elapsed:?}"
            );
        }
    }
}

/// A wait that is asked for takes the place of a shorter one of ours, and is no way around the longer.
#[tokio::test(start_paused = true)]
async fn short_waits_that_are_asked_for_make_no_hot_loop() {
    for after in [Duration::ZERO, 10 * MS, 300 * MS] {
        let script = Script::new([UpFor(10 * MS, "bye")]);
        let handle = says(Directive::resume().after(after), "a", &script);
        handle.closed().await.unwrap_err();
        let gaps = script.gaps();
        assert!(gaps.len() < 130, "{after:?}: {}", gaps.len());
        assert!(gaps.iter().all(|gap| *gap >= 60), "{after:?}: {gaps:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_sends_all_away_at_once_meets_growing_waits() {
    let script = Script::new([Up]);
    let handle = says(Directive::retry(), "ab", &script);
    let mut status = handle.status();
    let mut epoch = 0;
    while let Ok(up) = status.wait_for(|status| status.epoch > epoch).await {
        epoch = up.epoch;
        drop(up);
        script.advise(epoch as usize - 1, Directive::migrate());
        settle().await;
        assert!(epoch < 50);
    }
    let waits = [0, 100, 200, 400, 800, 1600, 1600];
    for (gap, wait) in script.gaps().into_iter().zip(waits) {
        assert!((wait..=wait + 1).contains(&gap), "{:?}", script.gaps());
    }
    assert_eq!(handle.closed().await.unwrap_err().kind(), ErrorKind::GaveUp);
}

#[tokio::test(start_paused = true)]
async fn a_healthy_run_makes_the_waits_short_again() {
    let short = || UpFor(10 * MS, "bye");
    let long = || UpFor(1010 * MS, "bye");
    for (directive, first) in [(Directive::resume(), 0), (Directive::retry(), 100)] {
        let plays = [
            short(),
            short(),
            short(),
            short(),
            long(),
            short(),
            short(),
            Hang,
        ];
        let script = Script::new(plays);
        let _handle = says(directive.clone(), "a", &script);
        tokio::time::sleep(Duration::from_secs(20)).await;
        let waits: Vec<_> = script.gaps().iter().map(|gap| gap % 1000 - 10).collect();
        let shares: [u128; 7] = match first {
            0 => [0, 100, 200, 400, 0, 100, 200],
            _ => [100, 200, 400, 800, 100, 200, 400],
        };
        assert_eq!(waits[..7], shares, "{directive:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_a_moment_too_short_is_not_healthy() {
    let script = Script::new([UpFor(990 * MS, "bye")]);
    let handle = says(Directive::resume(), "a", &script);
    handle.closed().await.unwrap_err();
    assert_eq!(script.gaps()[..5], [990, 1090, 1190, 1390, 1790]);
    assert!(script.dials().len() < 20);
}

/// Full jitter may draw nothing, and base may be next to nothing.
#[tokio::test(start_paused = true)]
async fn no_settings_make_a_hot_loop() {
    let least = Duration::from_nanos(1);
    for jitter in [Jitter::Full, Jitter::Equal, Jitter::None] {
        let script = Script::new([Refuse("no")]);
        let backoff = Backoff::exponential(least, least).jitter(jitter);
        let handle = Supervisor::new(regions("ab"), script.clone())
            .settings(settings().backoff(backoff).give_up_after(10 * SECOND))
            .start()
            .unwrap();
        handle.closed().await.unwrap_err();
        assert!(script.gaps().iter().all(|gap| *gap >= 50));
        assert!(script.dials().len() <= 201);
    }
}
