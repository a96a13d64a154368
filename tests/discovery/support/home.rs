use tower::ServiceExt;
use tower_failover::{Budget, Discovery, Failover, FailoverLayer, Stop};

use super::{World, get, layer_with};

pub(crate) const HOME: &str = "https://home.example.com";
pub(crate) const EU: &str = "https://eu.example.com";
pub(crate) const US: &str = "https://us.example.com";

/// Discovery over HTTP with these settings, and replays that cost nothing.
pub(crate) fn free_layer(set: impl FnOnce(Discovery) -> Discovery) -> FailoverLayer {
    layer_with(set).budget(Budget::unlimited())
}

/// Calls an origin: the status of the answer, or why there is none.
pub(crate) async fn call_at(client: &Failover<World>, origin: &str) -> Result<u16, Option<Stop>> {
    match client.clone().oneshot(get(origin)).await {
        Ok(response) => Ok(response.status().as_u16()),
        Err(error) => Err(error.stop()),
    }
}
