//! What does LiveKit's API look like from a program that uses the preset, while its regions fail?
//!
//! `cargo run --example livekit` starts a project in four regions on this machine, and lets the
//! calls to its home meet one trouble after the other. With `FailoverLayer::livekit()` in place of
//! `livekit_on_loopback()` and a TLS connector the same client calls LiveKit Cloud.

use std::{error::Error, process::ExitCode};

use bytes::Bytes;
use failover_cluster::{Fault, LiveKit, Server};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::Instant;
use tower::{ServiceBuilder, ServiceExt};
use tower_failover::{
    Failover, FailoverLayer, Handle, Region, RegionList, Served, replay::ReplayBody,
};

type Body = Full<Bytes>;
type Outcome = Result<(), Box<dyn Error>>;

const REGIONS: &str = "/settings/regions";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Outcome {
    println!("A project in four regions; region-0 is home, and the only one the program knows of.");

    let project = Project::start().await;
    project.act("All is well");
    project.create("", "region-0").await?;
    project.create("", "region-0").await?;
    project.asked("nothing was asked", &[0, 0, 0, 0])?;

    project.act("Home fails, and then the next region too: home is asked for the regions, once");
    project.create(r#"{"failRegions":[0]}"#, "region-1").await?;
    project.create("", "region-0").await?;
    project
        .create(r#"{"failRegions":[0,1]}"#, "region-2")
        .await?;
    project.asked("the list serves for a minute", &[1, 0, 0, 0])?;

    project.act("Home is well again, and then refuses connections: one call has to find out");
    project.create("", "region-0").await?;
    project.home().set(Fault::Refuse).await;
    for _ in 0..3 {
        project.create("", "region-1").await?;
    }
    project.asked("nothing was asked again", &[1, 0, 0, 0])?;

    let project = Project::start().await;
    project.act("The project is pinned to region-3: home answers 451 and its list leads there");
    let pinned = r#"{"pinnedRegions":["region-3"]}"#;
    project.create(pinned, "region-3").await?;
    project.create(pinned, "region-3").await?;
    project.asked("once, for the list knows of it", &[1, 0, 0, 0])?;
    project.act("No region is allowed: the 451 is the answer");
    let nowhere = Project::start().await;
    nowhere
        .create_is(451, r#"{"pinnedRegions":["region-9"]}"#, "region-0")
        .await?;
    nowhere.asked("in vain", &[1, 0, 0, 0])?;

    let project = Project::start().await;
    project.act("A server pushes a list: region-2, then region-3");
    project.push(&[2, 3])?;
    project.create(r#"{"failRegions":[0]}"#, "region-2").await?;
    project
        .create(r#"{"failRegions":[0,2]}"#, "region-3")
        .await?;
    project.asked("nothing was asked", &[0, 0, 0, 0])?;

    let project = Project::start().await;
    project.livekit.cache_control("max-age=0");
    project.act("Discovery is down, with a list that is out of date");
    project.create(r#"{"failRegions":[0]}"#, "region-1").await?;
    project.asked("home, while it answered", &[1, 0, 0, 0])?;
    let down = r#"{"failRegions":[0],"regionsStatus":500}"#;
    project.create(down, "region-1").await?;
    project.asked("all that are known, in vain", &[2, 1, 1, 1])?;
    project.create(down, "region-1").await?;
    project.asked("and then nobody for a while", &[2, 1, 1, 1])?;

    println!("\nAll as it was said.");
    Ok(())
}

/// A project in its regions, and a client that knows nothing of them yet.
struct Project {
    livekit: LiveKit,
    client: Failover<Client<HttpConnector, ReplayBody<Body>>>,
    handle: Handle,
}

impl Project {
    async fn start() -> Self {
        let livekit = LiveKit::start(4).await;
        livekit.cache_control("max-age=60");
        let layer = FailoverLayer::livekit_on_loopback();
        let handle = layer.handle();
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            livekit,
            client: ServiceBuilder::new().layer(layer).service(client),
            handle,
        }
    }

    fn act(&self, what: &str) {
        println!("\n{what}");
    }

    fn home(&self) -> &Server {
        self.livekit.region(0)
    }

    /// Creates a room, which that region is to do. `mock` tells the servers how to behave.
    async fn create(&self, mock: &str, region: &str) -> Outcome {
        self.create_is(200, mock, region).await
    }

    async fn create_is(&self, status: u16, mock: &str, region: &str) -> Outcome {
        let home = self.home().origin();
        let request = Request::post(format!("{home}/twirp/livekit.RoomService/CreateRoom"))
            .header("authorization", format!("Bearer {}", LiveKit::SECRET))
            .header("content-type", "application/json")
            .header("x-lk-mock", mock)
            .body(Body::from(r#"{"name":"stage"}"#))?;
        let start = Instant::now();
        let response = self.client.clone().oneshot(request).await?;
        let took = start.elapsed().as_millis();

        let served = response.extensions().get::<Served>();
        let attempts = served.map_or(&[][..], Served::attempts);
        let served = served.map_or("region-0", |served| served.region().name());
        // The attempt that was answered is told already.
        let earlier = &attempts[..attempts.len().saturating_sub(1)];
        let earlier: Vec<_> = earlier.iter().map(ToString::to_string).collect();
        let after = match earlier.is_empty() {
            true => String::new(),
            false => format!(", after {}", earlier.join(", ")),
        };
        let got = response.status().as_u16();
        println!("  CreateRoom: {got} from {served} in {took} ms{after}");
        expect("served by", served, region)?;
        expect("status", got, status)?;
        let body = response.into_body().collect().await?.to_bytes();
        let is_room = body.windows(5).any(|word| word == b"stage");
        expect("a room in the answer", is_room, status == 200)
    }

    /// Gives the client a list of its regions, as a server may over a connection of its own.
    fn push(&self, regions: &[usize]) -> Outcome {
        let region = |&n: &usize| Region::new(format!("region-{n}"), self.livekit.origin(n));
        let regions = regions.iter().map(region).collect::<Result<_, _>>()?;
        let home = self.home().origin();
        Ok(self.handle.set_regions(home, RegionList::new(regions))?)
    }

    /// Says, and checks, how often each region was asked for the list.
    fn asked(&self, what: &str, expected: &[usize]) -> Outcome {
        let regions = self.livekit.regions().iter();
        let asked: Vec<_> = regions.map(|region| region.hits_at(REGIONS)).collect();
        println!("  asked for the list so far: {asked:?} ({what})");
        expect("asked", asked.as_slice(), expected)
    }
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, is: T, should: T) -> Outcome {
    match is == should {
        true => Ok(()),
        false => Err(format!("{what}: {is:?}, and not {should:?}").into()),
    }
}
