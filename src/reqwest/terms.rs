use std::time::Duration;

use http::request::Parts;
use tokio::time::Instant;

use crate::{
    config::Config,
    policy::{Override, Policy, Replay},
    request,
};

/// What a request of reqwest's asks of all attempts of its call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// When the request's own timeout ends.
    pub(super) deadline: Option<Instant>,
    /// Whether it must not be sent again once it may have been processed.
    pub(super) is_once: bool,
    /// Whether reqwest may go on to another URL by itself.
    pub(super) may_redirect: bool,
}

/// How much later than reqwest's timer the layer's ends the call. The former is to be first, for its
/// error is the one that callers of reqwest know.
const GRACE: Duration = Duration::from_millis(20);

impl Terms {
    /// Those of a request that is no part of a call.
    pub(super) const fn none() -> Self {
        Self {
            deadline: None,
            is_once: false,
            may_redirect: true,
        }
    }

    /// Reads them from the request, and lets the layer know of the timeout.
    pub(super) fn new(config: &Config, head: &mut Parts, timeout: Option<Duration>) -> Self {
        let policy = Policy::new(config, head.extensions.get(), head.uri.path());
        let is_once = match policy.replay {
            Replay::Always => false,
            Replay::Never => true,
            // A key that is going to be put in is as good as one that is there.
            Replay::Safe => config.idempotency_key.is_none() && !request::is_idempotent(head, None),
        };
        if let Some(timeout) = timeout {
            let timeout = timeout.saturating_add(GRACE);
            let total = policy.total_timeout.map_or(timeout, |t| t.min(timeout));
            let own: Option<&Override> = head.extensions.get();
            let own = own.copied().unwrap_or_default().total_timeout(total);
            head.extensions.insert(own);
        }
        Self {
            deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            is_once,
            may_redirect: config.client_redirects,
        }
    }
}
