//! Where things meet that seldom do.

mod blocks;
mod discovery;
mod extremes;
mod kicks;
mod leaving;
mod pairs;
mod pauses;
mod threads;

use tower_failover::Region;

use crate::support::{Exit, MS, Play::*, SECOND, Script, regions, settings, settle, start};

fn region(name: &str) -> Region {
    Region::new(name, format!("http://{name}.example")).unwrap()
}
