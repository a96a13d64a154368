use std::time::Duration;

use http::HeaderName;

use crate::{Backoff, Discovery, FailoverLayer, Regions, Replay};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-livekit-request-id");

/// How long a phone rings, and a margin, as in the SDKs.
const RING: Duration = Duration::from_secs(32);

/// Calls that answer when somebody picks up. To make one again means to dial again.
const DIALS: &[(&str, Duration)] = &[
    ("/AcceptWhatsAppCall", RING),
    ("/CreateSIPParticipant", RING),
    ("/TransferSIPParticipant", RING),
];

const CLOUD: &[&str] = &["*.livekit.cloud", "*.livekit.run"];

fn discovery(hosts: &[&str]) -> Discovery {
    Discovery::http("/settings/regions").hosts(hosts)
}

impl FailoverLayer {
    /// For the API of LiveKit Cloud (Twirp over HTTP): requests to `*.livekit.cloud` and
    /// `*.livekit.run` fail over to the regions that the project is served in. Requests to other
    /// hosts, such as servers of one's own, are passed on untouched.
    ///
    /// It does what LiveKit's own server SDKs do: the regions are asked of `/settings/regions` at the
    /// first failure, and tried in the order in which the server lists them, whatever distances it
    /// gives; every call has a random `X-Livekit-Request-Id`, the same on all its attempts,
    /// unless the caller gave it one; and it is replayed also when it may have been processed.
    ///
    /// A `451` leads a project that is pinned to some regions to one of them, even where failover is
    /// off for the call; the SDKs are about to do so.
    ///
    /// # Defaults
    ///
    /// 3 attempts, up to 200 and then 400 ms between them, 10 s until another region is tried, all as
    /// in the SDKs; so are the 32 s for calls that answer when a phone is picked up
    /// (`CreateSIPParticipant`, `TransferSIPParticipant`, `AcceptWhatsAppCall`). Give one that lets it
    /// ring for longer the ringing time and 2 s in an [`Override`](crate::Override), or it dials again
    /// in the next region. The last attempt has no timeout of its own. A later attempt is begun only with more
    /// than 5 s left of a [`total_timeout`](Self::total_timeout), so that one of 5 s allows none; for a
    /// `451` any time will do.
    ///
    /// # What it does better
    ///
    /// - It finds the regions when home is dead: the other known regions are asked for the list too,
    ///   and the seeds that [`livekit_with`](Self::livekit_with) sets. The SDKs ask the host that just
    ///   failed, and no other.
    /// - One discovery at a time, shared by all calls that wait; after a failure the next one comes 5
    ///   to 15 s later. Most SDKs send one for each call that fails, and none waits after a failure.
    /// - A dead region is remembered: later calls go straight to another one, and do not wait for its
    ///   timeout first.
    /// - The waits are jittered, and a [`Budget`](crate::Budget) ends replays in a total outage; the
    ///   SDKs then send three times the load, in step.
    /// - A total timeout bounds the call with all its attempts; in the SDKs a deadline of 10 s can
    ///   take 32 s.
    /// - `no-store`, `no-cache` and `Age` are obeyed, `max-age` is bounded, lists are given up after a
    ///   day, and only 128 homes are kept.
    /// - Credentials and calls go only to hosts of home's own domain, and over TLS if home is, whatever
    ///   a list says.
    /// - Bodies stream, up to 1 MiB is kept for a replay. `501` and the like, which no other region
    ///   answers differently, are not replayed.
    pub fn livekit() -> Self {
        Self::livekit_over(discovery(CLOUD))
    }

    /// [`livekit`](Self::livekit) with other settings of its [`Discovery`]: above all
    /// [seeds](Discovery::seeds), with which a client that starts while home is down finds its regions.
    ///
    /// A seed is a region of the project that answers `/settings/regions`. It is shown the call's
    /// token only where it would be trusted as a region. What is [added](Discovery::hosts) to the hosts
    /// is served besides those of LiveKit Cloud.
    ///
    /// ```
    /// use tower_failover::FailoverLayer;
    ///
    /// let layer = FailoverLayer::livekit_with(|discovery| {
    ///     discovery.seeds(["https://my-project.production-eu.livekit.cloud"])
    /// })?;
    /// # Ok::<(), tower_failover::error::InvalidRegion>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the settings; end with [`validate`](Discovery::validate) where they have none of their
    /// own.
    pub fn livekit_with<E>(set: impl FnOnce(Discovery) -> Result<Discovery, E>) -> Result<Self, E> {
        set(discovery(CLOUD)).map(Self::livekit_over)
    }

    /// [`livekit`](Self::livekit) for servers on `127.0.0.1` instead, over plain HTTP: for tests.
    ///
    /// It never touches LiveKit's hosts, and only that address is trusted.
    pub fn livekit_on_loopback() -> Self {
        Self::livekit_over(discovery(&["127.0.0.1"]))
    }

    fn livekit_over(discovery: Discovery) -> Self {
        // The SDKs never look at distances. Those of a list are all written unless one is 0, which the
        // JSON of protobuf leaves out.
        let regions = Regions::discover(discovery.in_order_of_list());
        Self::new(regions)
            .max_attempts(3)
            .backoff(Backoff::exponential(
                Duration::from_millis(200),
                Duration::from_millis(400),
            ))
            .attempt_timeout(Duration::from_secs(10))
            .slow_routes(DIALS)
            .min_attempt_time(Duration::from_secs(5))
            .replay(Replay::Always)
            .idempotency_key(REQUEST_ID)
    }
}
