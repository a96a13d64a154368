//! System M, a publisher.

use tokio::sync::mpsc;
use tower_failover::session::{Settings, Targets};

use self::page::Publisher;
use super::{fast, lines};

#[path = "../../../examples/session_media/media.rs"]
mod page;

mod end;
mod handover;
mod outage;

fn settings() -> Settings {
    fast(page::settings())
}

fn publish(relays: impl Into<Targets>, settings: Settings) -> Publisher {
    // Nobody listens to what comes back.
    page::publish(relays, settings, mpsc::unbounded_channel().0).unwrap()
}
