use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tower::service_fn;
use tower_failover::{BoxError, Discovery, Query, Region, RegionList};

use super::origin;

/// A list of these hosts, as [`World`](super::World) has them.
pub(crate) fn regions_of(hosts: &[&str]) -> RegionList {
    let region = |host: &&str| Region::new(*host, origin(host)).unwrap();
    RegionList::new(hosts.iter().map(region).collect())
}

/// How often a source was asked.
#[derive(Clone, Default)]
pub(crate) struct Asked(Arc<AtomicUsize>);

impl Asked {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A source of lists that answers so; it is told how often it was asked before.
pub(crate) fn source<F, A>(answer: F) -> (Discovery, Asked)
where
    F: Fn(usize) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<RegionList, BoxError>> + Send + 'static,
{
    let asked = Asked::default();
    let count = asked.clone();
    let source = move |_: Query| answer(count.0.fetch_add(1, Ordering::Relaxed));
    (Discovery::service(service_fn(source)), asked)
}
