//! Distances and weights of a list: in which order its regions are tried, and which of too many are kept.

mod distances;
mod kept;
mod weights;

use std::io;

use serde_json::{Value, json};
use tower::service_fn;
use tower_failover::{
    Discovery, FailoverLayer, Health, Order, Query, Region, RegionList, Regions, Snapshot,
};

use crate::support::*;

/// Whence a list is known.
#[derive(Clone, Copy, Debug)]
enum Way {
    Document,
    Pushed,
    Service,
    Snapshot,
}

const WAYS: [Way; 4] = [Way::Document, Way::Pushed, Way::Service, Way::Snapshot];

/// A region of `example.com` that is named as its host.
fn region(host: &str) -> Region {
    Region::new(host, origin(host)).unwrap()
}

/// A client that tries all there are, on the regions of this discovery.
fn tireless(discovery: Discovery, order: Order, client_id: u64) -> FailoverLayer {
    let regions = Regions::discover(discovery);
    FailoverLayer::new(regions.order(order).client_id(client_id))
        .backoff(no_wait())
        .budget(tower_failover::Budget::unlimited())
        .health(Health::off())
        .max_attempts(100)
}

/// As [`tireless`], with this list, known in this way; what home answers to a question is set.
fn knowing(
    world: &World,
    way: Way,
    list: &[Region],
    order: Order,
    client_id: u64,
) -> FailoverLayer {
    world.on("?", Act::Status(500));
    let regions = RegionList::new(list.to_vec());
    let discovery = match way {
        Way::Service => {
            let regions = regions.clone();
            Discovery::service(service_fn(move |_: Query| {
                let regions = regions.clone();
                async { Ok::<_, io::Error>(regions) }
            }))
        }
        _ => Discovery::http(PATH),
    };
    let layer = tireless(discovery, order, client_id);
    match way {
        Way::Document => {
            let document = json!({ "regions": entries(list, "region", "url") });
            world.on("?", Act::Document(Some("max-age=60"), document.to_string()));
        }
        Way::Pushed => layer.handle().set_regions(HOME, regions).unwrap(),
        Way::Service => {}
        Way::Snapshot => {
            let regions = entries(list, "name", "origin");
            let home = json!({ "home": HOME, "came_at": u64::MAX, "regions": regions });
            let saved: Snapshot = serde_json::from_value(json!({ "homes": [home] })).unwrap();
            layer.handle().restore_snapshot(&saved);
        }
    }
    layer
}

/// These as JSON; what is not known is left out.
fn entries(list: &[Region], name: &str, origin: &str) -> Vec<Value> {
    let entry = |region: &Region| {
        let mut entry = json!({ name: region.name(), origin: region.origin().to_string() });
        if let Some(distance) = region.get_distance() {
            entry["distance"] = distance.into();
        }
        if let Some(weight) = region.get_weight() {
            entry["weight"] = weight.into();
        }
        entry
    };
    list.iter().map(entry).collect()
}

/// Who is called, after home, when all fail.
async fn tried(world: &World, layer: &FailoverLayer) -> Vec<String> {
    world.on("", Act::Status(503));
    world.take();
    assert_eq!(call_at(&world.client(layer), HOME).await, Ok(503));
    let mut log = world.take();
    log.retain(|whom| !whom.ends_with('?'));
    assert_eq!(log.remove(0), "home");
    log
}

/// The hosts that are known of the only home, as a snapshot has them.
fn known(layer: &FailoverLayer) -> Vec<Value> {
    let saved = serde_json::to_value(layer.handle().snapshot()).unwrap();
    saved["homes"][0]["regions"].as_array().unwrap().clone()
}
