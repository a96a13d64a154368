//! What does a caller notice when a region fails?
//!
//! `cargo run --example quickstart` starts three regions on this machine and lets the first refuse
//! connections, answer 503, hang and recover, one after the other, under calls that never stop.
//!
//! `cargo run --example quickstart -- http://eu.example.com http://us.example.com --path /health`
//! makes the same calls to your own regions, as far as they speak plain HTTP.

use std::{collections::BTreeMap, error::Error, process::ExitCode, time::Duration};

use bytes::Bytes;
use failover_cluster::{Cluster, Fault};
use http::{Request, Uri};
use http_body_util::Empty;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::{Instant, sleep};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_failover::{Failover, FailoverLayer, Health, Regions, Served, replay::ReplayBody};

type Body = Empty<Bytes>;
type Calls = Failover<Client<HttpConnector, ReplayBody<Body>>>;

const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(400);

const USAGE: &str = "usage: quickstart [http://region http://region ...] [--path /path]";

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

async fn run() -> Result<(), Box<dyn Error>> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let path = match args.iter().position(|arg| arg == "--path") {
        Some(at) if at + 1 < args.len() => args.drain(at..at + 2).nth(1),
        Some(_) => return Err(USAGE.into()),
        None => None,
    };
    let path = path.unwrap_or_else(|| "/".into());
    if args.iter().any(|arg| arg.starts_with("https:")) {
        return Err("this example speaks plain HTTP; for https see the example `rustls`".into());
    }
    if !args.is_empty() {
        let regions = Regions::fixed(&args).map_err(|error| format!("{error}\n{USAGE}"))?;
        let url = format!(
            "{}/{}",
            args[0].trim_end_matches('/'),
            path.trim_start_matches('/')
        );
        let mut run = Run::new(client(regions), url.parse()?);
        run.phase("your regions, a call a second", 15, Duration::from_secs(1))
            .await;
        run.summary();
        return if run.phases.iter().all(|phase| phase.failed == phase.calls) {
            Err("no call succeeded".into())
        } else {
            Ok(())
        };
    }

    let cluster = Cluster::start(&["eu", "us", "ap"]).await;
    let regions = Regions::named(["eu", "us", "ap"].into_iter().zip(cluster.origins()))?;
    let (eu, us) = (cluster.region("eu"), cluster.region("us"));
    println!("Three regions: eu is home, us and ap stand in. Another region is tried after");
    println!(
        "{ATTEMPT_TIMEOUT:?}; a region that failed is probed every half second, and its calls"
    );
    println!("return over another second.");

    let url = format!("{}{path}", eu.origin());
    let mut run = Run::new(client(regions), url.parse()?);
    let pace = Duration::from_millis(150);
    run.phase("all is well", 3, pace).await;
    eu.set(Fault::Refuse).await;
    run.phase("eu refuses connections", 5, pace).await;
    eu.set(Fault::None).await;
    run.phase("eu is back", 14, pace).await;
    eu.set(Fault::Status(503)).await;
    run.phase("eu answers 503", 5, pace).await;
    us.set(Fault::Refuse).await;
    run.phase("and us refuses connections", 5, pace).await;
    us.set(Fault::None).await;
    eu.set(Fault::None).await;
    run.phase("both are back", 18, pace).await;
    eu.set(Fault::BlackHole).await;
    run.phase("eu takes requests and never answers", 6, pace)
        .await;
    eu.set(Fault::None).await;
    run.phase("eu is back", 22, pace).await;
    run.summary();
    if run.phases.iter().any(|phase| phase.failed > 0) {
        return Err("a call was lost".into());
    }
    if !run.is_home {
        return Err("the traffic did not come home".into());
    }
    println!("\nNo call was lost, and the traffic came home.");
    Ok(())
}

fn client(regions: Regions) -> Calls {
    // Shorter than by default, for an example that is over in seconds.
    let half = Duration::from_millis(500);
    let health = Health::default().probe_every(half, half).ramp(half * 2);
    let layer = FailoverLayer::new(regions)
        .attempt_timeout(ATTEMPT_TIMEOUT)
        .total_timeout(Duration::from_secs(3))
        .health(health);
    let client = Client::builder(TokioExecutor::new()).build_http();
    ServiceBuilder::new().layer(layer).service(client)
}

/// The calls of one phase, for the table at the end.
#[derive(Default)]
struct Phase {
    name: &'static str,
    calls: usize,
    failed: usize,
    attempts: usize,
    slowest: Duration,
    by_region: BTreeMap<String, usize>,
}

struct Run {
    client: Calls,
    url: Uri,
    phases: Vec<Phase>,
    /// Whether the last call was answered by home.
    is_home: bool,
}

impl Run {
    fn new(client: Calls, url: Uri) -> Self {
        Self {
            client,
            url,
            phases: Vec::new(),
            is_home: false,
        }
    }

    async fn phase(&mut self, name: &'static str, calls: usize, pace: Duration) {
        println!("\n{name}");
        let mut phase = Phase {
            name,
            ..Phase::default()
        };
        for _ in 0..calls {
            self.call(&mut phase).await;
            sleep(pace).await;
        }
        self.phases.push(phase);
    }

    async fn call(&mut self, phase: &mut Phase) {
        let request = Request::get(self.url.clone())
            .body(Body::new())
            .expect("method and URI are valid");
        let start = Instant::now();
        let ready = self
            .client
            .ready()
            .await
            .expect("the client is always ready");
        let result = ready.call(request).await;
        let took = start.elapsed();
        let (answer, attempts) = match &result {
            Ok(response) => {
                let served = response.extensions().get::<Served>();
                let region = served.map_or("home", |served| served.region().name());
                self.is_home = served.is_none();
                phase.failed += usize::from(response.status().is_server_error());
                *phase.by_region.entry(region.to_owned()).or_default() += 1;
                let attempts = served.map_or(&[][..], Served::attempts);
                (
                    format!("{} from {region}", response.status().as_u16()),
                    attempts,
                )
            }
            Err(error) => {
                phase.failed += 1;
                ("no answer".to_owned(), error.attempts())
            }
        };
        phase.calls += 1;
        phase.attempts += attempts.len().max(1);
        phase.slowest = phase.slowest.max(took);
        // The attempt that was answered is told already.
        let answered = usize::from(result.is_ok()).min(attempts.len());
        let failed = &attempts[..attempts.len() - answered];
        let after: Vec<_> = failed.iter().map(ToString::to_string).collect();
        let after = if after.is_empty() {
            String::new()
        } else {
            format!(", after {}", after.join(", "))
        };
        println!("  {answer:<14} {:>4} ms{after}", took.as_millis());
    }

    fn summary(&self) {
        println!(
            "\n{:<38}{:>6}{:>8}{:>10}{:>9}  answered by",
            "phase", "calls", "failed", "attempts", "slowest"
        );
        for phase in &self.phases {
            let by: Vec<_> = phase
                .by_region
                .iter()
                .map(|(region, n)| format!("{region} {n}"))
                .collect();
            println!(
                "{:<38}{:>6}{:>8}{:>10}{:>6} ms  {}",
                phase.name,
                phase.calls,
                phase.failed,
                phase.attempts,
                phase.slowest.as_millis(),
                by.join(", "),
            );
        }
    }
}
