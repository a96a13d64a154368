//! A project of LiveKit in several regions, as LiveKit's own mock server plays it.

mod answer;
mod directives;
mod discovery;
mod twirp;

use std::net::Ipv4Addr;
use std::sync::Arc;

use http::HeaderValue;

use crate::Server;
use crate::region::{Protocol, Region};
use discovery::Discovery;

pub(crate) use answer::{Listener, Outcome};

/// A LiveKit-like project: regions named `region-<i>` over HTTP/1.1, steered by each request's `X-Lk-Mock` header.
///
/// Where a region's [`Fault`](crate::Fault) is `None`, it answers as LiveKit's mock server (`cmd/test-server`) does:
///
/// - `GET /settings/regions`: the regions and their origins as JSON, unless `regionsStatus` or `pinnedRegions` say otherwise.
/// - `POST /twirp/<package>.<Service>/<Method>` with a JSON object: in this order 401 without the [secret](LiveKit::SECRET)
///   (`skipAuth`), 451 outside `pinnedRegions`, then `delayMs`, `sipStatus`, `failRegions` with `failMode`, `failStatus` and
///   `failTwirpCode`, and at last 200 with `response`, or with the request's scalars and a `sid`. `X-Lk-Mock-Region` is the
///   region's index on success, and empty on a failure that was asked for.
/// - `/` and `/_test/health`: 200 `ok`. All else: 404.
///
/// The deprecated `X-Lk-Mock-*` headers work too, save `X-Lk-Mock-Response`; a field of the JSON wins over its header.
///
/// Other than the real mock: the bearer token is compared, not verified as a JWT; methods that LiveKit does not have need it
/// too, and are echoed as all others; a body that is no JSON is not refused, but as good as empty; every status below 200 is
/// as good as none; SIP codes are mapped by class, save the common ones; no SIP method takes 11 seconds unless `delayMs` says
/// so. Grants, protobuf and WebSocket are left out.
#[derive(Debug)]
pub struct LiveKit {
    discovery: Arc<Discovery>,
    regions: Vec<Server>,
}

impl LiveKit {
    /// What has to come as `Authorization: Bearer <secret>`.
    pub const SECRET: &'static str = "secret";

    /// Starts that many regions on 127.0.0.1.
    pub async fn start(regions: usize) -> LiveKit {
        LiveKit::start_on(Ipv4Addr::LOCALHOST, regions).await
    }

    /// Starts that many regions on another loopback address, such as 127.0.0.2.
    ///
    /// # Panics
    /// When the address is not one of loopback.
    pub async fn start_on(host: Ipv4Addr, regions: usize) -> LiveKit {
        let discovery = Arc::new(Discovery::default());
        let start = |index| {
            let mut region = Region::new(&discovery::name(index), Protocol::Http1);
            region.listener = Some(Listener::new(index, Arc::clone(&discovery)));
            Server::start(host, region)
        };
        let regions: Vec<_> = (0..regions).map(start).collect();
        discovery.advertise(regions.iter().map(Server::origin).collect());
        LiveKit { discovery, regions }
    }

    /// The region of that index.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn region(&self, index: usize) -> &Server {
        match self.regions.get(index) {
            Some(region) => region,
            None => panic!("there is no {}", discovery::name(index)),
        }
    }

    /// The regions by index.
    pub fn regions(&self) -> &[Server] {
        &self.regions
    }

    /// The origin of the region of that index.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn origin(&self, index: usize) -> String {
        self.region(index).origin()
    }

    /// Sets which regions every region lists from now on, in that order. Each keeps its index as its distance.
    ///
    /// # Panics
    /// When there is no region of an index.
    #[track_caller]
    pub fn list(&self, regions: &[usize]) {
        for index in regions {
            self.region(*index);
        }
        self.discovery.list(regions);
    }

    /// Sets the `Cache-Control` that lists of regions carry from now on; `max-age=0` before.
    ///
    /// # Panics
    /// When it is no value of a header.
    #[track_caller]
    pub fn cache_control(&self, value: &str) {
        match HeaderValue::from_str(value) {
            Ok(value) => self.discovery.cache_control(Some(value)),
            Err(_) => panic!("{value:?} is not the value of a header"),
        }
    }

    /// Lets lists of regions carry no `Cache-Control` from now on.
    pub fn no_cache_control(&self) {
        self.discovery.cache_control(None);
    }
}
