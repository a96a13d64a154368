//! Where the regions come from when they are not known beforehand.
//!
//! # Lazily
//!
//! Nothing is asked while all is well. The first failure that needs a second region asks for the
//! list, once for all calls that wait for it, and the list is kept for as long as the answer allows.
//! When home does not answer, the other regions known of it and the [seeds](Discovery::seeds) are
//! asked too: the outage that makes a list necessary does not keep it away. If no list can be had,
//! the last one known is used for up to [`max_stale`](Discovery::max_stale), and a call without any
//! ends with the outcome it had, never with an error of discovery's.
//!
//! # Trust
//!
//! A list is input from outside. It may name only origins that share home's registrable domain by
//! the [Public Suffix List](https://publicsuffix.org), with home's scheme or a better one; an IP
//! address only where home is that address. [`allow`](Discovery::allow) widens this. An entry that
//! is not trusted is left out, the others are used, and neither calls nor discovery ever contact it.
//! A list without one entry that can be used is no answer.
//!
//! What is found belongs to a home, not to whom it was found for: a list that one call's credentials
//! brought serves all calls of that home. Where callers may not know of each other's regions, give
//! each a layer of its own.

mod answer;
mod ask;
mod cache;
mod carried;
pub(crate) mod document;
mod error;
mod fetch;
mod flight;
pub(crate) mod freshness;
mod home;
mod homes;
mod list;
mod query;
mod snapshot;
mod source;
mod usable;
mod view;

use std::{fmt, time::Duration};

use http::uri::PathAndQuery;
use tokio::time::Instant;
use tower_service::Service;

use self::source::Source;
pub(crate) use self::{
    answer::Answer,
    cache::{Known, Need},
    carried::carried,
    error::Fault,
    flight::{Fetched, Flight},
    home::Home,
    homes::Homes,
    view::View,
};
pub use self::{
    error::{DiscoveryError, DiscoveryErrorKind, InvalidDiscovery},
    list::RegionList,
    query::Query,
    snapshot::Snapshot,
};
use crate::{
    BoxError,
    error::InvalidRegion,
    region::{InvalidPattern, Pattern, Region, Trust},
    time::{after, scaled},
};

/// How the regions of a home are found, and which of them are trusted.
///
/// Used by [`Regions::discover`](crate::Regions::discover). A setting that is refused is never used:
/// it is logged when it is set, and [`validate`](Self::validate) returns it as an error.
///
/// # Defaults
///
/// Every origin is a home with regions of its own; no seeds; 2 s to answer; lists are used for as
/// long as they say, 5 s if they say nothing and 1 h at most, and on errors for 24 h longer; after a
/// failure 10 s pass until the next try, give or take half. The reasons stand with the setters.
///
/// # Examples
///
/// ```
/// use tower_failover::{Discovery, FailoverLayer, Regions};
///
/// let discovery = Discovery::http("/settings/regions")
///     .hosts(["*.api.example.com"])
///     .seeds(["https://eu.api.example.com"])?
///     .validate()?;
/// let layer = FailoverLayer::new(Regions::discover(discovery));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Discovery {
    source: Source,
    /// Which homes are served; `None` is all.
    hosts: Option<Vec<Pattern>>,
    seeds: Vec<Region>,
    trust: Trust,
    /// Whether the order of a list counts, whatever distances it gives.
    keeps_order: bool,
    /// The first setting that was refused.
    invalid: Option<InvalidDiscovery>,
    timeout: Duration,
    default_ttl: Duration,
    max_ttl: Duration,
    max_stale: Duration,
    negative_ttl: Duration,
}

