//! The clients. Each of the three has regions of its own, so that none feels the load of the others and a
//! fault that takes turns does not deal one client the bad ones; they fail at the same moments.

use std::{error::Error, sync::Arc, time::Duration};

use bytes::Bytes;
use failover_cluster::{Cluster, Fault, Server};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client as HyperClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::{sleep, timeout};
use tower::{ServiceBuilder, ServiceExt};
use tower_failover::{
    Budget, Failover, FailoverLayer, Regions, error::InvalidRegion, replay::ReplayBody,
};

use crate::{
    attempts::{Counted, Tally},
    script::{DISTANCES, Script},
};

type Body = Empty<Bytes>;
type Http<B> = Counted<HyperClient<HttpConnector, B>>;

pub(crate) struct Client {
    pub(crate) name: &'static str,
    cluster: Arc<Cluster>,
    kind: Kind,
    attempt_timeout: Duration,
}

enum Kind {
    NoFailover(Http<Body>),
    Naive(Http<Body>),
    Ours(Failover<Http<ReplayBody<Body>>>, Budget),
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The region of that index in [`DISTANCES`] answered well.
    Answered(usize),
    Lost,
    /// Lost while the retry budget was empty.
    LostForBudget,
}

impl Client {
    pub(crate) const NO_FAILOVER: &str = "no failover";
    pub(crate) const NAIVE: &str = "naive retry";
    pub(crate) const OURS: &str = "tower-failover";
    /// Ours again, with nothing remembered: ours itself has lost sight of the failed region by the
    /// time it gets worse, and would not show what it does about a black hole.
    pub(crate) const STARTED: &str = "just started";

    pub(crate) async fn all(script: &Script) -> Result<Vec<Arc<Client>>, Box<dyn Error>> {
        let mut clients = Vec::new();
        for name in [Client::NO_FAILOVER, Client::NAIVE, Client::OURS] {
            let cluster = Arc::new(Cluster::start(&DISTANCES.map(|(name, _)| name)).await);
            for (name, distance) in DISTANCES {
                cluster.region(name).set(Fault::Delay(distance)).await;
            }
            let kind = match name {
                Client::NO_FAILOVER => Kind::NoFailover(Counted(http())),
                Client::NAIVE => Kind::Naive(Counted(http())),
                _ => ours(&cluster, script)?,
            };
            clients.push(Arc::new(Client {
                name,
                cluster,
                kind,
                attempt_timeout: script.attempt_timeout,
            }));
        }
        Ok(clients)
    }

    /// A client of ours that starts now, in the same regions.
    pub(crate) fn started(&self, script: &Script) -> Result<Arc<Client>, InvalidRegion> {
        Ok(Arc::new(Client {
            name: Client::STARTED,
            cluster: Arc::clone(&self.cluster),
            kind: ours(&self.cluster, script)?,
            attempt_timeout: self.attempt_timeout,
        }))
    }

    /// The region that fails.
    pub(crate) fn home(&self) -> &Server {
        self.cluster.region(DISTANCES[0].0)
    }

    /// Makes one call to home.
    pub(crate) async fn call(&self, tally: &Tally) -> End {
        let request = || request(&self.home().origin(), tally);
        let response = match &self.kind {
            Kind::NoFailover(client) => {
                let call = client.clone().oneshot(request());
                timeout(self.attempt_timeout, call)
                    .await
                    .ok()
                    .and_then(Result::ok)
            }
            Kind::Naive(client) => self.call_naively(client, tally).await,
            Kind::Ours(client, budget) => {
                let response = client.clone().oneshot(request()).await.ok();
                let response = response.filter(|response| response.status().is_success());
                if response.is_none() && budget.available() < 1.0 {
                    return End::LostForBudget;
                }
                response
            }
        };
        match response {
            Some(response) if response.status().is_success() => answered(response).await,
            _ => End::Lost,
        }
    }

    /// As the SDKs of LiveKit do it: the list from its top for every call, 200 ms and then 400 ms
    /// between, in step, at any price.
    async fn call_naively(&self, client: &Http<Body>, tally: &Tally) -> Option<Response<Incoming>> {
        let mut wait = Duration::from_millis(200);
        let mut last = None;
        for (n, origin) in self.cluster.origins().iter().enumerate() {
            if n > 0 {
                sleep(wait).await;
                wait *= 2;
            }
            let attempt = client.clone().oneshot(request(origin, tally));
            last = match timeout(self.attempt_timeout, attempt).await {
                Ok(Ok(response)) if !response.status().is_server_error() => return Some(response),
                failed => failed.ok().and_then(Result::ok),
            };
        }
        last
    }
}

fn ours(cluster: &Cluster, script: &Script) -> Result<Kind, InvalidRegion> {
    let names = DISTANCES.map(|(name, _)| name);
    let regions = Regions::named(names.into_iter().zip(cluster.origins()))?;
    // The default one, kept at hand to look at.
    let budget = Budget::default();
    let layer = FailoverLayer::new(regions)
        .attempt_timeout(script.attempt_timeout)
        .health(script.health.clone())
        .budget(budget.clone());
    let client = ServiceBuilder::new().layer(layer).service(Counted(http()));
    Ok(Kind::Ours(client, budget))
}

fn http<B>() -> HyperClient<HttpConnector, B>
where
    B: http_body::Body + Send,
    B::Data: Send,
{
    HyperClient::builder(TokioExecutor::new()).build_http()
}

fn request(origin: &str, tally: &Tally) -> Request<Body> {
    Request::get(format!("{origin}/rooms"))
        .extension(tally.clone())
        .body(Body::new())
        .expect("method and URI are valid")
}

/// Reads the answer to its end, and whose it is.
async fn answered(response: Response<Incoming>) -> End {
    let name = response.headers().get("x-region").cloned();
    let region = DISTANCES
        .iter()
        .position(|(region, _)| name.as_ref().is_some_and(|name| name == region));
    match (region, response.into_body().collect().await) {
        (Some(region), Ok(_)) => End::Answered(region),
        _ => End::Lost,
    }
}
