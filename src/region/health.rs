use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    backoff::{Backoff, Jitter},
    classify::Blame,
    time::after,
};

/// What makes a region pass as failed, and for how long it is passed over.
///
/// Outcomes are remembered per region and shared by all clones of a layer. A connect failure ejects
/// a region at once; `502`, `503`, `504`, resets and timeouts do so when
/// [`consecutive`](Self::consecutive) of them follow each other. A `500`, or an error that is not
/// recognised, counts only if it came from another path than the last one, so that one request that
/// always fails ejects nothing. A success clears the record.
///
/// An ejected region is passed over, unless all are out. Every
/// [`probe_every`](Self::probe_every) one call is sent there, whichever comes first, to find out
/// whether it is back: any answer below 500 brings it back.
///
/// # Defaults
///
/// Two in a row; tried again after 2 s, growing to 15 s while it stays down.
#[derive(Clone, Debug)]
#[must_use]
pub struct Health {
    /// How long to stay away; `None` remembers nothing.
    absence: Option<Backoff>,
    consecutive: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            absence: Some(absence(Duration::from_secs(2), Duration::from_secs(15))),
            consecutive: 2,
        }
    }
}

impl Health {
    /// Remembers nothing: every call starts at home.
    pub fn off() -> Self {
        Self {
            absence: None,
            ..Self::default()
        }
    }

    /// Sets how many counted failures in a row eject a region; 0 reads as 1.
    ///
    /// # Defaults
    ///
    /// 2: a single failure may be chance, and each further one costs a caller an attempt.
    pub fn consecutive(mut self, failures: u32) -> Self {
        self.consecutive = failures.max(1);
        self
    }

    /// Sets how long an ejected region is left alone before it is tried again: `min` at first,
    /// doubling up to `max` while it stays down. Each wait is shortened by up to half, at random,
    /// so that clients do not return together. `max` also bounds what a `Retry-After` can ask for.
    ///
    /// No effect after [`off`](Self::off).
    ///
    /// # Defaults
    ///
    /// 2 s and 15 s: short enough that traffic is home soon, rare enough to be no load.
    pub fn probe_every(mut self, min: Duration, max: Duration) -> Self {
        if self.absence.is_some() {
            self.absence = Some(absence(min, max));
        }
        self
    }

    pub(crate) fn is_off(&self) -> bool {
        self.absence.is_none()
    }
}

fn absence(min: Duration, max: Duration) -> Backoff {
    Backoff::exponential(min, max).jitter(Jitter::Equal)
}

/// A failed attempt, as far as health is concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed {
    pub(crate) blame: Blame,
    pub(crate) route: u64,
    pub(crate) sent: Option<Instant>,
}

/// What is remembered of one region.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Whether there is anything in `record`: all that the path of a healthy call looks at.
    marked: AtomicBool,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    failures: u32,
    /// The route of the last weak vote.
    weak: Option<u64>,
    ejection: Option<Ejection>,
    /// When the region was last back after an ejection.
    restored: Option<Instant>,
}

#[derive(Debug)]
struct Ejection {
    since: Instant,
    /// When the next call may try; each that does moves it on.
    until: Instant,
    /// When the last call was let in to try, until it is known to have failed.
    trial: Option<Instant>,
    /// How many trials failed, and so how far the wait has grown.
    failed: u32,
}

impl Ejection {
    fn new(since: Instant, until: Instant) -> Self {
        Self {
            since,
            until,
            trial: None,
            failed: 0,
        }
    }