impl Discovery {
    /// Asks home itself: `GET` with this path, through the wrapped client, with its connections,
    /// TLS and proxy.
    ///
    /// The answer is a `200` with a JSON document of at most 64 KiB, such as
    /// `{"regions":[{"region":"eu","url":"https://eu.example.com","distance":120,"weight":3}]}`:
    ///
    /// | field | what it is |
    /// |---|---|
    /// | `url` | the region's origin; `ws` and `wss` stand for `http` and `https` |
    /// | `region` | its name, if it is one to show |
    /// | `distance` | see [`Region::distance`]: a whole number, as a number or as text |
    /// | `weight` | see [`Region::weight`], written alike |
    ///
    /// Without distances the nearest is listed first; [`Order`](crate::Order) says what counts. Of more
    /// than 32 regions the nearest are used. An entry without a good `url` is left out; another field that
    /// is odd is as if it were not there, and fields not named here are ignored. `Cache-Control`
    /// (`max-age`, `no-store`, `no-cache`) and `Age` say how long the list may be used. Redirects are not
    /// followed, though a client that follows them by itself does so unseen: switch that off there.
    ///
    /// The request carries the headers of the call that made it necessary, `Authorization` included,
    /// save those that speak of its body, its connection or its conditions and its idempotency key.
    /// Calls with other credentials share the answer (see the [module](crate::discovery)).
    /// The seeds get them only if they would be trusted as regions of the home.
    pub fn http(path: &str) -> Self {
        let path = if path.starts_with('/') {
            path.parse::<PathAndQuery>().ok()
        } else {
            None
        };
        let mut discovery = Self::from_source(Source::Http(
            path.clone()
                .unwrap_or_else(|| PathAndQuery::from_static("/")),
        ));
        if path.is_none() {
            discovery.refuse(InvalidDiscovery::path());
        }
        discovery
    }

    /// Asks a service of yours: a control plane, a DNS or service registry, a file.
    ///
    /// What it answers is checked like any list; name its hosts by [`allow`](Self::allow) if they
    /// are of another domain than the homes.
    pub fn service<D>(source: D) -> Self
    where
        D: Service<Query, Response = RegionList> + Clone + Send + Sync + 'static,
        D::Error: Into<BoxError>,
        D::Future: Send + 'static,
    {
        Self::from_source(Source::Service(source::boxed(source)))
    }

    fn from_source(source: Source) -> Self {
        Self {
            source,
            hosts: None,
            seeds: Vec::new(),
            trust: Trust::default(),
            keeps_order: false,
            invalid: None,
            timeout: Duration::from_secs(2),
            default_ttl: Duration::from_secs(5),
            max_ttl: Duration::from_secs(3600),
            max_stale: Duration::from_secs(24 * 3600),
            negative_ttl: Duration::from_secs(10),
        }
    }

    /// Adds hosts whose origins are homes: `api.example.com`, `127.0.0.1`, or `*.example.com` for
    /// all names below it. Requests for others are passed on untouched. Port and scheme are free.
    ///
    /// To add none is a mistake, as where a list of them was not filled in, and is refused: such a
    /// discovery serves nobody, unless hosts are named elsewhere.
    ///
    /// # Defaults
    ///
    /// Without this every origin is a home.
    pub fn hosts<I>(mut self, patterns: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut patterns = patterns.into_iter().peekable();
        if patterns.peek().is_none() {
            self.refuse(InvalidDiscovery::no_hosts());
        }
        let hosts = self.patterns(patterns);
        self.hosts.get_or_insert_default().extend(hosts);
        self
    }

