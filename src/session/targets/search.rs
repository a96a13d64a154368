use std::sync::Arc;

use tokio::time::timeout;

use super::Targets;
use crate::{
    discovery::{self, DiscoveryError, Home, Homes, Need, Query, View},
    region::{Board, Region},
};

/// Asks for a new list. Waits for a fetch that is under way already, and asks with these exclusions if
/// that does not do: it knew nothing of them.
pub(super) async fn search(
    targets: &Targets,
    homes: &Arc<Homes>,
    home: &Arc<Home>,
    excluded: &[Region],
    from: Option<&Region>,
) -> Result<Arc<View>, DiscoveryError> {
    let headers = discovery::carried(&targets.headers, None, home.origin());
    let query = Query::new(home.origin().clone(), headers);
    let query = query.of_session(excluded.to_vec(), from.cloned());
    let mut is_last = false;
    loop {
        let client = homes.asker()?;
        let (flight, is_joined) = home.search(homes, Need::Session, query.clone(), client, is_last);
        let fetched = match timeout(homes.patience(), flight).await {
            Ok(fetched) => fetched,
            Err(_) => return Err(DiscoveryError::timed_out(home.origin())),
        };
        let does = |board: &Board| {
            let is_free = |region: &Region| !excluded.iter().any(|e| e.origin() == region.origin());
            board.regions().iter().any(is_free)
        };
        let is_enough = fetched.as_ref().is_ok_and(|view| does(&view.board));
        if is_enough || is_last || !is_joined {
            return fetched;
        }
        is_last = true;
    }
}
