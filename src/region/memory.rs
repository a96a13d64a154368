mod record;

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use record::{Ejection, Record};
pub(crate) use record::{Failed, Glance, Overtaken};

use super::Health;
use crate::{
    classify::{Blame, Reason},
    time::after,
};

/// What is remembered of one region.
///
/// How it stands is one word, which is all that calls look at to choose a region; why it stands so is
/// a record under a lock, which failures and probes write.
#[derive(Debug)]
pub(crate) struct Memory {
    /// One of the constants below, or [`RAMP`] and the nanoseconds from `epoch` to its return.
    standing: AtomicU64,
    epoch: Instant,
    record: Mutex<Record>,
}

/// Nothing is held against it.
const CLEAR: u64 = 0;
/// It is in, but there is something on record.
const SUSPECT: u64 = 1;
/// It is out until a probe succeeds.
const OUT: u64 = 2;
/// It is out because somebody said so.
const HELD: u64 = 3;
/// It came back, so many nanoseconds after the epoch.
const RAMP: u64 = 4;

/// How many successes on the ramp make up for one failure. Else a region with a few errors in a thousand
/// calls would never be back for a client that makes hundreds in a second.
const TOLERANCE: u32 = 10;

/// How often in a row a region's answers may come later than those to hedges: being late now and then
/// is what hedges are for (Cosmos DB's clients count to five as well).
const OVERTAKEN: u32 = 5;
/// And for how long it may be that none came first: a pause of garbage collection is not yet a failure,
/// however many calls it holds up.
const SILENCE: Duration = Duration::from_millis(500);

