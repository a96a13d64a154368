//! What do three clients make of the same outage?
//!
//! `cargo run --release --example outage` puts a minute of load on three regions while the first of
//! them refuses connections, answers 503, takes calls and never answers, answers late, and recovers.
//! One client has no failover, one retries as many SDKs do, one has [`tower_failover`]; another of these
//! starts in the middle of each of the first three faults. It prints what their callers notice, draws it as `target/outage.svg`, and fails if what it claims does not hold.
//!
//! `--quick` takes twelve seconds; another path for the picture may follow.

mod script;

mod attempts;
mod client;
mod load;

mod stats;

mod checks;
mod picture;
mod table;

use std::{error::Error, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    client::Client,
    load::{RATE, STARTED_RATE},
    script::Script,
    stats::{Outage, Track},
    table::Live,
};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<bool, Box<dyn Error>> {
    let mut script = Script::minute();
    let mut picture = PathBuf::from("target/outage.svg");
    for arg in std::env::args().skip(1) {
        match arg.as_str() {
            "--quick" => script = Script::quick(),
            option if option.starts_with('-') => {
                return Err("usage: outage [--quick] [picture.svg]".into());
            }
            path => picture = path.into(),
        }
    }
    let outage = play(&script).await?;
    table::summary(&outage);
    picture::figure(&script, &outage).write(&picture)?;
    println!("\nThe picture is {}.\n", picture.display());
    let checks = checks::all(&script, &outage);
    for check in &checks {
        println!("{check}");
    }
    Ok(checks.iter().all(|check| check.holds))
}

/// Lets the script happen to all clients at once.
async fn play(script: &Script) -> Result<Outage, Box<dyn Error>> {
    let clients = Client::all(script).await?;
    let tracks: Vec<_> = clients
        .iter()
        .map(|client| Track::new(client.name))
        .collect();
    let started = Track::new(Client::STARTED);
    let ours = clients.last().expect("ours is the last of them");
    let start = Instant::now();
    let mut loads = JoinSet::new();
    for (client, track) in clients.iter().zip(&tracks) {
        let (client, track) = (Arc::clone(client), Arc::clone(track));
        let time = Duration::ZERO..script.length();
        loads.spawn(load::run(client, track, start, time, RATE));
    }

    let mut live = Live::new();
    let mut phases = Vec::new();
    let mut end = Duration::ZERO;
    for step in &script.steps {
        for client in &clients {
            client.home().set(step.phase.fault()).await;
        }
        let begin = start.elapsed();
        phases.push((step.phase, begin));
        let mut tick = end;
        end += step.length;
        if step.phase.is_dead() {
            let (client, track) = (ours.started(script)?, Arc::clone(&started));
            loads.spawn(load::run(client, track, start, begin..end, STARTED_RATE));
        }
        while tick < end {
            tick = end.min(tick + Duration::from_secs(1));
            sleep_until(start + tick).await;
            live.show(tick, step.phase, &tracks);
        }
    }
    loads.join_all().await;
    let tracks = tracks.into_iter().chain([started]).collect();
    Ok(Outage::new(phases, end, tracks))
}
