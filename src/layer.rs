use std::{sync::Arc, time::Duration};

use http::HeaderName;
use tower_layer::Layer;

use crate::{
    backoff::Backoff,
    budget::Budget,
    classify::Classify,
    config::{Config, Shared},
    handle::Handle,
    hedge::Hedge,
    policy::Replay,
    region::Health,
    regions::Regions,
    service::Failover,
    settings::Settings,
};

/// Wraps a client so that calls that a region fails are replayed in the next one.
///
/// Clones of a layer, and all services made by it, share what is remembered of the regions and one
/// retry budget.
///
/// # Defaults
///
/// 3 attempts; 5 s until another region is tried; no total timeout; [`Backoff`], [`Budget`],
/// [`Health`] and [`Replay`] as they say; bodies of up to 1 MiB are replayed. The reasons stand with
/// the setters.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_failover::{FailoverLayer, Regions};
///
/// let regions = Regions::fixed(["https://eu.api.example.com", "https://us.api.example.com"])?;
/// let layer = FailoverLayer::new(regions)
///     .attempt_timeout(Duration::from_secs(2))
///     .total_timeout(Duration::from_secs(10));
/// # Ok::<(), tower_failover::error::InvalidRegion>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct FailoverLayer {
    shared: Arc<Shared>,
}

impl FailoverLayer {
    /// A layer with default settings over these regions.
    pub fn new(regions: Regions) -> Self {
        Self {
            shared: Arc::new(Shared::new(&regions)),
        }
    }

    /// Sets how many attempts one call may use, the first included; 0 reads as 1, which turns
    /// failover off.
    ///
    /// Each attempt goes to a region not tried before, so more attempts than regions have no effect
    /// (see [`retry_same_region`](Self::retry_same_region)).
    ///
    /// # Defaults
    ///
    /// 3: the region asked for and two others. More would outlast most callers' patience.
    pub fn max_attempts(self, attempts: u32) -> Self {
        self.with(|config| config.max_attempts = attempts)
    }

