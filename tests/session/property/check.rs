//! What has to hold.

use std::time::Duration;

use proptest::{prelude::*, test_runner::TestCaseResult};
use tokio::time::Instant;
use tower_failover::session::ErrorKind;

use super::{
    says::Kind,
    scripts::Case,
    world::{Seen, Wrong},
};
use crate::support::MS;

/// What tokio's timer adds to a wait at most, for each of a few.
const ROUNDING: Duration = Duration::from_millis(5);
const FLOOR: Duration = Duration::from_millis(50);

/// What holds whatever the program does.
pub(super) fn sound(case: &Case, seen: &Seen) -> TestCaseResult {
    prop_assert!(seen.most_dialing <= 1, "one dial at a time");
    prop_assert!(seen.most_open <= 2, "one session, and one that it follows");
    prop_assert_eq!(seen.left, (0, 0, 0), "nothing is left");
    prop_assert_eq!(
        seen.dials.len(),
        seen.dials_when_stopped,
        "no dial after the stop"
    );
    prop_assert!(seen.epochs.is_sorted(), "{:?}", seen.epochs);
    let ups = seen.dials.iter().filter(|dial| dial.up.is_some()).count();
    let epoch = seen.epochs.last().copied().unwrap_or(0);
    prop_assert_eq!(epoch, ups as u64, "each session has its epoch");
    for dial in &seen.dials {
        let is_excluded = |name: &str| {
            let mut excluded = dial.attempt.excluded.iter();
            excluded.any(|region| region.name() == name)
        };
        let mut names = ["a", "b", "c", "d"].into_iter().take(case.regions);
        if is_excluded(dial.region()) {
            prop_assert!(names.all(is_excluded), "another is left: {dial:?}");
        }
        let up_at = dial.up.unwrap_or(dial.at);
        prop_assert!(up_at <= dial.at + case.times.attempt_timeout + ROUNDING);
        prop_assert!(!in_pause(seen, dial.at), "dialed in a pause");
    }
    let (mut credits, mut first) = (1, None);
    for (n, pair) in seen.dials.windows(2).enumerate() {
        let (last, next) = (pair[0].at, pair[1].at);
        if was_healthy(case, &pair[0].up, next) {
            (credits, first) = (credits + 1, None);
        }
        let mut wrongs = seen.wrongs.iter();
        first = first.or_else(|| Some(wrongs.find(|wrong| wrong.dials == n + 1)?.at));
        if next < last + FLOOR && !is_cut(case, seen, first, next) {
            prop_assert!(credits > 0, "too soon: {:?}", pair);
            credits = 0;
        }
    }
    Ok(())
}

fn in_pause(seen: &Seen, at: Instant) -> bool {
    let mut pauses = seen.pauses.iter();
    pauses.any(|(from, to)| *from + MS < at && at < *to)
}

fn was_healthy(case: &Case, up: &Option<Instant>, until: Instant) -> bool {
    up.is_some_and(|up| until >= up + case.times.healthy_after)
}

/// How much of the time from then to then there was no pause.
fn awake(seen: &Seen, from: Instant, to: Instant) -> Duration {
    let asleep = seen.pauses.iter().map(|pause| {
        let (from, to) = (pause.0.max(from), pause.1.min(to));
        to.saturating_duration_since(from)
    });
    to.saturating_duration_since(from)
        .saturating_sub(asleep.sum())
}

/// Whether a wait until then was the last of an outage that began at `first`: it ends with the window.
fn is_cut(case: &Case, seen: &Seen, first: Option<Instant>, next: Instant) -> bool {
    let (Some(first), Some(window)) = (first, case.times.give_up_after) else {
        return false;
    };
    awake(seen, first, next) + ROUNDING >= window
}

/// What went wrong last between this dial and the next.
fn wrong_after(seen: &Seen, dial: usize) -> Option<&Wrong> {
    seen.wrongs.iter().rfind(|wrong| wrong.dials == dial + 1)
}

/// Each wait is at least the one that is due, but for one in each outage.
pub(super) fn backed_off(case: &Case, seen: &Seen) -> TestCaseResult {
    let (mut has_credit, mut waits) = (true, 0);
    let mut first = None;
    for (n, next) in seen.dials.iter().enumerate().skip(1) {
        let dial = &seen.dials[n - 1];
        let Some(wrong) = wrong_after(seen, n - 1) else {
            let is_put_off = seen
                .pauses
                .iter()
                .any(|(from, _)| *from >= dial.at && *from <= next.at);
            prop_assert!(is_put_off, "dialed for no reason: {next:?}");
            prop_assert!(next.at >= dial.at + FLOOR);
            continue;
        };
        if was_healthy(case, &dial.up, wrong.at) {
            (has_credit, waits, first) = (true, 0, None);
        }
        let since = *first.get_or_insert(wrong.at);
        let waited = awake(seen, wrong.at, next.at);
        let has_pause = waited < next.at - wrong.at;
        let asked = wrong.says.after.unwrap_or_default();
        let least = case.least(waits + 1).max(asked);
        if waited + MS >= least {
            // What was asked for may be what decided, and a pause may hide that there was no wait.
            let is_counted = wrong.says.after.is_none() && !(has_pause && has_credit);
            waits += i32::from(is_counted);
        } else {
            let is_cut = is_cut(case, seen, Some(since), next.at);
            let is_free = has_credit && asked.is_zero() && wrong.says.kind != Kind::Retry;
            prop_assert!(
                is_cut || is_free,
                "{waited:?} < {least:?}, {waits} waits: {next:?}"
            );
            has_credit &= is_cut;
        }
        if wrong.says.leaves() && case.regions > 1 && next.region() == dial.region() {
            let is_over = next.at >= wrong.at + case.times.exclusion_ttl;
            let all = next.attempt.excluded.len() >= case.regions;
            prop_assert!(is_over || all, "it was to be left: {next:?}");
        }
    }
    Ok(())
}

/// It ends in time, and never early.
pub(super) fn given_up(case: &Case, seen: &Seen) -> TestCaseResult {
    let Some(window) = case.times.give_up_after else {
        let gave_up = |end: &Result<_, tower_failover::session::Error>| {
            end.as_ref()
                .is_err_and(|error| error.kind() != ErrorKind::Failed)
        };
        prop_assert!(!seen.end.as_ref().is_some_and(gave_up), "{:?}", seen.end);
        return Ok(());
    };
    // An attempt that began before the end, and the session it brought; and while an old session serves
    // on nothing is given up, nor is a wait cut short that begins then.
    let served = case.times.drain + case.cap;
    let last = case.times.attempt_timeout + case.times.healthy_after + served + ROUNDING;
    match &seen.end {
        Some(Err(error)) if error.kind() == ErrorKind::GaveUp => {
            prop_assert!(error.elapsed() <= window + last, "{:?}", error);
        }
        Some(_) => {}
        None => {
            let mut since = None;
            for (n, dial) in seen.dials.iter().enumerate() {
                for wrong in seen.wrongs.iter().filter(|wrong| wrong.dials == n + 1) {
                    let is_healthy = was_healthy(case, &dial.up, wrong.at);
                    if is_healthy {
                        since = None;
                    }
                    if !(is_healthy && wrong.is_advice) {
                        since.get_or_insert(wrong.at);
                    }
                }
            }
            let up = seen.dials.last().and_then(|dial| dial.up);
            if let (Some(since), false) = (since, was_healthy(case, &up, seen.stopped_at)) {
                let failing = awake(seen, since, seen.stopped_at);
                prop_assert!(failing <= window + last, "{failing:?} of {window:?}");
            }
        }
    }
    Ok(())
}
