mod denied;
mod need;
mod under_way;

use std::time::Duration;

use tokio::time::Instant;

pub(super) use self::need::Asker;
pub(crate) use self::need::{Known, Need};
use self::{denied::Denied, under_way::UnderWay};
use super::Flight;
use crate::region::Origin;

/// How old the list of a home is, and who is asking for another. The regions themselves are in a
/// [`View`](super::View).
#[derive(Default)]
pub(super) struct Cache {
    list: Option<List>,
    /// After a failure, when discovery is tried again.
    quiet_until: Option<Instant>,
    denied: Denied,
    under_way: UnderWay,
    /// How many fetches there were.
    fetches: u64,
    /// The last of them whose answer is for all.
    last: u64,
    /// The regions that sent calls away since the last one was begun.
    wrong: Vec<Origin>,
    /// The fetch that brought the present list.
    latest: u64,
    /// How many lists came without a fetch.
    pushed: u64,
}

#[derive(Debug)]
struct List {
    came_at: Instant,
    /// How old it was then.
    age: Duration,
    fresh_until: Instant,
    /// Regions that had sent calls away before this list came, which therefore knows of it.
    wrong: Vec<Origin>,
}

/// Which fetch it is, and how many lists had come without one when it was begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    number: u64,
    pushed: u64,
    asker: Asker,
    /// Whether a call needs what it brings.
    is_needed: bool,
}

impl Ticket {
    pub(super) fn is_needed(&self) -> bool {
        self.is_needed
    }

    /// Whether what it brings is for all, also for those who exclude nothing.
    pub(super) fn is_shared(&self) -> bool {
        self.asker.exclusions.is_none()
    }
}

impl Cache {
    pub(super) fn is_known(&self, need: Need<'_>, now: Instant) -> Known {
        let fresh = self.list.as_ref().filter(|list| now < list.fresh_until);
        let does = match need {
            Need::Another => fresh.is_some(),
            Need::Instead(of) => fresh.is_some_and(|list| list.wrong.contains(of)),
            Need::Newer => false,
            // Its own backoff is what it waits for.
            Need::Session => return Known::TooLittle,
        };
        if does {
            Known::Enough
        } else if self.quiet_until.is_some_and(|until| now < until) {
            Known::NotNow
        } else {
            Known::TooLittle
        }
    }

    /// Whether this one was denied the list a moment ago, so that it does not ask again.
    pub(super) fn is_denied(&self, asker: Asker, need: Need<'_>, now: Instant) -> bool {
        !matches!(need, Need::Session) && self.denied.contains(asker.credentials, now)
    }

    /// The fetch to wait for. Who was denied because of another's credentials `insists` on one with
    /// its own, unless too many have asked so already.
    pub(super) fn join(
        &mut self,
        asker: Asker,
        insists: bool,
        timeout: Duration,
        now: Instant,
    ) -> Option<Flight> {
        self.under_way.end_late(timeout, now);
        let flight = self.under_way.latest(asker, insists);
        if flight.is_some() || !insists {
            return flight;
        }
        let asked = self.denied.count(now) + self.under_way.needed();
        if asked >= Denied::MAX && !self.denied.contains(asker.credentials, now) {
            self.under_way.latest(asker, false)
        } else {
            None
        }
    }

    pub(super) fn begin(&mut self, asker: Asker, need: Need<'_>) -> Ticket {
        self.fetches += 1;
        let ticket = Ticket {
            number: self.fetches,
            pushed: self.pushed,
            asker,
            is_needed: matches!(need, Need::Another | Need::Instead(_)),
        };
        if ticket.is_shared() {
            self.last = ticket.number;
            self.wrong.clear();
        }
        ticket
    }

    pub(super) fn began(&mut self, ticket: Ticket, flight: &Flight, now: Instant) {
        self.under_way.begin(ticket, flight, now);
    }

    /// What the list is waited for to know.
    pub(super) fn note(&mut self, need: Need<'_>) {
        match need {
            Need::Instead(of) if !self.wrong.contains(of) => self.wrong.push(of.clone()),
            Need::Instead(_) | Need::Another | Need::Newer | Need::Session => {}
        }
    }

    /// Whether the list that a fetch brought is the newest; then it is the present one.
    pub(super) fn found(&mut self, fetch: Ticket) -> bool {
        self.under_way.end(fetch);
        let is_newest = self.pushed == fetch.pushed && self.latest < fetch.number;
        if is_newest {
            self.latest = fetch.number;
        }
        is_newest
    }

    /// A fetch failed. Discovery is left alone for this long, unless a list or another fetch came
    /// meanwhile, of which it says nothing: says whether it is.
    pub(super) fn failed(&mut self, fetch: Ticket, until: Instant) -> bool {
        self.under_way.end(fetch);
        let is_last = self.pushed == fetch.pushed && self.last == fetch.number;
        if is_last {
            self.quiet_until = Some(until);
        }
        is_last
    }

    /// Those who asked are denied the list, and not to try again for this long. Others may, unless they
    /// are as many as make it likely that all are.
    pub(super) fn denied(&mut self, fetch: Ticket, until: Instant, now: Instant) {
        self.under_way.end(fetch);
        self.denied.add(fetch.asker.credentials, until, now);
        if self.denied.count(now) >= Denied::MAX {
            self.quiet_until = self.quiet_until.max(Some(until));
        }
    }

    /// A fetch ended of which others need not know.
    pub(super) fn ended(&mut self, fetch: Ticket) {
        self.under_way.end(fetch);
    }

    pub(super) fn pushed(&mut self) {
        self.pushed += 1;
    }

    /// A new list is kept, or, without a time, it is not and the old one neither.
    pub(super) fn keep(&mut self, now: Instant, fresh_until: Option<Instant>) {
        self.quiet_until = None;
        self.denied.clear();
        let wrong = std::mem::take(&mut self.wrong);
        self.list = fresh_until.map(|fresh_until| List {
            came_at: now,
            age: Duration::ZERO,
            fresh_until,
            wrong,
        });
    }

    /// An old list is there again, of use only when no other can be had.
    pub(super) fn restore(&mut self, now: Instant, age: Duration) {
        self.list = Some(List {
            came_at: now,
            age,
            fresh_until: now,
            wrong: Vec::new(),
        });
    }

    pub(super) fn forget(&mut self) {
        self.list = None;
    }

    pub(super) fn expire(&mut self, now: Instant) {
        self.quiet_until = None;
        self.denied.clear();
        if let Some(list) = &mut self.list {
            list.fresh_until = list.fresh_until.min(now);
        }
    }

    /// The list does not know what it seemed to know of the regions that send calls away.
    pub(super) fn doubt(&mut self) {
        if let Some(list) = &mut self.list {
            list.wrong.clear();
        }
    }

    pub(super) fn age(&self, now: Instant) -> Option<Duration> {
        let list = self.list.as_ref()?;
        let here = now.saturating_duration_since(list.came_at);
        Some(list.age.saturating_add(here))
    }
}
