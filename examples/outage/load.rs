//! Calls that come when they come, whether or not the earlier ones were answered.

use std::{ops::Range, sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    attempts::Tally,
    client::{Client, End},
    stats::{Sample, Track},
};

/// Calls of one client in a second.
pub(crate) const RATE: u32 = 100;

/// Calls in a second of a client that has just started: its budget has seen no answers yet.
pub(crate) const STARTED_RATE: u32 = 20;

/// When a caller hangs up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes so many calls a second in that time after `start`, and waits for the last of them.
pub(crate) async fn run(
    client: Arc<Client>,
    track: Arc<Track>,
    start: Instant,
    time: Range<Duration>,
    rate: u32,
) {
    // The same moments for every client and in every run.
    let mut random = fastrand::Rng::with_seed(1);
    let mut calls = JoinSet::new();
    for n in 0_u32.. {
        let at =
            time.start + Duration::from_secs_f64((f64::from(n) + random.f64()) / f64::from(rate));
        if at >= time.end {
            break;
        }
        sleep_until(start + at).await;
        let (client, track) = (Arc::clone(&client), Arc::clone(&track));
        calls.spawn(async move {
            let tally = Tally::default();
            let end = timeout_at(start + at + PATIENCE, client.call(&tally)).await;
            track.add(Sample {
                at,
                // From when it was due: a client that is late is slow.
                took: start.elapsed().saturating_sub(at),
                end: end.unwrap_or(End::Lost),
                attempts: tally.attempts(),
            });
        });
        while calls.try_join_next().is_some() {}
    }
    calls.join_all().await;
}