    /// Sets how long a region may keep a call from trying the next one, from sending the request to
    /// the response head; a response that is waited for late counts from then. The time in which the
    /// caller produces the body is part of it: give slow uploads more by an
    /// [`Override`](crate::Override).
    ///
    /// It applies only while there is a next one and the request may be replayed: the last attempt
    /// may take as long as [`total_timeout`](Self::total_timeout) allows, and so may an attempt that
    /// runs out of time while the budget is empty. Where regions are discovered and not known yet, it
    /// goes on while they are asked for; only if the inner service has no room for another request, it
    /// is given up after half of the discovery's time to make some. The timeout also bounds how long a later attempt
    /// waits for the inner service to become ready; that bound is 5 s where this timeout is off.
    ///
    /// A region that leaves a connection attempt or a TLS handshake unanswered looks like one that does
    /// not answer the call, which then was perhaps sent. Give the connector a timeout of its own that
    /// is shorter and spans both, as `examples/rustls.rs` does: what that ends was never sent, and even
    /// a `POST` goes on.
    ///
    /// An idempotent call that takes longer is cut off and made again elsewhere, so set it well above
    /// what a healthy call takes, and to less than half of a total timeout.
    ///
    /// # Defaults
    ///
    /// 5 s: above what a healthy call takes, below what a person waits.
    pub fn attempt_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        let timeout = timeout.into();
        self.with(|config| config.attempt_timeout = timeout)
    }

    /// Sets how long a call may take until the response head, over all attempts and the waits
    /// between them. A `grpc-timeout` header in the request that is shorter takes its place, and
    /// tells each later attempt what is left.
    ///
    /// A total timeout that is no longer than the [`attempt_timeout`](Self::attempt_timeout) leaves no
    /// time for another region when one does not answer; later calls then avoid it.
    ///
    /// # Defaults
    ///
    /// None: the caller knows how long it wants to wait, and may drop the call at any time.
    pub fn total_timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        let timeout = timeout.into();
        self.with(|config| config.total_timeout = timeout)
    }

    /// Sets how much of the total time must be left for a later attempt to be started. One that
    /// follows a `421` or `451` is started in any time: the region did nothing with the request.
    ///
    /// # Defaults
    ///
    /// 0.
    pub fn min_attempt_time(self, time: Duration) -> Self {
        self.with(|config| config.min_attempt_time = time)
    }

    /// Sets the waits before later attempts.
    ///
    /// A region that is asked again in the same call is given as long as it asked for (`Retry-After`,
    /// `grpc-retry-pushback-ms`), but no more than 5 s above the wait: what a server says cannot hold
    /// a caller for minutes.
    pub fn backoff(self, backoff: Backoff) -> Self {
        self.with(|config| config.backoff = backoff)
    }

    /// Sets the retry budget. Give layers clones of one [`Budget`] to have them share it.
    pub fn budget(self, budget: Budget) -> Self {
        self.with(|config| config.budget = budget)
    }

    /// Sets which requests may be sent again once they may have been processed.
    ///
    /// # Defaults
    ///
    /// [`Replay::Safe`]: a request never takes effect twice unless HTTP says that this is no harm.
    pub fn replay(self, replay: Replay) -> Self {
        self.with(|config| config.replay = replay)
    }

    /// Sets how many bytes of a request's body are kept for a replay. Once more were sent the call is
    /// committed to its region.
    ///
    /// # Defaults
    ///
    /// 1 MiB: more than nearly all API calls, little enough to keep for each call under way.
    pub fn max_replay_body(self, bytes: usize) -> Self {
        self.with(|config| config.max_replay_body = bytes)
    }

    /// Gives each call a random UUID in this header, the same on all its attempts, unless the caller
    /// set one; a request with this header counts as replayable.
    ///
    /// For APIs that remember the key and answer a repeated one with the first result.
    ///
    /// # Defaults
    ///
    /// None is added. A request with an `Idempotency-Key` of the caller's is replayable without it.
    pub fn idempotency_key(self, header: HeaderName) -> Self {
        self.with(|config| config.idempotency_key = Some(header))
    }

    /// Sets what counts as a failure.
    ///
    /// # Defaults
    ///
    /// [`classify::Http`](crate::classify::Http).
    pub fn classifier(self, classifier: impl Classify) -> Self {
        self.with(|config| config.classifier = Arc::new(classifier))
    }

    /// Sets what ejects a region, and for how long.
    pub fn health(self, health: Health) -> Self {
        self.with(|config| config.health = health)
    }

    /// Has calls whose answers are late sent to a second region too.
    ///
    /// # Defaults
    ///
    /// None are: it is load that only the caller can weigh.
    pub fn hedge(self, hedge: Hedge) -> Self {
        self.with(|config| config.hedge = Some(hedge))
    }

    /// Sets whether the same region may be asked again when no untried one is left.
    ///
    /// # Defaults
    ///
    /// Off: a region that just failed most likely fails again.
    pub fn retry_same_region(self, on: bool) -> Self {
        self.with(|config| config.retry_same_region = on)
    }

    /// Sets whether a first attempt carries the [`Attempt`](crate::Attempt) extension too, at the
    /// cost of three allocations for requests that have no extensions.
    ///
    /// # Defaults
    ///
    /// Off: an inner layer may read its absence as "attempt 1".
    pub fn mark_first_attempt(self, on: bool) -> Self {
        self.with(|config| config.mark_first_attempt = on)
    }

    /// Sets whether the wrapped client of reqwest may follow redirects by itself.
    ///
    /// While it may, what comes of a request may be the answer to another one, or the error of it, and
    /// is read with care: see [the module `reqwest`](crate::reqwest#redirects). Say `false` for a client
    /// that was built with [`Policy::none`](::reqwest::redirect::Policy::none), and only for such a one:
    /// then all is taken for what it is, also where a service inside changes the URL.
    ///
    /// # Defaults
    ///
    /// `true`, as reqwest's clients do unless told otherwise.
    #[cfg(feature = "reqwest")]
    pub fn client_redirects(self, on: bool) -> Self {
        self.with(|config| config.client_redirects = on)
    }

    /// Sets what these [`Settings`] set, and leaves the rest as it is: what was set before is the
    /// default of the program, what is set afterwards cannot be changed from outside.
    ///
    /// A ratio or cap of the budget gives the layer a [`Budget`] with tokens of its own.
    pub fn settings(self, settings: Settings) -> Self {
        self.with(|config| settings.apply(config))
    }

    /// A handle to what this layer, its clones and all services made by them know of their regions. It
    /// goes by the settings as they are now, so take it when the layer is set up.
    pub fn handle(&self) -> Handle {
        Handle::new(&self.shared)
    }

    /// Gives calls whose paths end so at least this attempt timeout.
    pub(crate) fn slow_routes(self, routes: &'static [(&'static str, Duration)]) -> Self {
        self.with(|config| config.slow_routes = routes)
    }

    fn with(mut self, set: impl FnOnce(&mut Config)) -> Self {
        set(&mut Arc::make_mut(&mut self.shared).config);
        self
    }
}

impl<S> Layer<S> for FailoverLayer {
    type Service = Failover<S>;

    fn layer(&self, inner: S) -> Failover<S> {
        Failover::new(inner, self.shared.clone())
    }
}
