//! The network and the regions behind it, as one client's HTTP client.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CACHE_CONTROL};
use http_body_util::Full;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower::Service;
use tower_failover::{Attempt, replay::ReplayBody};

use super::{events, fault::REGIONS, world::World};

pub(crate) const ORIGINS: [&str; REGIONS] = [
    "http://r0.fleet.test",
    "http://r1.fleet.test",
    "http://r2.fleet.test",
];
pub(crate) const LIST_PATH: &str = "/settings/regions";

const LIST: &str = r#"{"regions":[{"region":"r0","url":"http://r0.fleet.test"},{"region":"r1","url":"http://r1.fleet.test"},{"region":"r2","url":"http://r2.fleet.test"}]}"#;

/// Which region an origin or its authority names.
pub(crate) fn region_of(origin: &str) -> Option<usize> {
    let host = origin.rsplit('/').next()?;
    let digit = host.strip_prefix('r')?.chars().next()?;
    usize::try_from(digit.to_digit(10)?).ok()
}

/// What a request is, to the simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An attempt of a user's call.
    Attempt {
        is_first: bool,
    },
    Probe,
    /// A request for the list of regions.
    Lookup,
}

impl Kind {
    fn of<B>(request: &Request<B>) -> Self {
        if request.uri().path() == LIST_PATH {
            Self::Lookup
        } else if request.method() == Method::HEAD {
            Self::Probe
        } else {
            // First attempts are not marked.
            let is_first = request.extensions().get::<Attempt>().is_none();
            Self::Attempt { is_first }
        }
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fate {
    pub(crate) status: StatusCode,
    /// In how many milliseconds; `None` is never.
    pub(crate) after: Option<f64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Net {
    world: Arc<World>,
    client: usize,
}

impl Net {
    pub(crate) fn new(world: Arc<World>, client: usize) -> Self {
        Self { world, client }
    }
}

impl<B> Service<Request<ReplayBody<B>>> for Net {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReplayBody<B>>) -> Answer {
        events::of_client(self.client);
        let kind = Kind::of(&request);
        let authority = request.uri().authority().map(|authority| authority.host());
        let region = authority.and_then(region_of);
        let region = region.expect("the crate calls the regions of its list");
        let fate = self.world.arrives(self.client, region, kind);
        let millis = |millis: f64| Duration::from_micros((millis * 1000.0) as u64);
        Answer {
            timer: fate.after.map(|after| sleep(millis(after))),
            status: fate.status,
            stay: Stay {
                world: self.world.clone(),
                client: self.client,
                region,
                kind,
            },
        }
    }
}

pin_project! {
    /// The answer to come.
    #[derive(Debug)]
    pub(crate) struct Answer {
        #[pin]
        timer: Option<Sleep>,
        status: StatusCode,
        stay: Stay,
    }
}

impl Future for Answer {
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        events::of_client(this.stay.client);
        match this.timer.as_pin_mut() {
            Some(timer) => ready!(timer.poll(cx)),
            None => return Poll::Pending,
        }
        let is_list = this.stay.kind == Kind::Lookup && *this.status == StatusCode::OK;
        let body = if is_list { LIST } else { "" };
        let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
        *response.status_mut() = *this.status;
        if is_list {
            let minute = HeaderValue::from_static("max-age=60");
            response.headers_mut().insert(CACHE_CONTROL, minute);
        }
        Poll::Ready(Ok(response))
    }
}

/// A request that is under way, until it is answered or given up.
#[derive(Debug)]
struct Stay {
    world: Arc<World>,
    client: usize,
    region: usize,
    kind: Kind,
}

impl Drop for Stay {
    fn drop(&mut self) {
        if self.kind == Kind::Probe {
            self.world.probe_ended(self.client, self.region);
        }
    }
}
