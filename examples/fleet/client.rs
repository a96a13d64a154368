//! One client: a layer of its own, and calls that do not wait for each other.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Empty;
use tokio::time::{Instant, sleep, sleep_until};
use tower::{Layer, ServiceExt};
use tower_failover::Failover;

use super::{
    net::{Net, ORIGINS},
    world::{World, exponential},
};

#[derive(Clone, Debug)]
pub(crate) struct Client {
    world: Arc<World>,
    id: usize,
    calls: Failover<Net>,
    uri: Uri,
}

impl Client {
    pub(crate) fn new(world: Arc<World>, id: usize) -> Self {
        let scenario = &world.scenario;
        let layer = scenario.policy.layer(scenario.source, scenario.order, id);
        let uri = format!("{}/call", ORIGINS[world.home_of(id)]);
        Self {
            calls: layer.layer(Net::new(world.clone(), id)),
            id,
            uri: uri.parse().expect("an origin and a path are a URI"),
            world,
        }
    }

    /// Calls at random times, independent of each other and of what becomes of the calls, to the end
    /// of the run.
    pub(crate) async fn live(self) {
        let (begin, scenario) = (Instant::now(), &self.world.scenario);
        let pause = 1.0 / scenario.rate;
        let mut next = exponential(pause);
        while next < scenario.seconds as f64 {
            sleep_until(begin + Duration::from_secs_f64(next)).await;
            tokio::spawn(self.call());
            next += exponential(pause);
        }
    }

    fn call(&self) -> impl Future<Output = ()> + Send + use<> {
        let (world, client) = (self.world.clone(), self.id);
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = self.uri.clone();
        let answer = self.calls.clone().oneshot(request);
        async move {
            let begin = world.now();
            world.call_begins(client);
            let answer = answer.await;
            let is_success = answer.is_ok_and(|response| response.status().is_success());
            world.call_ends(begin, is_success);
        }
    }
}

/// Processes one after the other, each of which makes this many calls and knows nothing of the last.
pub(crate) async fn live_briefly(world: Arc<World>, id: usize, calls: u32) {
    let scenario = &world.scenario;
    let end = Duration::from_secs(scenario.seconds);
    let begin = Instant::now();
    loop {
        let pause = Duration::from_secs_f64(exponential(1.0 / scenario.rate));
        sleep(pause).await;
        let client = Client::new(world.clone(), id);
        for _ in 0..calls {
            if begin.elapsed() >= end {
                return;
            }
            client.call().await;
        }
    }
}
