//! Hosts below `example.com` in memory, for the paused clock: nothing they do takes any time.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_failover::{Budget, Discovery, Failover, FailoverLayer, Stop, replay::ReplayBody};

use crate::support::{PATH, layer_with};

pub(crate) const HOME: &str = "https://home.example.com";
pub(crate) const EU: &str = "https://eu.example.com";
pub(crate) const US: &str = "https://us.example.com";

type Inner =
    BoxCloneSyncService<Request<ReplayBody<Full<Bytes>>>, Response<Full<Bytes>>, io::Error>;
pub(crate) type HostsClient = Failover<Inner>;

/// What a host does that is not well.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ill {
    /// Refuses everything.
    Refuses,
    /// Answers calls with this status, and discovery as all hosts do.
    Answers(u16),
}

/// All hosts, and who was asked for what.
#[derive(Clone, Default)]
pub(crate) struct Hosts(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    ill: HashMap<String, Ill>,
    document: Option<String>,
    cache_control: Option<&'static str>,
    seen: Vec<String>,
}

impl Hosts {
    /// Hosts that all say that these are the regions.
    pub(crate) fn listing(origins: &[&str]) -> Self {
        let hosts = Self::default();
        hosts.list(origins);
        hosts
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn list(&self, origins: &[&str]) {
        let regions = origins.iter().map(|url| serde_json::json!({ "url": url }));
        let regions: Vec<_> = regions.collect();
        self.document(&serde_json::json!({ "regions": regions }).to_string());
    }

    pub(crate) fn document(&self, text: &str) {
        self.state().document = Some(text.to_owned());
    }

    /// Discovery is answered with 500, by everybody.
    pub(crate) fn lose_list(&self) {
        self.state().document = None;
    }

    pub(crate) fn cache_control(&self, value: &'static str) {
        self.state().cache_control = Some(value);
    }

    pub(crate) fn set(&self, origin: &str, ill: Ill) {
        let host = label(&origin.parse().unwrap());
        self.state().ill.insert(host, ill);
    }

    /// Who was asked since the last time, by the first label of the host; `?` marks discovery.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.state().seen)
    }

    /// How often a list was asked for since the last time.
    pub(crate) fn questions(&self) -> usize {
        let is_question = |seen: &&String| seen.starts_with('?');
        self.take().iter().filter(is_question).count()
    }

    pub(crate) fn client(&self, layer: &FailoverLayer) -> HostsClient {
        let hosts = self.clone();
        let service = service_fn(move |request: Request<ReplayBody<Full<Bytes>>>| {
            let answer = hosts.answer(request.uri());
            async move { answer }
        });
        layer.layer(BoxCloneSyncService::new(service))
    }

    fn answer(&self, uri: &Uri) -> io::Result<Response<Full<Bytes>>> {
        let mut state = self.state();
        let host = label(uri);
        let is_question = uri.path() == PATH;
        let mark = if is_question { "? " } else { "" };
        state.seen.push(format!("{mark}{host}"));
        let mut answer = Response::builder();
        let body = match (state.ill.get(&host), is_question) {
            (Some(Ill::Refuses), _) => return Err(io::ErrorKind::ConnectionRefused.into()),
            (_, true) => {
                if let Some(value) = state.cache_control {
                    answer = answer.header("cache-control", value);
                }
                answer = answer.status(if state.document.is_some() { 200 } else { 500 });
                state.document.clone().unwrap_or_default()
            }
            (Some(Ill::Answers(status)), false) => {
                answer = answer.status(*status);
                String::new()
            }
            (None, false) => String::new(),
        };
        Ok(answer.body(Full::from(body)).unwrap())
    }
}

/// The host without `.example.com`, with its port where that is not the one of `https`.
fn label(uri: &Uri) -> String {
    let host = uri.host().unwrap().to_ascii_lowercase();
    let host = host.strip_suffix(".example.com").unwrap_or(&host);
    match (uri.scheme_str(), uri.port_u16()) {
        (Some("http"), port) => format!("http {host}:{}", port.unwrap_or(80)),
        (_, None | Some(443)) => host.to_owned(),
        (_, Some(port)) => format!("{host}:{port}"),
    }
}

/// Discovery over HTTP with these settings, and replays that cost nothing.
pub(crate) fn free_layer(set: impl FnOnce(Discovery) -> Discovery) -> FailoverLayer {
    layer_with(set).budget(Budget::unlimited())
}

/// Calls an origin: the status of the answer, or why there is none.
pub(crate) async fn call_at(client: &HostsClient, origin: &str) -> Result<u16, Option<Stop>> {
    let request = Request::get(format!("{origin}/"));
    let request = request.body(Full::default()).unwrap();
    match client.clone().oneshot(request).await {
        Ok(response) => Ok(response.status().as_u16()),
        Err(error) => Err(error.stop()),
    }
}
