//! What a call remembers, reports and returns of how its attempts went.

use std::time::Duration;

use tokio::time::Instant;

use super::{Call, Cause};
use crate::{
    BoxError,
    classify::{Blame, Failure, FailureKind, Reason},
    config::Shared,
    error::{Error, ErrorKind},
    region::{Failed, Region},
    report::{self, AttemptRecord, Served, Stop},
};

impl Call {
    /// The region did its work: says where the answer came from, unless it is the usual place.
    pub(crate) fn succeeded(
        &mut self,
        reason: Reason,
        now: impl Fn() -> Instant,
    ) -> Option<Served> {
        // Late is no success: where all regions are overloaded it would pay for replays that are late
        // too, and keep them so.
        if !self.is_late(&now) {
            self.shared.config.budget.deposit();
            // What another region would have done as well is not what replays are for.
            let is_elsewhere = !self.tried().contains(&self.place);
            if let Some(token) = self.token.take().filter(|_| is_elsewhere) {
                token.refund();
            }
        }
        report::budget(|| self.shared.config.budget.available());
        self.note_answer(true);
        self.note_latency(&now);
        self.answered(reason, None, now)
    }

    /// Whether the answer took longer than a region may take. Only a replay asks the clock: of a first
    /// attempt it is noticed while it is waited for.
    fn is_late(&self, now: impl FnOnce() -> Instant) -> bool {
        let timeout = self.policy.attempt_timeout;
        self.patient
            || self.number > 1 && timeout.is_some_and(|timeout| self.elapsed(now()) >= timeout)
    }

    /// The region is there, whatever it answered.
    pub(crate) fn note_answer(&self, success: bool) {
        let (board, health) = (self.board(), &self.shared.config.health);
        if board.answered(health, self.place, success, self.sent) {
            self.shared.restored(self.region());
        }
    }

    /// The answer goes to the caller: says where it came from, unless that is the usual place.
    pub(crate) fn answered(
        &mut self,
        reason: Reason,
        kind: Option<FailureKind>,
        now: impl FnOnce() -> Instant,
    ) -> Option<Served> {
        if self.number == 1 && self.is_home() {
            return None;
        }
        let now = now();
        self.record_rival(Reason::Overtaken, now);
        self.record(reason, kind, now);
        Some(Served::new(self.region().clone(), self.take_records()))
    }

    /// The current attempt failed: remembers that against the region.
    pub(crate) fn note_failure(&self, cause: &Cause, now: Instant) {
        if cause.kind().is_some() {
            let elapsed = self.elapsed(now);
            report::attempt_failed(self.number, self.region(), cause.reason(), elapsed);
        }
        self.blame(cause, now);
    }

    pub(super) fn blame(&self, cause: &Cause, now: Instant) {
        match cause {
            // One attempt, one count: it was late already, and that was counted.
            Cause::Failure(failure) if self.patient && failure.blamed() != Blame::Eject => {}
            _ => self.blame_place(self.place, self.sent, cause, now),
        }
    }

    pub(super) fn blame_place(
        &self,
        place: usize,
        sent: Option<Instant>,
        cause: &Cause,
        now: Instant,
    ) {
        let Cause::Failure(failure) = cause else {
            return;
        };
        let failed = self.failed_attempt(failure, sent);
        let (board, health) = (self.board(), &self.shared.config.health);
        if let Some(wait) = board.failed(health, self.home, place, &failed, now) {
            self.ejected(place, failure.reason(), wait, now);
        }
    }

    /// What health has to know of an attempt that was sent at this time and failed.
    pub(super) fn failed_attempt(&self, failure: &Failure, sent: Option<Instant>) -> Failed {
        Failed {
            blame: failure.blamed(),
            reason: failure.reason(),
            route: self.route,
            sent,
        }
    }

    /// Tells that a region is out, and whether that leaves none.
    pub(super) fn ejected(&self, place: usize, reason: Reason, wait: Duration, now: Instant) {
        let Shared {
            config, directory, ..
        } = &*self.shared;
        let board = self.board();
        self.shared.ejected(board.region(place), reason, wait);
        if board.is_all_out(&config.health, self.home, now) {
            directory.all_out(self.home().origin());
        }
    }