/// How a region stands with those who choose one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Standing {
    In,
    /// For this share of its traffic.
    Partly(f64),
    Out,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            standing: AtomicU64::new(CLEAR),
            epoch: Instant::now(),
            record: Mutex::default(),
        }
    }
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Record> {
        // Nothing under this lock runs foreign code, so a poisoned record is still whole.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn word(&self) -> u64 {
        self.standing.load(Ordering::Acquire)
    }

    fn set(&self, standing: u64) {
        self.standing.store(standing, Ordering::Release);
    }

    /// Whether there is nothing against the region. No lock, no clock.
    pub(crate) fn is_clear(&self) -> bool {
        self.word() == CLEAR
    }

    /// Whether the region is out. No lock, no clock.
    pub(crate) fn is_out(&self) -> bool {
        matches!(self.word(), OUT | HELD)
    }

    /// Whether the region is out because somebody said so. No lock, no clock.
    pub(crate) fn is_held(&self) -> bool {
        self.word() == HELD
    }

    /// How the region stands. No lock.
    pub(crate) fn standing(&self, health: &Health, now: Instant) -> Standing {
        match self.word() {
            HELD => Standing::Out,
            // Layers with other settings may share this memory.
            _ if health.is_off() => Standing::In,
            OUT => Standing::Out,
            CLEAR | SUSPECT => Standing::In,
            ramp => match health.share(now.saturating_duration_since(self.returned(ramp))) {
                share if share < 1.0 => Standing::Partly(share),
                _ => Standing::In,
            },
        }
    }

    /// When the region came back, by the word of one that is on the ramp.
    fn returned(&self, ramp: u64) -> Instant {
        after(self.epoch, Duration::from_nanos(ramp - RAMP))
    }

    /// Ends the ejection, or whatever is on record: the region is back from now on.
    fn restore(&self, record: &mut Record, ramp: Duration, now: Instant) {
        *record = Record {
            restored: Some(now),
            failed: record.failed,
            ..Record::default()
        };
        let back = now.saturating_duration_since(self.epoch).as_nanos();
        self.set(match u64::try_from(back) {
            Ok(back) if !ramp.is_zero() => back.saturating_add(RAMP),
            _ => CLEAR,
        });
    }

    /// The region answered an attempt that was sent at this time; `None` is before anything that is
    /// remembered. Any answer brings a region back that was out, and a success clears its record;
    /// says whether the region is back.
    ///
    /// What was sent before the region went out says nothing of how it is now.
    pub(super) fn answered(&self, health: &Health, success: bool, sent: Option<Instant>) -> bool {
        let word = self.word();
        if word == CLEAR || word == HELD || health.is_off() {
            return false;
        }
        let mut record = self.lock();
        match &record.ejection {
            Some(ejection) => {
                let is_back = self.word() == OUT && sent.is_some_and(|sent| sent >= ejection.since);
                if is_back {
                    self.restore(&mut record, health.ramp_time(), Instant::now());
                }
                is_back
            }
            None => {
                if success {
                    record.failures = 0;
                    record.overtaken = 0;
                    record.silent_since = None;
                    record.weak = None;
                    // Until the ramp is over the word tells when it began.
                    if self.is_on_ramp(health, Instant::now()) {
                        record.succeeded_since = record.succeeded_since.saturating_add(1);
                    } else {
                        self.set(CLEAR);
                    }
                }
                false
            }
        }
    }

    fn is_on_ramp(&self, health: &Health, now: Instant) -> bool {
        matches!(self.standing(health, now), Standing::Partly(_))
    }

    /// An attempt failed; says how long until the first probe, when that ejects the region. `all_out` is
    /// whether calls go there only because all regions are out.
    pub(super) fn failed(
        &self,
        health: &Health,
        failure: &Failed,
        all_out: bool,
        now: Instant,
    ) -> Option<Duration> {
        if health.is_off() || failure.blame == Blame::None {
            return None;
        }
        let mut record = self.lock();
        if failure.is_from_before(record.restored) {
            return None;
        }
        let wait = health.wait(record.failed);
        if let Some(ejection) = &mut record.ejection {
            // Calls that were under way when the region went out say nothing new. Those that follow the
            // order because all regions are out say what a probe would.
            let is_news = !failure.is_from_before(Some(ejection.since));
            if all_out && self.word() == OUT && is_news && failure.blame != Blame::Weak {
                ejection.next_probe = ejection.next_probe.max(after(now, wait));
            }
            return None;
        }
        match failure.blame {
            Blame::Weak if record.weak.replace(failure.route) == Some(failure.route) => {}
            Blame::Eject => record.failures = u32::MAX,
            _ => record.failures = record.failures.saturating_add(1),
        }
        let enough = match failure.blame {
            // A weak vote never ejects alone, however few are enough.
            Blame::Weak => health.enough().max(2),
            _ if self.is_on_ramp(health, now) => {
                record.failed_since = record.failed_since.saturating_add(1);
                match record.failed_since.saturating_mul(TOLERANCE) > record.succeeded_since {
                    true => 1,
                    false => health.enough(),
                }
            }
            _ => health.enough(),
        };
        if record.failures < enough {
            if self.is_clear() {
                self.set(SUSPECT);
            }
            return None;
        }
        Some(self.condemn(&mut record, health, failure.reason, now))
    }

    /// A hedge was answered before an attempt that was sent at this time.
    pub(crate) fn overtaken(
        &self,
        health: &Health,
        sent: Option<Instant>,
        now: Instant,
    ) -> Overtaken {
        let mut record = self.lock();
        let is_older = |than: Instant| sent.is_some_and(|sent| sent < than);
        if health.is_off() || record.ejection.is_some() || record.restored.is_some_and(is_older) {
            return Overtaken::default();
        }
        record.overtaken = record.overtaken.saturating_add(1);
        record.silent_since.get_or_insert(sent.unwrap_or(now));
        let mut overtaken = Overtaken {
            ejected: None,
            is_telling: (2..=OVERTAKEN).contains(&record.overtaken),
            is_first: record.overtaken == 1,
        };
        if record.is_silent(now) {
            let wait = self.condemn(&mut record, health, Reason::Overtaken, now);
            overtaken.ejected = Some(wait);
        } else if self.is_clear() {
            self.set(SUSPECT);
        }
        overtaken
    }

    /// A call to the region was late, and could not be hedged; says how long until the first probe, when
    /// that is the last of many that ejects the region.
    pub(crate) fn is_late(&self, health: &Health, now: Instant) -> Option<Duration> {
        if self.is_clear() || health.is_off() {
            return None;
        }
        let mut record = self.lock();
        let is_enough = record.ejection.is_none() && record.is_silent(now);
        is_enough.then(|| self.condemn(&mut record, health, Reason::Overtaken, now))
    }

    /// Ejects the region for what it did.
    fn condemn(
        &self,
        record: &mut Record,
        health: &Health,
        reason: Reason,
        now: Instant,
    ) -> Duration {
        let before = record.same_trouble(health, now);
        record.failed = before.map_or(0, |failed| failed.saturating_add(1));
        let wait = health.wait(record.failed);
        self.eject(record, reason, now, wait);
        wait
    }

    fn eject(&self, record: &mut Record, reason: Reason, now: Instant, wait: Duration) {
        record.ejection = Some(Ejection {
            since: now,
            reason,
            next_probe: after(now, wait),
            probes: 0,
        });
        self.set(OUT);
    }

    /// Keeps calls away for the time that the region asked for in answer to an attempt sent at this time,
    /// within the longest wait of `health`; says for how long, when that is news.
    pub(super) fn rest(
        &self,
        health: &Health,
        wish: Duration,
        failure: &Failed,
        now: Instant,
    ) -> Option<Duration> {
        let wait = health.rest(wish);
        if wait.is_zero() {
            return None;
        }
        let mut record = self.lock();
        if failure.is_from_before(record.restored) || self.word() == HELD {
            return None;
        }
        match &mut record.ejection {
            Some(ejection) => {
                ejection.next_probe = ejection.next_probe.max(after(now, wait));
                None
            }
            None => {
                record.failed = record.same_trouble(health, now).unwrap_or(0);
                self.eject(&mut record, failure.reason, now, wait);
                Some(wait)
            }
        }
    }

    /// Takes the region out for this long, whatever is known of it.
    pub(crate) fn hold(&self, health: &Health, time: Duration) {
        let mut record = self.lock();
        // Under the lock, so that no probe is sent later that is from before.
        let now = Instant::now();
        record.failed = record.same_trouble(health, now).unwrap_or(0);
        self.eject(&mut record, Reason::ByHand, now, time);
        self.set(HELD);
    }

    /// Takes the region back at once, and forgets what is on record; says whether it was not in.
    pub(crate) fn release(&self, now: Instant) -> bool {
        let mut record = self.lock();
        if self.is_clear() {
            return false;
        }
        let was_away = self.word() > SUSPECT;
        self.restore(&mut record, Duration::ZERO, now);
        record.is_forgiven = true;
        was_away
    }

    /// When the region is to be probed, while it is out, and whether it was before.
    pub(crate) fn next_probe(&self) -> Option<(Instant, bool)> {
        if !self.is_out() {
            return None;
        }
        let record = self.lock();
        let ejection = record.ejection.as_ref()?;
        Some((ejection.next_probe, ejection.probes > 0))
    }

    /// A probe is on its way.
    pub(crate) fn probed(&self) {
        if let Some(ejection) = &mut self.lock().ejection {
            ejection.probes = ejection.probes.saturating_add(1);
        }
    }

    /// A probe that was sent at this time found the region well; says whether it is back by that.
    pub(crate) fn probe_succeeded(&self, health: &Health, sent: Instant, now: Instant) -> bool {
        let mut record = self.lock();
        // One that went out since is another matter.
        let is_meant = |ejection: &Ejection| ejection.since <= sent;
        let is_back = record.ejection.as_ref().is_some_and(is_meant);
        if is_back {
            self.restore(&mut record, health.ramp_time(), now);
        }
        is_back
    }

    /// A probe that was sent at this time found nothing well.
    pub(crate) fn probe_failed(&self, health: &Health, sent: Instant, now: Instant) {
        let mut record = self.lock();
        let failed = record.failed.saturating_add(1);
        match &mut record.ejection {
            Some(ejection) if ejection.since <= sent => {
                // Later, if the region has asked for that meanwhile.
                let next = after(now, health.wait(failed));
                ejection.next_probe = ejection.next_probe.max(next);
                record.failed = failed;
                // Whoever held it out said for how long, and that is over.
                self.set(OUT);
            }
            _ => {}
        }
    }

    /// A probe that was sent at this time did not reach the region.
    pub(crate) fn probe_missed(&self, health: &Health, sent: Instant, now: Instant) {
        let mut record = self.lock();
        let wait = health.wait(record.failed);
        if let Some(ejection) = &mut record.ejection {
            if ejection.since <= sent {
                ejection.next_probe = after(now, wait);
            }
        }
    }

    /// What is known of the region.
    pub(crate) fn glance(&self, health: &Health, now: Instant) -> Glance {
        let record = self.lock();
        let standing = self.standing(health, now);
        let ejection = record.ejection.as_ref();
        Glance {
            standing,
            since: match standing {
                Standing::In | Standing::Partly(_) => record.restored,
                Standing::Out => ejection.map(|ejection| ejection.since),
            },
            reason: ejection.map(|ejection| ejection.reason),
            next_probe: ejection.map(|ejection| ejection.next_probe),
        }
    }
}
