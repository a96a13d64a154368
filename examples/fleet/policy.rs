//! How the clients of a run are set up: ours, and two to compare it with.

use std::time::Duration;

use tower_failover::{Backoff, Budget, Discovery, FailoverLayer, Health, Hedge, Order, Regions};

use super::net::{LIST_PATH, ORIGINS};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// The crate's defaults, save the times of the model.
    Ours,
    /// With hedges.
    Hedged,
    /// One attempt, at home.
    NoFailover,
    /// Three attempts whatever happens. A fleet of these must stay down after an overload, or the
    /// model could not show that another one does not.
    Unbudgeted,
}

/// Where the clients know the regions from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Fixed,
    /// Home is asked for them.
    Discovered,
    /// Home is asked for them, then the other regions.
    Seeded,
}

impl Policy {
    /// The layer of one client.
    pub(crate) fn layer(self, source: Source, order: Order, client: usize) -> FailoverLayer {
        let regions = source.regions().order(order).client_id(client as u64);
        let layer = FailoverLayer::new(regions)
            .max_attempts(3)
            .attempt_timeout(Duration::from_secs(1))
            .total_timeout(Duration::from_secs(3))
            .backoff(Backoff::exponential(
                Duration::from_millis(200),
                Duration::from_secs(2),
            ));
        match self {
            Self::Ours => layer,
            Self::Hedged => layer.hedge(Hedge::p95()),
            Self::NoFailover => layer.max_attempts(1).health(Health::off()),
            Self::Unbudgeted => layer.budget(Budget::unlimited()).health(Health::off()),
        }
    }
}

impl Source {
    fn regions(self) -> Regions {
        let discovery = || Discovery::http(LIST_PATH).allow_any();
        match self {
            Self::Fixed => Regions::fixed(ORIGINS).expect("the origins are three"),
            Self::Discovered => Regions::discover(discovery()),
            Self::Seeded => {
                let seeded = discovery().seeds(ORIGINS);
                Regions::discover(seeded.expect("the origins are three"))
            }
        }
    }
}