    fn wait(&self, absence: &Backoff) -> Duration {
        absence.delay(self.failed.saturating_add(1), fastrand::f64())
    }
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Record> {
        // Nothing under this lock runs foreign code, so a poisoned record is still whole.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the region has nothing against it. No lock, no clock.
    pub(super) fn is_clean(&self) -> bool {
        !self.marked.load(Ordering::Acquire)
    }

    /// Whether a call may go there: the region is in, or it is time to try it.
    pub(super) fn is_open(&self, health: &Health, now: Instant) -> bool {
        health.absence.is_none() || self.is_clean() || {
            let ejection = &self.lock().ejection;
            ejection
                .as_ref()
                .is_none_or(|ejection| now >= ejection.until)
        }
    }

    /// Lets a call go there, if it may. When it is time to try an ejected region, the call that is
    /// let in is the one that tries: the door is closed behind it until the next time.
    pub(super) fn enter(&self, health: &Health, now: Instant) -> bool {
        let Some(absence) = &health.absence else {
            return true;
        };
        if self.is_clean() {
            return true;
        }
        match &mut self.lock().ejection {
            None => true,
            Some(ejection) if now >= ejection.until => {
                // A trial that is given up says nothing, and is made again after the same wait.
                ejection.until = after(now, ejection.wait(absence));
                ejection.trial = Some(now);
                true
            }
            Some(_) => false,
        }
    }

    /// The region answered an attempt that was sent at this time; `None` is before anything that is
    /// remembered. Any answer brings a region back that was out, and a success clears its record;
    /// says whether the region is back.
    ///
    /// What was sent before the region went out says nothing of how it is now.
    pub(super) fn answered(&self, success: bool, sent: Option<Instant>) -> bool {
        if self.is_clean() {
            return false;
        }
        let mut record = self.lock();
        let is_back = match &record.ejection {
            Some(ejection) if sent.is_some_and(|sent| sent >= ejection.since) => true,
            None if success => false,
            _ => return false,
        };
        *record = Record {
            restored: is_back.then(Instant::now).or(record.restored),
            ..Record::default()
        };
        self.marked.store(false, Ordering::Release);
        is_back
    }

    /// An attempt of a request with this route failed that was sent at this time; says for how long
    /// that ejects the region.
    pub(super) fn failed(
        &self,
        health: &Health,
        failure: &Failed,
        now: Instant,
    ) -> Option<Duration> {
        let absence = health.absence.as_ref()?;
        let mut record = self.lock();
        let is_older = |than: Instant| failure.sent.is_some_and(|sent| sent < than);
        if failure.blame == Blame::None || record.restored.is_some_and(is_older) {
            return None;
        }
        if let Some(ejection) = &mut record.ejection {
            // Calls that were under way when the region went out say nothing new.
            if ejection.trial.is_some_and(|trial| !is_older(trial)) {
                ejection.trial = None;
                ejection.failed = ejection.failed.saturating_add(1);
                ejection.until = after(now, ejection.wait(absence));
            }
            return None;
        }
        self.marked.store(true, Ordering::Release);
        match failure.blame {
            Blame::Weak if record.weak.replace(failure.route) == Some(failure.route) => {}
            Blame::Eject => record.failures = u32::MAX,
            _ => record.failures = record.failures.saturating_add(1),
        }
        // A weak vote never ejects alone, however few are enough.
        let enough = match failure.blame {
            Blame::Weak => health.consecutive.max(2),
            _ => health.consecutive,
        };
        if record.failures < enough {
            return None;
        }
        let wait = absence.delay(1, fastrand::f64());
        record.ejection = Some(Ejection::new(now, after(now, wait)));
        Some(wait)
    }

    /// Keeps calls away for the time the region asked for, within the longest wait of `health`;
    /// says for how long, when that is news.
    pub(super) fn rest(&self, health: &Health, wish: Duration, now: Instant) -> Option<Duration> {
        let wait = wish.min(health.absence.as_ref()?.cap());
        if wait.is_zero() {
            return None;
        }
        let mut record = self.lock();
        self.marked.store(true, Ordering::Release);
        let until = after(now, wait);
        match &mut record.ejection {
            Some(ejection) => {
                ejection.until = ejection.until.max(until);
                None
            }
            empty @ None => {
                *empty = Some(Ejection::new(now, until));
                Some(wait)
            }
        }
    }
}
