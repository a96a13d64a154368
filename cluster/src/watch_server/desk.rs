//! Who answers watches and heartbeats.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::WatchServer;
use super::leases::{Beat, SharedLeases};
use super::piece::{Piece, event};
use super::seen::{Grant, Seen, beating_lease, previous_lease};
use super::stream::{Feed, Stream, Streaming, Writing};
use crate::BoxError;
use crate::connection::Order;
use crate::upload::Upload;

type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// The name of the event that tells a lease, and its data.
pub(super) type Hello = Arc<dyn Fn(&str) -> (String, String) + Send + Sync>;

/// What all watches of one server share.
pub(super) struct Desk {
    name: String,
    pub(super) leases: SharedLeases,
    /// All but the requests, which the region has.
    pub(super) seen: watch::Sender<Seen>,
    settings: Mutex<Settings>,
    live: Mutex<BTreeMap<usize, Feed>>,
}

pub(super) struct Settings {
    pub(super) heartbeat: Duration,
    pub(super) keep_alive: Duration,
    pub(super) hello: Option<Hello>,
    pub(super) opening: Vec<Piece>,
    pub(super) next: VecDeque<Vec<Piece>>,
    pub(super) line_end: &'static str,
    pub(super) bytewise: bool,
}

impl Desk {
    pub(super) fn new(name: &str, leases: SharedLeases) -> Self {
        Desk {
            name: name.to_owned(),
            leases,
            seen: watch::Sender::default(),
            settings: Mutex::new(Settings {
                heartbeat: Duration::from_secs(1),
                keep_alive: Duration::from_secs(1),
                hello: None,
                opening: vec![Piece::Hello],
                next: VecDeque::new(),
                line_end: "\n",
                bytewise: false,
            }),
            live: Mutex::default(),
        }
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings());
    }

    pub(super) fn send(&self, piece: &Piece) {
        for stream in self.live().values() {
            stream.send(piece.clone());
        }
    }

    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Upload>,
    ) -> Result<Answer, BoxError> {
        match (request.method(), request.uri().path()) {
            (&Method::GET, WatchServer::WATCH) => self.watch(request),
            (&Method::POST, WatchServer::HEARTBEAT) => self.heartbeat(request).await,
            _ => plain(StatusCode::NOT_FOUND),
        }
    }

    fn watch(self: Arc<Self>, request: Request<Upload>) -> Result<Answer, BoxError> {
        let previous = previous_lease(request.uri().query().unwrap_or_default());
        let device = match request.headers().get(AUTHORIZATION) {
            Some(device) => device.to_str()?,
            None => "",
        };
        let orders = request.extensions().get::<mpsc::UnboundedSender<Order>>();
        let orders = orders.ok_or("a connection that takes orders")?.clone();
        let (feed, inbox) = Feed::new();
        let now = Instant::now();
        let life = self.life();
        let taken = self
            .leases
            .lock()
            .take(device, previous, &self.name, feed.clone(), now, life);
        let Some(lease) = taken else {
            return plain(StatusCode::CONFLICT);
        };
        let grant = Grant {
            at: now,
            device: device.to_owned(),
            lease: lease.clone(),
            previous: previous.map(str::to_owned),
        };

        let mut settings = self.settings();
        let opening = settings.next.pop_front();
        let opening = opening.unwrap_or_else(|| settings.opening.clone());
        let (name, data) = settings.hello(&lease);
        let writing = Writing {
            hello: event(&name, &data, settings.line_end),
            line_end: settings.line_end,
            bytewise: settings.bytewise,
            keep_alive: settings.keep_alive,
        };
        drop(settings);
        let live = self.open(grant, feed);
        let stream = Stream::new(writing, opening, inbox, orders, live);
        Ok(Response::builder()
            .header(CONTENT_TYPE, "text/event-stream")
            .header(CACHE_CONTROL, "no-store")
            .body(Streaming::new(stream).boxed_unsync())?)
    }

    async fn heartbeat(&self, request: Request<Upload>) -> Result<Answer, BoxError> {
        let body = request.into_body().collect().await?.to_bytes();
        let Some(lease) = beating_lease(&body) else {
            return plain(StatusCode::BAD_REQUEST);
        };
        let life = self.life();
        plain(
            match self.leases.lock().beat(&lease, Instant::now(), life) {
                Beat::Kept => StatusCode::OK,
                Beat::Conflict => StatusCode::CONFLICT,
                Beat::Gone => StatusCode::GONE,
            },
        )
    }

    fn open(self: Arc<Self>, grant: Grant, feed: Feed) -> Live {
        let mut id = 0;
        self.seen.send_modify(|seen| {
            id = seen.grants.len();
            self.live().insert(id, feed);
            seen.live += 1;
            seen.grants.push(grant);
        });
        Live { desk: self, id }
    }

    fn life(&self) -> Duration {
        self.settings().heartbeat * 3
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings
            .lock()
            .expect("no holder of the settings panics")
    }

    fn live(&self) -> MutexGuard<'_, BTreeMap<usize, Feed>> {
        self.live.lock().expect("no holder of the streams panics")
    }
}

impl Settings {
    fn hello(&self, lease: &str) -> (String, String) {
        if let Some(hello) = &self.hello {
            return hello(lease);
        }
        let data = json!({
            "watchLeaseId": lease,
            "deviceWaitForViewerMs": 45_000,
            "heartbeatIntervalMs": self.heartbeat.as_millis() as u64,
        });
        ("hello".to_owned(), data.to_string())
    }
}

fn plain(status: StatusCode) -> Result<Answer, BoxError> {
    let body = Full::new(Bytes::from(format!("{status}\n")));
    Ok(Response::builder()
        .status(status)
        .body(body.map_err(|never| match never {}).boxed_unsync())?)
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Counts a stream as live until it is dropped.
#[derive(Debug)]
pub(super) struct Live {
    desk: Arc<Desk>,
    id: usize,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.desk.live().remove(&self.id);
        self.desk.seen.send_modify(|seen| seen.live -= 1);
    }
}
