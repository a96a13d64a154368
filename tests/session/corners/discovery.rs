//! Discovery that sessions share with each other and with calls, and where each is for itself.

mod calls;
mod exclusions;
mod ways;

use std::{
    future::ready,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Empty, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_failover::{
    BoxError, Discovery, FailoverLayer, Query, Region, RegionList, Regions, replay::ReplayBody,
    session::*,
};

use super::*;

fn region(name: &str) -> Region {
    Region::new(name, format!("https://{name}.example.com")).unwrap()
}

fn list(names: &str) -> RegionList {
    RegionList::new(names.chars().map(|n| region(&n.to_string())).collect())
        .ttl(Duration::from_secs(600))
}

fn run(targets: impl Into<Targets>, script: &Script) -> Handle<Exit, usize> {
    Supervisor::new(targets, script.clone())
        .settings(settings())
        .seed(1)
        .start()
        .unwrap()
}

async fn epoch(handle: &Handle<Exit, usize>, epoch: u64) {
    let mut status = handle.status();
    let reached = status.wait_for(|status| status.epoch >= epoch);
    tokio::time::timeout(Duration::from_secs(600), reached)
        .await
        .expect("in time")
        .expect("running");
}

/// A source that answers with what is not excluded, as it is told that this is the better answer.
fn obliging(asked: Arc<Mutex<Vec<Query>>>) -> Discovery {
    Discovery::service(service_fn(move |query: Query| {
        let names: String = "abc"
            .chars()
            .filter(|n| !query.excluded().iter().any(|e| e.name() == n.to_string()))
            .collect();
        asked.lock().unwrap().push(query);
        ready(Ok::<_, BoxError>(list(&names)))
    }))
}
