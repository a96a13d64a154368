use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::future::FutureExt;
use http::uri::PathAndQuery;
use tokio::time::{Instant, timeout};

use super::{
    Answer, Discovery, DiscoveryError, Home, Homes, Query,
    ask::{Faults, Target, ask},
    cache::Ticket,
    document,
    error::Fault,
    flight::Fetched,
    freshness::freshness,
    source::Source,
    usable::Usable,
};
use crate::{client::Client, report};

/// How many of the regions that are known are asked for the list, besides home and the seeds.
const MAX_ASKED: usize = 3;

/// Asks for the list of a home's regions, and keeps what comes of it.
pub(super) async fn fetch(
    homes: Arc<Homes>,
    home: Arc<Home>,
    query: Query,
    client: Option<Arc<dyn Client>>,
    ticket: Ticket,
) -> Fetched {
    let discovery = &homes.discovery;
    let is_needed = ticket.is_needed();
    let impatience = Impatience::new(&home, discovery, is_needed.then_some(ticket));
    let mut faults = Vec::new();
    // What is found, or not, is shared by all who wait, and each of them has an outcome of its own to
    // lose: a panic of foreign code, or of a timer whose runtime is gone, must not reach them.
    let found = AssertUnwindSafe(async {
        let found = find(&homes, &home, query, client, &mut faults);
        timeout(discovery.timeout, found).await
    });
    let found = found.catch_unwind().await;
    impatience.ends();
    let found = match found {
        Ok(Ok(found)) => found,
        Ok(Err(_)) if faults.is_empty() => {
            // Where it is not known who was asked.
            faults.push((None, Fault::Timeout));
            None
        }
        Ok(Err(_)) => None,
        Err(_) => {
            faults.push((None, Fault::Panic));
            None
        }
    };
    match found {
        Some(list) if ticket.is_shared() => Ok(home.found(&homes, ticket, list)),
        Some(list) => Ok(home.found_for_one(&homes, ticket, list)),
        None => {
            let error = DiscoveryError::new(home.origin().clone(), faults);
            let wait = match (is_needed, error.is_denied()) {
                (true, false) => home.failed(discovery, ticket),
                (true, true) => Some(home.denied(discovery, ticket)),
                (false, _) => {
                    home.failed_in_vain(ticket);
                    None
                }
            };
            report::discovery_failed(&error, wait);
            Err(error)
        }
    }
}

async fn find(
    homes: &Homes,
    home: &Home,
    query: Query,
    client: Option<Arc<dyn Client>>,
    faults: &mut Faults,
) -> Option<Usable> {
    let discovery = &homes.discovery;
    let fault = match (&discovery.source, client, &discovery.invalid) {
        (Source::Http(_), _, Some(invalid)) if invalid.is_of_path() => {
            Fault::Invalid(invalid.clone())
        }
        (Source::Http(_), None, _) => Fault::NoClient,
        (Source::Http(path), Some(client), _) => {
            return over_http(homes, home, &query, &*client, path, faults).await;
        }
        (Source::Service(service), ..) => match service.lookup(query).await {
            Ok(list) => match Usable::from_list(list, home.origin(), discovery) {
                Ok(list) => return Some(list),
                Err(fault) => fault,
            },
            Err(error) => Fault::Service(error),
        },
    };
    faults.push((None, fault));
    None
}

/// Counts a fetch as failed that everybody gave up who waited for it, if it had half of its time.
/// Otherwise callers who wait for less than a fetch may take would begin one after the other.
struct Impatience<'a> {
    home: &'a Home,
    discovery: &'a Discovery,
    since: Instant,
    /// `None` when it is over, or no call needed it.
    ticket: Option<Ticket>,
}

impl<'a> Impatience<'a> {
    fn new(home: &'a Home, discovery: &'a Discovery, ticket: Option<Ticket>) -> Self {
        Self {
            home,
            discovery,
            since: Instant::now(),
            ticket,
        }
    }

    fn ends(mut self) {
        self.ticket = None;
    }
}

impl Drop for Impatience<'_> {
    fn drop(&mut self) {
        // A caller who cancels at once says nothing of discovery.
        let was_long = self.since.elapsed() >= self.discovery.timeout / 2;
        match self.ticket {
            Some(ticket) if was_long => drop(self.home.failed(self.discovery, ticket)),
            Some(ticket) => self.home.failed_in_vain(ticket),
            None => {}
        }
    }
}

async fn over_http(
    homes: &Homes,
    home: &Home,
    query: &Query,
    client: &dyn Client,
    path: &PathAndQuery,
    faults: &mut Faults,
) -> Option<Usable> {
    let discovery = &homes.discovery;
    let targets = targets(homes, home);
    // Each gets its turn, also if none before it answers.
    let turns = u32::try_from(targets.len()).unwrap_or(u32::MAX).max(3);
    let patience = discovery.timeout / turns.saturating_add(1);
    let accept = |answer: Answer| {
        let document = document::parse(&answer.body).map_err(Fault::Document)?;
        let freshness = freshness(&answer.headers);
        let (regions, refused) = (document.regions, document.refused);
        Usable::new(regions, freshness, refused, home.origin(), discovery)
    };
    let headers = query.headers();
    ask(client, targets, path, headers, patience, accept, faults).await
}

/// Whom to ask: home, then those of its regions that seem well, then the seeds.
fn targets(homes: &Homes, home: &Home) -> Vec<Target> {
    let discovery = &homes.discovery;
    let view = home.view();
    let mut targets: Vec<Target> = Vec::new();
    let mut add = |target: Target| {
        if targets.iter().all(|t| t.origin != target.origin) {
            targets.push(target);
        }
    };
    let trusted = |origin: &_| Target {
        origin: Clone::clone(origin),
        is_trusted: true,
    };
    add(trusted(home.origin()));
    if !view.is_forgotten(Instant::now()) {
        let known = view.board.by_health(view.home);
        let known = known.into_iter().map(|region| region.origin());
        let others = known.filter(|origin| *origin != home.origin());
        others.take(MAX_ASKED).map(trusted).for_each(&mut add);
    }
    for seed in &discovery.seeds {
        // Whoever configured it wants it asked, but not every caller's credentials shown to it.
        let trust = discovery.trust.check(home.origin(), seed.origin());
        add(Target {
            origin: seed.origin().clone(),
            is_trusted: trust.is_ok(),
        });
    }
    targets
}
