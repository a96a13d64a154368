//! A call whose first attempt is raced by a second one.

use std::time::Duration;

use tokio::time::Instant;

use super::{Call, Cause};
use crate::{
    budget::Withdrawal,
    classify::{FailureKind, Reason},
    config::Shared,
    region::Region,
    report::{self, Served},
};

/// What a call knows of its hedge.
#[derive(Debug, Default)]
pub(super) enum Hedging {
    /// There is none, and will be none.
    #[default]
    Off,
    /// There may be one, after this time. It does not change with what is measured meanwhile: a timer
    /// that was set for it would fire for no reason.
    Possible(Option<Duration>),
    UnderWay(Box<Rival>),
    /// There was one, which came to nothing.
    Failed,
    /// It was time for one, but there was nowhere to send it, or nothing to pay it with.
    Missed,
}

impl Hedging {
    fn is_off(&self) -> bool {
        matches!(self, Self::Off)
    }
}

/// The second of two attempts that are under way.
#[derive(Debug)]
pub(super) struct Rival {
    place: usize,
    number: u32,
    sent: Instant,
    token: Withdrawal,
}

/// The decision to hedge.
#[derive(Debug)]
pub(crate) struct Second {
    place: usize,
    token: Withdrawal,
}

impl Call {
    /// The body of the request can be sent twice at a time.
    pub(crate) fn may_be_hedged(&mut self) {
        let is_meant = self.policy.enabled && self.may_replay(FailureKind::Unknown);
        if let (Some(hedge), true) = (&self.shared.config.hedge, is_meant) {
            self.hedging = Hedging::Possible(hedge.delay());
        }
    }

    /// When to send the second request, if there is none until then. Not after the attempt timeout: the
    /// call has looked for somewhere else to go by then, and may still be at it.
    pub(super) fn hedge_at(&self) -> Option<Instant> {
        match self.hedging {
            Hedging::Possible(Some(delay)) if !self.patient => self.sent?.checked_add(delay),
            _ => None,
        }
    }

    /// Whether it is time to.
    pub(crate) fn is_hedge_due(&self, now: Instant) -> bool {
        self.hedge_at().is_some_and(|at| now >= at)
    }

    /// Decides on a second request, and pays it. There is no other occasion.
    pub(crate) fn hedge(&mut self, now: Instant) -> Option<Second> {
        self.hedging = Hedging::Missed;
        let Shared { config, .. } = &*self.shared;
        if self.left(now).is_some_and(|left| left <= self.min_time) {
            return None;
        }
        let board = self.board();
        let place = board.second(&config.health, self.home, self.place, now)?;
        let token = config.budget.withdraw_spare();
        report::budget(|| config.budget.available());
        if token.is_none() {
            // What the budget cannot pay for must still be found out.
            let memory = board.memory(self.place);
            if let Some(wait) = memory.is_late(&config.health, now) {
                self.ejected(self.place, Reason::Overtaken, wait, now);
            }
        }
        Some(Second {
            place,
            token: token?,
        })
    }

    /// Where the second request goes, and its number.
    pub(crate) fn second(&self, second: &Second) -> (&Region, u32) {
        (self.board().region(second.place), self.attempts + 1)
    }

    /// The second request is on its way.
    pub(crate) fn hedged(&mut self, second: Second, now: Instant) {
        let Second { place, mut token } = second;
        token.sent();
        self.attempts += 1;
        report::attempt(self.attempts);
        report::hedging(self.attempts, self.region(), self.board().region(place));
        self.hedging = Hedging::UnderWay(Box::new(Rival {
            place,
            number: self.attempts,
            sent: now,
            token,
        }));
    }

    fn take_rival(&mut self) -> Rival {
        match std::mem::take(&mut self.hedging) {
            Hedging::UnderWay(rival) => *rival,
            _ => unreachable!("only a call that is hedged has a rival"),
        }
    }