    /// There is no further attempt.
    pub(crate) fn give_up(&self, why: Stop) {
        report::not_replayed(self.region(), why);
    }

    /// Ends the call with the error of its last attempt.
    pub(crate) fn failed(
        &mut self,
        cause: &Cause,
        stop: Stop,
        source: Option<BoxError>,
        now: Instant,
    ) -> Error {
        self.record(cause.reason(), cause.kind(), now);
        self.exhausted(stop, source)
    }

    /// Ends the call with the error of the attempt recorded last.
    pub(crate) fn exhausted(&mut self, stop: Stop, source: Option<BoxError>) -> Error {
        let unsent = |record: &AttemptRecord| record.failure() == Some(FailureKind::NeverSent);
        let mut records = self.past.iter().flat_map(|past| &past.records);
        let kind = if records.all(unsent) {
            ErrorKind::NeverSent
        } else {
            ErrorKind::Unknown
        };
        self.error(kind, Some(stop), source)
    }

    /// Ends the call with an error that no region is to blame for.
    pub(crate) fn refused(&mut self, reason: Reason, source: BoxError, now: Instant) -> Error {
        self.record(reason, None, now);
        self.record_rival(Reason::Overtaken, now);
        self.error(ErrorKind::Request, None, Some(source))
    }

    /// Ends the call because its time is over, during an attempt that `cause` says this of; `source` is
    /// the client's error, if that was the first to notice.
    pub(crate) fn timed_out(
        &mut self,
        cause: &Cause,
        source: Option<BoxError>,
        now: Instant,
    ) -> Error {
        let elapsed = self.elapsed(now);
        report::attempt_failed(self.number, self.region(), Reason::TotalTimeout, elapsed);
        // A region is to blame that had as long as one may take, by the layer's own settings: a
        // caller who is in a hurry says nothing of it. The total time began a little earlier than
        // the attempt, at the call.
        let total = self.shared.config.total_timeout;
        let timeouts = [
            self.policy.attempt_timeout,
            total.map(|total| total - total / 10),
        ];
        let had_its_time = |elapsed| timeouts.iter().flatten().any(|timeout| elapsed >= *timeout);
        if had_its_time(elapsed) {
            self.blame(cause, now);
        }
        if let Some((place, sent)) = self.rival() {
            if had_its_time(now.saturating_duration_since(sent)) {
                self.blame_place(place, Some(sent), cause, now);
            }
        }
        self.record(Reason::TotalTimeout, cause.kind(), now);
        self.record_rival(Reason::TotalTimeout, now);
        self.error(ErrorKind::Timeout, Some(Stop::Deadline), source)
    }

    fn error(&mut self, kind: ErrorKind, stop: Option<Stop>, source: Option<BoxError>) -> Error {
        let error = Error::new(kind, stop, self.take_records(), source);
        #[cfg(feature = "tonic")]
        if self.grpc {
            return error.with_status();
        }
        error
    }

    pub(super) fn record(&mut self, reason: Reason, kind: Option<FailureKind>, now: Instant) {
        let (region, elapsed) = (self.region().clone(), self.elapsed(now));
        self.record_at(region, reason, kind, elapsed);
    }

    pub(super) fn record_at(
        &mut self,
        region: Region,
        reason: Reason,
        kind: Option<FailureKind>,
        elapsed: Duration,
    ) {
        let record = AttemptRecord::new(region, reason, elapsed, kind);
        self.past().records.push(record);
    }

    pub(super) fn take_records(&mut self) -> Vec<AttemptRecord> {
        std::mem::take(&mut self.past().records)
    }

    /// The time that the current attempt has taken.
    fn elapsed(&self, now: Instant) -> Duration {
        let ended = self.past.as_ref().and_then(|past| past.ended);
        self.sent.map_or(Duration::ZERO, |sent| {
            ended.unwrap_or(now).saturating_duration_since(sent)
        })
    }
}
