use std::{collections::hash_map::RandomState, hash::BuildHasher, sync::OnceLock};

/// In which order the regions other than home are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Order {
    /// As listed: write the nearest first. With many clients a dead region's whole load falls on
    /// the region listed next.
    #[default]
    Listed,
    /// Each client has an order of its own (rendezvous hash of a client id and the region), so that
    /// the clients of a dead region spread over all others.
    Spread,
}

/// What decides the order of a set's regions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrangement {
    pub(crate) order: Order,
    pub(crate) client_id: u64,
}

impl Default for Arrangement {
    fn default() -> Self {
        Self {
            order: Order::default(),
            client_id: process_id(),
        }
    }
}

fn process_id() -> u64 {
    static ID: OnceLock<u64> = OnceLock::new();
    *ID.get_or_init(|| RandomState::new().hash_one("tower-failover"))
}
