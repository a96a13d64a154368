//! How long a call waits before another attempt.

use std::{
    io::ErrorKind::ConnectionRefused,
    time::{Duration, SystemTime},
};

use http::{Method, StatusCode};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};
use tower_failover::{Backoff, Budget, FailoverLayer, Health, Jitter, Served, Stop};

use crate::support::{Act, Script, layer, no_wait, request, timed, wait_of};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

fn busy(header: &'static str, value: impl ToString) -> Act {
    Act::StatusWith(503, header, value.to_string())
}

/// The waits of one call before each of its later attempts; attempts take no time.
async fn waits(layer: &FailoverLayer, acts: impl IntoIterator<Item = Act>) -> Vec<Duration> {
    let script = Script::new(acts);
    let client = layer.layer(script.clone());
    client.oneshot(request(Method::GET)).await.unwrap();
    let at: Vec<Instant> = script.seen().iter().map(|seen| seen.at).collect();
    at.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// A layer whose calls do not influence each other.
fn unlimited(regions: u8) -> FailoverLayer {
    layer(regions)
        .budget(Budget::unlimited())
        .health(Health::off())
        .max_attempts(u32::from(regions))
}

/// A layer that asks its only region again.
fn same() -> FailoverLayer {
    unlimited(1)
        .retry_same_region(true)
        .max_attempts(2)
        .backoff(wait_of(S))
}

#[tokio::test(start_paused = true)]
async fn waits_double_up_to_the_cap() {
    let backoff = Backoff::exponential(100 * MS, 500 * MS).jitter(Jitter::None);
    let failures = vec![Act::Status(503); 5];
    let waits = waits(&unlimited(6).backoff(backoff), failures).await;
    assert_eq!(waits, [100, 200, 400, 500, 500].map(Duration::from_millis));
}

#[tokio::test(start_paused = true)]
async fn waits_stay_within_their_bounds_by_default() {
    let layer = unlimited(8);
    for _ in 0..200 {
        let waits = waits(&layer, vec![Act::Status(503); 7]).await;
        let bounds = [100, 200, 400, 800, 1600, 2000, 2000].map(Duration::from_millis);
        assert_eq!(waits.len(), bounds.len());
        for (wait, bound) in waits.iter().zip(bounds) {
            // The timer counts in whole milliseconds.
            assert!(*wait <= bound + MS, "{waits:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn equal_jitter_waits_at_least_half() {
    let backoff = Backoff::exponential(S, S).jitter(Jitter::Equal);
    let layer = unlimited(2).backoff(backoff);
    for _ in 0..200 {
        let waits = waits(&layer, [Act::Status(503)]).await;
        assert!((500 * MS..=S + MS).contains(&waits[0]), "{waits:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_attempt_does_not_wait() {
    let client = layer(2).backoff(wait_of(S)).layer(Script::default());
    let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    assert_eq!(elapsed, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_does_not_wait() {
    let script = Script::new([Act::Status(503), Act::Status(503)]);
    let client = layer(2).backoff(wait_of(S)).layer(script.clone());
    let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(response.unwrap().status(), 503);
    assert_eq!((script.asked().len(), elapsed), (2, S));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_never_sent_waits_as_well() {
    let waits = waits(
        &layer(2).backoff(wait_of(S)),
        [Act::Fail(ConnectionRefused)],
    )
    .await;
    assert_eq!(waits, [S]);
}

#[tokio::test(start_paused = true)]
async fn without_a_wait_the_replay_is_sent_at_once() {
    let waits = waits(&unlimited(3).backoff(no_wait()), vec![Act::Status(503); 2]).await;
    assert_eq!(waits, [Duration::ZERO; 2]);
}

/// Calls that fail together, and their waits in the order of the calls.
async fn waits_of_calls_that_fail_together(layer: &FailoverLayer, calls: usize) -> Vec<Duration> {
    let start = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..calls {
        let script = Script::new([Act::After(S, Box::new(Act::Status(503)))]);
        let call = layer.layer(script.clone()).oneshot(request(Method::GET));
        tasks.push(tokio::spawn(async move {
            call.await.unwrap();
            script.seen()
        }));
    }
    let mut waits = Vec::new();
    for task in tasks {
        let seen = task.await.unwrap();
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[0].at, start);
        waits.push(seen[1].at - start - S);
    }
    waits
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_together_spread_evenly_over_the_whole_wait() {
    const CALLS: usize = 4000;
    let layer = unlimited(2).backoff(Backoff::exponential(10 * S, 10 * S));
    let mut waits = waits_of_calls_that_fail_together(&layer, CALLS).await;
    waits.sort();
    // The distance to the even distribution (Kolmogorov and Smirnov): exceeded by chance about once
    // in 10^10 runs, for 2 exp(-2 * 12.25) is 5e-11.
    let bound = 3.5 / (CALLS as f64).sqrt();
    for (n, wait) in waits.iter().enumerate() {
        let (share, chance) = (n as f64 / CALLS as f64, wait.as_secs_f64() / 10.0);
        assert!(
            (share - chance).abs() < bound,
            "{share} of the waits are below {wait:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn two_calls_that_fail_together_do_not_wait_alike() {
    const CALLS: usize = 2000;
    let layer = unlimited(2).backoff(Backoff::exponential(10 * S, 10 * S));
    let waits = waits_of_calls_that_fail_together(&layer, CALLS).await;
    // Each call against the next: two even and independent waits are 3.33 s apart on average, with
    // a standard deviation of 2.36 s for one pair and 75 ms for the mean of a thousand.
    let pairs = waits.chunks(2).map(|pair| pair[0].abs_diff(pair[1]));
    let mean = pairs.sum::<Duration>() / (CALLS as u32 / 2);
    assert!((2800 * MS..=3900 * MS).contains(&mean), "{mean:?}");
    let mut distinct = waits.clone();
    distinct.sort();
    distinct.dedup();
    // Of 10 000 milliseconds 1813 are expected to be hit, standard deviation 13.
    assert!(distinct.len() > 1700, "{}", distinct.len());
}

#[tokio::test(start_paused = true)]
async fn the_same_region_is_not_asked_before_the_time_it_asked_for() {
    for (act, wait) in [
        (busy("retry-after", 3), 3 * S),
        (busy("retry-after", 1), S),
        (busy("grpc-retry-pushback-ms", 2500), 2500 * MS),
    ] {
        assert_eq!(waits(&same(), [act]).await, [wait]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shorter_wish_does_not_shorten_the_wait() {
    for act in [busy("retry-after", 0), busy("grpc-retry-pushback-ms", 10)] {
        assert_eq!(waits(&same(), [act]).await, [S]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wish_lengthens_the_wait_by_five_seconds_at_most() {
    for (act, wait) in [
        (busy("retry-after", 6), 6 * S),
        (busy("retry-after", 7), 6 * S),
        (busy("retry-after", u128::MAX), 6 * S),
        (busy("grpc-retry-pushback-ms", u64::MAX), 6 * S),
    ] {
        assert_eq!(waits(&same(), [act]).await, [wait]);
    }
    let none = same().backoff(no_wait());
    assert_eq!(waits(&none, [busy("retry-after", 60)]).await, [5 * S]);
}

#[tokio::test(start_paused = true)]
async fn a_wish_is_a_floor_for_random_waits_too() {
    let layer = same().backoff(Backoff::exponential(4 * S, 4 * S));
    let mut longer = 0;
    for _ in 0..200 {
        let waits = waits(&layer, [busy("retry-after", 2)]).await;
        assert!((2 * S..=4 * S + MS).contains(&waits[0]), "{waits:?}");
        longer += u32::from(waits[0] > 2 * S + MS);
    }
    // Half of the draws are above the wish: 100 expected, standard deviation 7.
    assert!((50..=150).contains(&longer), "{longer}");
}

#[tokio::test(start_paused = true)]
async fn a_wish_given_as_a_date_is_kept() {
    let date = |seconds| {
        #[expect(
            clippy::disallowed_methods,
            reason = "the header names a wall-clock time"
        )]
        let then = SystemTime::now() + Duration::from_secs(seconds);
        httpdate::fmt_http_date(then)
    };
    // A date has whole seconds, and the clock goes on between here and there.
    let waits_of = async |seconds| waits(&same(), [busy("retry-after", date(seconds))]).await[0];
    let wait = waits_of(4).await;
    assert!((2 * S..=4 * S).contains(&wait), "{wait:?}");
    assert_eq!(waits_of(3600).await, 6 * S);
    let past = "Sun, 06 Nov 1994 08:49:37 GMT";
    assert_eq!(waits(&same(), [busy("retry-after", past)]).await, [S]);
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_makes_no_sense_is_none() {
    for text in ["", "soon", "-1", "1.5"] {
        assert_eq!(
            waits(&same(), [busy("retry-after", text)]).await,
            [S],
            "{text}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn another_region_need_not_wait_for_what_the_first_asked_for() {
    for header in ["retry-after", "grpc-retry-pushback-ms"] {
        let layer = unlimited(2).backoff(wait_of(S));
        assert_eq!(waits(&layer, [busy(header, 3000)]).await, [S], "{header}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_that_asked_for_rest_gets_it_from_later_calls() {
    let script = Script::new([busy("retry-after", 10)]);
    let layer = layer(2).backoff(no_wait());
    let health = Health::default().ramp(Duration::ZERO);
    let client = layer.health(health).layer(script.clone());
    let call = async || {
        let response = client.clone().oneshot(request(Method::GET)).await;
        response.unwrap()
    };
    call().await;
    tokio::time::sleep(9 * S).await;
    let response = call().await;
    assert_eq!(
        response
            .extensions()
            .get::<Served>()
            .unwrap()
            .attempts()
            .len(),
        1
    );
    assert!(script.probes().is_empty());
    // The rest is made longer by up to a third.
    tokio::time::sleep(5 * S).await;
    assert_eq!(script.probes().len(), 1);
    call().await;
    assert_eq!(script.asked(), ["a", "b", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_asked_again_after_another_is_not_asked_too_soon() {
    let layer = unlimited(2).retry_same_region(true).max_attempts(3);
    for (hint, expected) in [("3", 2), ("1", 1), ("60", 6)] {
        let acts = [busy("retry-after", hint), Act::Status(503)];
        let waits = waits(&layer.clone().backoff(wait_of(S)), acts).await;
        // Of the time that the first region asked for, the wait for the second was one part.
        assert_eq!(waits, [S, expected * S], "{hint}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_region_is_asked_only_after_every_other_one() {
    let script = Script::new([
        busy("retry-after", 3),
        Act::Status(503),
        busy("retry-after", 2),
    ]);
    let client = unlimited(2)
        .max_attempts(4)
        .retry_same_region(true)
        .backoff(wait_of(S))
        .layer(script.clone());
    let start = Instant::now();
    client.oneshot(request(Method::GET)).await.unwrap();
    let at: Vec<_> = script.seen().iter().map(|seen| seen.at - start).collect();
    assert_eq!(script.asked(), ["a", "b", "a", "b"]);
    assert_eq!(at[1], S, "another region was asked");
}

#[tokio::test(start_paused = true)]
async fn a_wish_of_never_ends_the_call_at_once() {
    for value in ["-1", "soon", ""] {
        let script = Script::new([busy("grpc-retry-pushback-ms", value)]);
        let client = layer(3).backoff(wait_of(S)).layer(script.clone());
        let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
        assert_eq!(response.unwrap().status(), 503, "{value}");
        assert_eq!(
            (script.asked().len(), elapsed),
            (1, Duration::ZERO),
            "{value}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_wish_of_never_does_not_outlast_its_call() {
    let script = Script::new([busy("grpc-retry-pushback-ms", -1), Act::Status(503)]);
    let client = layer(2).backoff(no_wait()).layer(script.clone());
    let first = client.clone().oneshot(request(Method::GET)).await.unwrap();
    let second = client.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(
        (first.status().as_u16(), second.status().as_u16()),
        (503, 200)
    );
    assert_eq!(script.asked(), ["a", "a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_outlasts_the_calls_time_ends_it_at_once() {
    let script = Script::new([busy("retry-after", 3)]);
    let client = same().total_timeout(2 * S).layer(script.clone());
    let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(response.unwrap().status(), 503);
    assert_eq!((script.asked().len(), elapsed), (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_wait_without_end_is_only_begun_where_the_call_may_last_as_long() {
    let script = Script::new([Act::Fail(ConnectionRefused)]);
    let client = layer(2)
        .total_timeout(3600 * S)
        .backoff(wait_of(Duration::MAX))
        .layer(script.clone());
    let (result, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(result.unwrap_err().stop(), Some(Stop::Deadline));
    assert_eq!((script.asked().len(), elapsed), (1, Duration::ZERO));

    let script = Script::new([Act::Status(503)]);
    let client = layer(2)
        .backoff(wait_of(Duration::MAX))
        .layer(script.clone());
    let call = client.oneshot(request(Method::GET));
    let year = 365 * 86_400 * S;
    assert!(tokio::time::timeout(year, call).await.is_err(), "it waits");
    assert_eq!((script.asked().len(), script.in_flight()), (1, 0));
}
