use std::sync::Arc;

use http::uri::PathAndQuery;
use tokio::time::{Instant, timeout};

use super::{
    Client, Discovery, DiscoveryError, Home, Homes, Query,
    ask::{Faults, Target, ask},
    document::Document,
    error::Fault,
    flight::Fetched,
    home::Ticket,
    source::Source,
    usable::Usable,
};
use crate::report;

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
    let is_needed = query.migrating_from().is_some();
    let impatience = Impatience::new(&home, discovery, is_needed.then_some(ticket));
    let mut faults = Vec::new();
    let found = timeout(discovery.timeout, async {
        match (&discovery.source, client, &discovery.invalid) {
            (Source::Http(_), _, Some(invalid)) if invalid.is_of_path() => {
                faults.push((None, Fault::Invalid(invalid.clone())));
                None
            }
            (Source::Http(_), None, _) => {
                faults.push((None, Fault::NoClient));
                None
            }
            (Source::Http(path), Some(client), _) => {
                over_http(&homes, &home, &query, &*client, path, &mut faults).await
            }
            (Source::Service(service), ..) => match service.lookup(query).await {
                Ok(list) => Some(Usable::from_list(list, home.origin(), discovery)),
                Err(error) => {
                    faults.push((None, Fault::Service(error)));
                    None
                }
            },
        }
    })
    .await;
    impatience.ends();
    let found = found.unwrap_or_else(|_| {
        // Where it is not known who was asked.
        if faults.is_empty() {
            faults.push((None, Fault::Timeout));
        }
        None
    });
    match found {
        Some(list) => Ok(home.found(&homes, ticket, list)),
        None => {
            let error = DiscoveryError::new(home.origin().clone(), faults);
            let wait = if is_needed {
                home.failed(discovery, ticket)
            } else {
                home.failed_in_vain(ticket);
                None
            };
            report::discovery_failed(&error, wait);
            Err(error)
        }
    }
}

/// Counts a fetch as failed that everybody gave up who waited for it, if it had its time. Otherwise
/// callers who wait for less than a fetch may take would begin one after the other.
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
        let was_long = self.since.elapsed() >= self.discovery.timeout / 4;
        if let Some(ticket) = self.ticket.filter(|_| was_long) {
            self.home.failed(self.discovery, ticket);
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
    let headers = query.headers();
    let found = ask(client, targets, path, headers, patience, faults).await?;
    let Document {
        regions, refused, ..
    } = found.document;
    let origin = home.origin();
    Some(Usable::new(
        regions,
        found.freshness,
        refused,
        origin,
        discovery,
    ))
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
