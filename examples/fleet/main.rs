//! What does a fleet of clients do to the regions that survive an outage?
//!
//! `cargo run --release --example fleet` lets 10,000 clients, each with a layer of its own, call three
//! simulated regions on tokio's paused clock, breaks the regions in the ways of `scenarios.rs`, and
//! compares what happened with the goals. Everything that a client decides is decided by the crate.
//! `docs/fleet.md` tells the model and its limits.
//!
//! `--clients N` (10000), `--seed N` (1), `--only NAME` (a scenario or the beginning of its name),
//! `--out DIR` (target/fleet), `--quick` (300 clients, for a debug build within a minute).

mod args;
mod call_log;
mod client;
mod curves;
mod events;
mod fault;
mod goals;
mod histogram;
mod net;
mod outcome;
mod policy;
mod row;
mod run;
mod scenarios;
mod server;
mod table;
mod world;

use std::process::ExitCode;

use self::{args::Args, row::Verdict};

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    events::install();
    let scenarios = scenarios::all(&args);
    if scenarios.is_empty() {
        eprintln!("no scenario has this name");
        return ExitCode::FAILURE;
    }
    let outcomes = run::all(scenarios, args.seed);
    let mut rows = goals::rows(&outcomes);
    rows.extend(run::is_repeatable(&args));

    table::print_outcomes(&outcomes);
    table::print_goals(&rows);
    if let Err(error) = curves::write(&outcomes, &args.out) {
        eprintln!("the curves could not be written: {error}");
        return ExitCode::FAILURE;
    }
    match rows.iter().any(|row| row.verdict == Verdict::Missed) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}
