//! The values that layer and service share.

use std::{fmt, sync::Arc, time::Duration};

use http::HeaderName;

use crate::{
    backoff::Backoff,
    budget::Budget,
    classify::{Classify, Http, Reason},
    hedge::Hedge,
    policy::Replay,
    probe::Prober,
    region::{Health, Region},
    regions::{Directory, Regions},
};

/// What a layer and all services made by it have in common.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) directory: Arc<Directory>,
    pub(crate) prober: Arc<Prober>,
}

impl Shared {
    pub(crate) fn new(regions: &Regions) -> Self {
        Self {
            config: Config::default(),
            directory: Arc::new(Directory::new(regions)),
            prober: Arc::default(),
        }
    }

    /// A region is out from now on, and is probed after this wait.
    pub(crate) fn ejected(&self, region: &Region, reason: Reason, wait: Duration) {
        self.directory.ejected(region, reason, wait);
        self.prober.want();
    }

    /// A region is back, and is not to be probed any more.
    pub(crate) fn restored(&self, region: &Region) {
        self.directory.restored(region);
        self.prober.wake();
    }
}

#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) max_attempts: u32,
    pub(crate) attempt_timeout: Option<Duration>,
    /// How paths end for which the attempt timeout is at least this long.
    pub(crate) slow_routes: &'static [(&'static str, Duration)],
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) min_attempt_time: Duration,
    pub(crate) backoff: Backoff,
    pub(crate) budget: Budget,
    pub(crate) replay: Replay,
    pub(crate) max_replay_body: usize,
    pub(crate) idempotency_key: Option<HeaderName>,
    pub(crate) classifier: Arc<dyn Classify>,
    pub(crate) health: Health,
    pub(crate) hedge: Option<Hedge>,
    pub(crate) retry_same_region: bool,
    pub(crate) mark_first_attempt: bool,
    #[cfg(feature = "reqwest")]
    pub(crate) client_redirects: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            attempt_timeout: Some(Duration::from_secs(5)),
            slow_routes: &[],
            total_timeout: None,
            min_attempt_time: Duration::ZERO,
            backoff: Backoff::default(),
            budget: Budget::default(),
            replay: Replay::default(),
            max_replay_body: 1024 * 1024,
            idempotency_key: None,
            classifier: Arc::new(Http),
            health: Health::default(),
            hedge: None,
            retry_same_region: false,
            mark_first_attempt: false,
            #[cfg(feature = "reqwest")]
            client_redirects: true,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("max_attempts", &self.max_attempts)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("slow_routes", &self.slow_routes)
            .field("total_timeout", &self.total_timeout)
            .field("min_attempt_time", &self.min_attempt_time)
            .field("backoff", &self.backoff)
            .field("budget", &self.budget)
            .field("replay", &self.replay)
            .field("max_replay_body", &self.max_replay_body)
            .field("idempotency_key", &self.idempotency_key)
            .field("health", &self.health)
            .field("hedge", &self.hedge)
            .field("retry_same_region", &self.retry_same_region)
            .field("mark_first_attempt", &self.mark_first_attempt)
            .finish_non_exhaustive()
    }
}