    /// The first request came to nothing: the second one goes on as the call's only one, and counts as
    /// the replay that would have been made now.
    pub(crate) fn leave_it_to_hedge(&mut self, cause: &Cause, now: Instant) {
        self.record(cause.reason(), cause.kind(), now);
        let rival = self.take_rival();
        self.heed(self.place, self.sent, cause, rival.place, now);
        let token = self.take_place_of_first(rival);
        self.token = Some(token);
    }

    /// The second request was answered first.
    pub(crate) fn hedge_won(&mut self, now: Instant) {
        if let Some((place, _)) = self.rival() {
            report::overtaken(self.region(), self.board().region(place));
        }
        self.record(Reason::Overtaken, None, now);
        let health = &self.shared.config.health;
        let memory = self.board().memory(self.place);
        let overtaken = memory.overtaken(health, self.sent, now);
        if let Some(wait) = overtaken.ejected {
            self.ejected(self.place, Reason::Overtaken, wait, now);
        }
        if let (Some(hedge), true) = (&self.shared.config.hedge, overtaken.is_first) {
            // One of a row: what a region that has gone silent would have taken is no latency.
            hedge.is_late();
        }
        let rival = self.take_rival();
        let token = self.take_place_of_first(rival);
        if overtaken.is_telling {
            token.refund();
        }
    }

    fn take_place_of_first(&mut self, rival: Rival) -> Withdrawal {
        let place = self.place;
        self.past().tried.push(place);
        self.place = rival.place;
        self.number = rival.number;
        self.sent = Some(rival.sent);
        self.patient = false;
        rival.token
    }

    /// The second request came to nothing, and the first one goes on alone.
    pub(crate) fn hedge_failed(&mut self, cause: &Cause, now: Instant) {
        let rival = self.take_rival();
        let elapsed = now.saturating_duration_since(rival.sent);
        let region = self.board().region(rival.place).clone();
        report::attempt_failed(rival.number, &region, cause.reason(), elapsed);
        self.blame_place(rival.place, Some(rival.sent), cause, now);
        self.record_at(region, cause.reason(), cause.kind(), elapsed);
        self.past().tried.push(rival.place);
        self.heed(rival.place, Some(rival.sent), cause, self.place, now);
        self.hedging = Hedging::Failed;
    }

    /// Whether there is an answer if the current attempt gives none.
    pub(super) fn has_second(&self) -> bool {
        matches!(self.hedging, Hedging::UnderWay(_) | Hedging::Failed)
    }

    /// The first request gave no answer: puts it before the second one's in the record.
    pub(crate) fn first_gave_nothing(&mut self, cause: &Cause, now: Instant) {
        let second = self.past().records.pop();
        self.record(cause.reason(), cause.kind(), now);
        self.past().records.extend(second);
    }

    /// Where the second request's answer comes from.
    pub(crate) fn served_by_second(&mut self) -> Served {
        let records = self.take_records();
        let last = records.last().expect("the second request is on record");
        Served::new(last.region().clone(), records)
    }

    /// The second request, while there is one: where, and when it was sent.
    pub(super) fn rival(&self) -> Option<(usize, Instant)> {
        match &self.hedging {
            Hedging::UnderWay(rival) => Some((rival.place, rival.sent)),
            _ => None,
        }
    }

    /// Notes how the second request ends, if there is one, together with the call.
    pub(super) fn record_rival(&mut self, reason: Reason, now: Instant) {
        if let Some((place, sent)) = self.rival() {
            // To come second is no failure.
            let kind = (reason != Reason::Overtaken).then_some(FailureKind::Unknown);
            let elapsed = now.saturating_duration_since(sent);
            let region = self.board().region(place).clone();
            self.record_at(region, reason, kind, elapsed);
        }
    }

    /// The call succeeded at an attempt that could be hedged.
    pub(super) fn note_latency(&self, now: impl FnOnce() -> Instant) {
        if let (Some(hedge), false) = (&self.shared.config.hedge, self.hedging.is_off()) {
            hedge.answered(|| {
                self.sent
                    .map_or(Duration::ZERO, |sent| now().saturating_duration_since(sent))
            });
        }
    }
}
