use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Homes, document, usable::trusted};
use crate::region::{Origin, Region};

/// The lists that a layer knows, to be saved and given to a later process.
///
/// Any format of `serde` will do. It holds no credentials, but says which hosts are called, and
/// whoever can write it can name regions, within what is trusted: keep it where others cannot.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use tower_failover::{Discovery, FailoverLayer, Regions, Snapshot};
/// # let layer = FailoverLayer::new(Regions::discover(Discovery::http("/settings/regions")));
/// let saved = serde_json::to_string(&layer.handle().snapshot())?;
/// // In the next process:
/// let snapshot: Snapshot = serde_json::from_str(&saved)?;
/// layer.handle().restore_snapshot(&snapshot);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    #[serde(default)]
    homes: Vec<Known>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    home: String,
    /// When the list came, in seconds since 1970.
    came_at: u64,
    regions: Vec<Listed>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Listed {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    origin: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    distance: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<u32>,
}

impl Snapshot {
    pub(crate) fn of(homes: &Homes) -> Self {
        let (now, today) = (Instant::now(), since_epoch());
        let known = homes.known();
        let known = known.iter().filter_map(|home| {
            let (regions, age) = home.list(now)?;
            Some(Known {
                home: home.origin().to_string(),
                came_at: today.saturating_sub(age).as_secs(),
                regions: regions.iter().map(Listed::of).collect(),
            })
        });
        Self {
            homes: known.collect(),
        }
    }

    /// Takes over the lists for homes that are served and have none yet. They count as expired.
    pub(crate) fn restore(&self, homes: &Homes) {
        let today = since_epoch();
        for known in self.homes.iter().take(super::homes::MAX_HOMES) {
            let Some(home) = Origin::parse(&known.home).ok() else {
                continue;
            };
            // A clock that was set back makes nothing younger than now.
            let age = today.saturating_sub(Duration::from_secs(known.came_at));
            // Homes in use make no room for those of another time.
            if age >= homes.discovery.max_stale || !homes.has_room_for(&home) {
                continue;
            }
            let regions = known.regions.iter().filter_map(Listed::region).collect();
            if let Some(home) = homes.home_at(home) {
                let regions = trusted(regions, 0, home.origin(), &homes.discovery);
                home.restore(homes, regions, age);
            }
        }
    }
}

impl Listed {
    fn of(region: &Region) -> Self {
        Self {
            name: region.own_name().map(str::to_owned),
            origin: region.origin().to_string(),
            distance: region.get_distance(),
            weight: region.get_weight(),
        }
    }

    fn region(&self) -> Option<Region> {
        let region = document::region(self.name.as_deref(), &self.origin)?;
        Some(region.measured(self.distance, self.weight))
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever wrote it may have written more than origins.
        let homes = self.homes.iter();
        let homes: Vec<_> = homes.flat_map(|known| Origin::parse(&known.home)).collect();
        f.debug_struct("Snapshot").field("homes", &homes).finish()
    }
}

/// The only use of the wall clock: the monotonic one does not outlive the process.
#[expect(
    clippy::disallowed_methods,
    reason = "the age of what an earlier process knew"
)]
fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
