use std::time::Duration;

use tokio::time::Instant;

use super::{Asker, Ticket};
use crate::discovery::{Flight, flight::WeakFlight};

/// The fetches that have not ended, the latest last. They are more than one where callers ask themselves
/// because another was denied, or for themselves alone.
#[derive(Default)]
pub(super) struct UnderWay(Vec<Fetch>);

struct Fetch {
    flight: WeakFlight,
    begun: Instant,
    ticket: Ticket,
}

impl UnderWay {
    pub(super) fn begin(&mut self, ticket: Ticket, flight: &Flight, now: Instant) {
        self.0.extend(flight.downgrade().map(|flight| Fetch {
            flight,
            begun: now,
            ticket,
        }));
    }

    pub(super) fn end(&mut self, fetch: Ticket) {
        self.0.retain(|known| known.ticket.number != fetch.number);
    }

    /// Ends those that nobody has polled for longer than they may take: they are not worth waiting for.
    pub(super) fn end_late(&mut self, timeout: Duration, now: Instant) {
        let age = |fetch: &Fetch| now.saturating_duration_since(fetch.begun);
        self.0.retain(|fetch| age(fetch) < timeout);
    }

    /// The latest that is for this one too; where it `insists`, only one that asks the same.
    pub(super) fn latest(&self, asker: Asker, insists: bool) -> Option<Flight> {
        let fits = |fetch: &&Fetch| {
            let Ticket { asker: of, .. } = fetch.ticket;
            match insists {
                true => of == asker,
                false => of.exclusions.is_none() || of.exclusions == asker.exclusions,
            }
        };
        let mut fetches = self.0.iter().rev().filter(fits);
        // No flight is made of a weak one that is not handed out: it may be the last, and must not end
        // here, under the lock that the end of a fetch takes.
        fetches.find_map(|fetch| fetch.flight.upgrade())
    }

    /// How many of them calls need.
    pub(super) fn needed(&self) -> usize {
        let needed = self.0.iter().filter(|fetch| fetch.ticket.is_needed);
        needed.count()
    }
}
