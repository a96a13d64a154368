use serde_json::Value;
use tokio::time::Instant;

use crate::record::Recorded;

/// What a server saw, in order.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Seen {
    /// The requests for a watch, whatever they were answered.
    pub gets: Vec<Recorded>,
    /// The heartbeats, whatever they were answered, whose bodies were read to their end.
    pub heartbeats: Vec<Heartbeat>,
    /// The leases given to watches.
    pub grants: Vec<Grant>,
    /// How many streams are live: begun and neither ended nor given up by their clients.
    pub live: usize,
}

/// One heartbeat.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Heartbeat {
    /// When it came.
    pub at: Instant,
    /// The lease it was for; empty if it told none.
    pub lease: String,
}

/// A lease given to a watch.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Grant {
    /// When it was given.
    pub at: Instant,
    /// The device it was given to: its `Authorization` header.
    pub device: String,
    /// The lease.
    pub lease: String,
    /// The lease that the watch had before, as it said.
    pub previous: Option<String>,
}

impl Seen {
    /// The heartbeats for a lease after its device was given another: by whoever did not stop them before the next watch.
    ///
    /// One that its client gave up in flight just before can be among them.
    pub fn overlaps(&self) -> Vec<&Heartbeat> {
        let overlaps = |beat: &&Heartbeat| {
            let mut grants = self.grants.iter();
            let Some(own) = grants.find(|grant| grant.lease == beat.lease) else {
                return false;
            };
            // Those after its own.
            grants.any(|grant| grant.device == own.device && grant.at < beat.at)
        };
        self.heartbeats.iter().filter(overlaps).collect()
    }
}

/// The lease in the query of a request for a watch.
pub(super) fn previous_lease(query: &str) -> Option<&str> {
    let mut pairs = query.split('&');
    pairs.find_map(|pair| pair.strip_prefix("previousWatchLeaseId="))
}

/// The lease in the body of a heartbeat.
pub(super) fn beating_lease(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(body.get("watchLeaseId")?.as_str()?.to_owned())
}

pub(super) fn heartbeats(requests: Vec<Recorded>) -> Vec<Heartbeat> {
    let whole = requests.into_iter().filter(|request| request.complete);
    whole
        .map(|request| Heartbeat {
            at: request.at,
            lease: beating_lease(&request.body).unwrap_or_default(),
        })
        .collect()
}
