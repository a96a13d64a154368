use std::time::Duration;

use failover_cluster::Fault;
use futures_util::future::join_all;
use tokio::time::Instant;
use tower::{Service, ServiceExt};
use tower_failover::RegionState;

use super::scene::*;
use crate::support::within;

const RAMP: Duration = Duration::from_secs(2);

/// The share of calls that go home, so long after it came back.
fn share(back: Duration) -> f64 {
    (0.1 + 0.9 * back.as_secs_f64() / RAMP.as_secs_f64()).min(1.0)
}

/// What came of the calls of a part of the ramp.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    calls: f64,
    home: f64,
    /// How many of them go home on average, at least and at most: when a region is chosen is known
    /// only to lie between two instants, as is when home came back.
    least: f64,
    most: f64,
}

impl Part {
    fn add(&mut self, part: &Self) {
        self.calls += part.calls;
        self.home += part.home;
        self.least += part.least;
        self.most += part.most;
    }

    fn check(&self) {
        // Hoeffding: chance goes further once in 65 million times, however few the calls.
        let chance = 3.0 * self.calls.sqrt();
        assert!(self.home >= self.least - chance, "{self:?}");
        assert!(self.home <= self.most + chance, "{self:?}");
    }
}

/// A call draws its region when it is made; how long it then takes is no matter.
struct Made {
    state: RegionState,
    earliest: Instant,
    looked: Instant,
    latest: Instant,
    reply: Reply,
}

/// Some calls at once.
async fn calls(scene: &Scene) -> Vec<Made> {
    let calls = (0..8).map(|_| async {
        let mut client = scene.client.clone();
        client.ready().await.unwrap();
        let earliest = Instant::now();
        let state = scene.state();
        let looked = Instant::now();
        let call = client.call(scene.request());
        let latest = Instant::now();
        let reply = read(call.await.unwrap()).await;
        assert_eq!((reply.status.as_u16(), reply.attempts), (200, 1));
        Made {
            state,
            earliest,
            looked,
            latest,
            reply,
        }
    });
    join_all(calls).await
}

async fn traffic_comes_home_over_the_ramp(wire: Wire) {
    let health = health(millis(100), millis(400), RAMP);
    let mut scene = Scene::new(wire, |layer| layer.health(health)).await;
    scene.eject_home(Fault::Status(503)).await;
    scene.home.set(Fault::None).await;

    let (mut last_out, mut first_back) = (Instant::now(), None);
    let mut tenths = [Part::default(); 10];
    let mut after = 0;
    while after < 50 {
        for made in calls(&scene).await {
            if made.state == RegionState::Ejected {
                last_out = made.earliest;
                continue;
            }
            let back = *first_back.get_or_insert(made.looked);
            let least = made.earliest.saturating_duration_since(back);
            let most = made.latest - last_out;
            if least >= RAMP {
                made.reply.is_from("home");
                after += 1;
                continue;
            }
            let tenth = (10.0 * least.as_secs_f64() / RAMP.as_secs_f64()) as usize;
            tenths[tenth].add(&Part {
                calls: 1.0,
                home: f64::from(u8::from(made.reply.region == "home")),
                least: share(least),
                most: share(most),
            });
        }
    }
    assert_eq!(scene.state(), RegionState::Healthy);
    assert_eq!(scene.switches(&scene.home.origin()), (1, 1));
    let mut so_far = Part::default();
    for tenth in tenths {
        tenth.check();
        so_far.add(&tenth);
        so_far.check();
    }
    // Far fewer would show nothing.
    assert!(so_far.calls >= 60.0, "{so_far:?}");
}

#[tokio::test]
async fn http1_traffic_comes_home_over_the_ramp_and_not_as_a_step() {
    within(traffic_comes_home_over_the_ramp(Wire::Http1)).await;
}

#[tokio::test]
async fn h2c_traffic_comes_home_over_the_ramp_and_not_as_a_step() {
    within(traffic_comes_home_over_the_ramp(Wire::H2c)).await;
}