    /// Adds origins that are asked for the list when home does not answer. They are no regions
    /// themselves, unless a list names them.
    ///
    /// With them a client that starts while home is down finds its regions.
    ///
    /// # Errors
    ///
    /// When an origin is malformed; see [`InvalidRegion`].
    pub fn seeds<I>(mut self, origins: I) -> Result<Self, InvalidRegion>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        for (entry, origin) in origins.into_iter().enumerate() {
            let seed = Region::unnamed(origin.as_ref()).map_err(|error| error.at(entry))?;
            self.seeds.push(seed);
        }
        Ok(self)
    }

    /// Adds hosts that a list may name though they are of another registrable domain than home, or
    /// are IP addresses; patterns as for [`hosts`](Self::hosts). The scheme of home stays the least.
    ///
    /// A pattern that is a public suffix (`*.com`, `*.co.uk`, `*.github.io`) would trust everybody
    /// and is refused.
    ///
    /// # Defaults
    ///
    /// None: a list that somebody tampers with cannot send calls, and the credentials in them, to
    /// anybody else.
    pub fn allow<I>(mut self, patterns: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        for pattern in self.patterns(patterns) {
            self.trust.allow(pattern);
        }
        self
    }

    /// Uses the regions in the order of their list: distances are as if they were not given.
    pub(crate) fn in_order_of_list(mut self) -> Self {
        self.keeps_order = true;
        self
    }

    /// Trusts whatever a list names: any host, any address, http after https. For tests and closed
    /// networks; elsewhere whoever can write the list can read the calls.
    pub fn allow_any(mut self) -> Self {
        self.trust.allow_any();
        self
    }

    /// The patterns that are not refused.
    fn patterns<I>(&mut self, patterns: I) -> Vec<Pattern>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut good = Vec::new();
        for (entry, pattern) in patterns.into_iter().enumerate() {
            match Pattern::parse(pattern.as_ref()) {
                Ok(pattern) => good.push(pattern),
                Err(error) => self.refuse(InvalidPattern::at(error, entry).into()),
            }
        }
        good
    }

    fn refuse(&mut self, error: InvalidDiscovery) {
        crate::report::discovery_refused(&error);
        self.invalid.get_or_insert(error);
    }

    /// Returns the discovery if all that was set is valid.
    ///
    /// # Errors
    ///
    /// The first pattern, path or empty list of [hosts](Self::hosts) that was refused. Without this
    /// check such a pattern matches nothing, and with such a path no list is ever had.
    pub fn validate(self) -> Result<Self, InvalidDiscovery> {
        match self.invalid {
            None => Ok(self),
            Some(error) => Err(error),
        }
    }

    /// Sets how long one discovery may take, its answer's body included, over all that are asked.
    ///
    /// # Defaults
    ///
    /// 2 s, as LiveKit's clients have it: it stands between a failure and the next attempt.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how long a list is used that does not say it; zero is as for [`max_ttl`](Self::max_ttl).
    ///
    /// # Defaults
    ///
    /// 5 s: long enough for all calls that fail together.
    pub fn default_ttl(mut self, ttl: Duration) -> Self {
        self.default_ttl = ttl;
        self
    }

    /// Sets how long a list is used at most, whatever it says. Every time is shortened by up to a
    /// tenth, at random, so that clients do not ask again together.
    ///
    /// With zero, and with a `max-age=0` of the list's own, a list is for those calls alone that wait
    /// for it together: in an outage each failing call that does not overlap another asks again, until
    /// home is [ejected](crate::Health). The list still serves when no other can be had.
    ///
    /// # Defaults
    ///
    /// 1 h: a mistake in a list is over then.
    pub fn max_ttl(mut self, ttl: Duration) -> Self {
        self.max_ttl = ttl;
        self
    }

    /// Sets for how long after its time a list is still used when no other can be had.
    ///
    /// # Defaults
    ///
    /// 24 h: a list of yesterday is better than none, but one day it is gone.
    pub fn max_stale(mut self, time: Duration) -> Self {
        self.max_stale = time;
        self
    }

    /// Sets how long to wait after a failure until discovery is tried again; each wait is between
    /// half and one and a half of it, at random. One that everybody gave up who waited for it counts
    /// as failed too, if it had half of its [`timeout`](Self::timeout). A `401` or `403` keeps
    /// those calls alone from trying that have the same `Authorization`, cookies and sensitive headers;
    /// when three different ones were denied in this time, and no list came, it keeps all from it. So
    /// one caller's expired token keeps nobody else from the list, and tokens that are signed for each
    /// call do not ask once for each.
    ///
    /// # Defaults
    ///
    /// 10 s: 10,000 clients then ask a discovery that is down 1,000 times a second, not more.
    pub fn negative_ttl(mut self, ttl: Duration) -> Self {
        self.negative_ttl = ttl;
        self
    }

    /// How long to wait after a failure, and until when that is.
    fn pause(&self) -> (Duration, Instant) {
        let wait = scaled(self.negative_ttl, 0.5 + fastrand::f64());
        (wait, after(Instant::now(), wait))
    }

    fn serves(&self, host: &str) -> bool {
        match &self.hosts {
            None => true,
            Some(patterns) => patterns.iter().any(|pattern| pattern.matches(host)),
        }
    }
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery")
            .field("source", &self.source)
            .field("hosts", &self.hosts)
            .field("seeds", &self.seeds)
            .field("trust", &self.trust)
            .field("keeps_order", &self.keeps_order)
            .field("timeout", &self.timeout)
            .field("default_ttl", &self.default_ttl)
            .field("max_ttl", &self.max_ttl)
            .field("max_stale", &self.max_stale)
            .field("negative_ttl", &self.negative_ttl)
            .finish_non_exhaustive()
    }
}
