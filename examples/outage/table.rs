//! The run in text: a block per second while it lasts, a table at its end.

use std::{
    io::{IsTerminal, stdout},
    sync::Arc,
    time::Duration,
};

use crate::{
    script::{DISTANCES, Phase},
    stats::{Outage, Stats, Track},
};

/// Shows what ended since it was last shown. On a terminal each block takes the place of the last.
#[derive(Debug)]
pub(crate) struct Live {
    is_terminal: bool,
    blocks: usize,
    seen: Vec<usize>,
}

impl Live {
    pub(crate) fn new() -> Self {
        Live {
            is_terminal: stdout().is_terminal(),
            blocks: 0,
            seen: Vec::new(),
        }
    }

    pub(crate) fn show(&mut self, now: Duration, phase: Phase, tracks: &[Arc<Track>]) {
        self.seen.resize(tracks.len(), 0);
        if self.blocks == 0 {
            println!("{}", heading("time"));
        } else if self.is_terminal {
            // Up to the first line of the last block.
            print!("\x1b[{}A", tracks.len());
        }
        let clear = if self.is_terminal { "\x1b[K" } else { "" };
        for (track, seen) in tracks.iter().zip(&mut self.seen) {
            let samples = track.ended_after(*seen);
            *seen += samples.len();
            let time = format!("{:.1} s", now.as_secs_f64());
            let row = row(&time, phase, track.client, &Stats::of(&samples));
            println!("{row}{clear}");
        }
        self.blocks += 1;
    }
}

/// Every phase and client, by the time at which calls were due.
pub(crate) fn summary(outage: &Outage) {
    println!("\n{}", heading("calls"));
    for (phase, from, to) in &outage.phases {
        for track in &outage.tracks {
            let stats = track.due(*from, *to);
            if stats.calls == 0 {
                continue;
            }
            println!(
                "{}",
                row(&stats.calls.to_string(), *phase, track.client, &stats)
            );
        }
    }
    println!("Latencies are those of answered calls; tries are attempts per call.");
}

/// With the rows below, for terminals of 80 columns: a longer line would break the live block.
fn heading(first: &str) -> String {
    let regions = DISTANCES.map(|(name, _)| name).join("/");
    format!(
        "{first:>6}  {:<11}{:<15}{:>8}{:>9}{:>9}{:>7}  {regions} %",
        "phase", "client", "success", "p50", "p99", "tries"
    )
}

fn row(first: &str, phase: Phase, client: &str, stats: &Stats) -> String {
    let latency = |percentile| match stats.latency(percentile) {
        Some(latency) => format!("{} ms", latency.as_millis()),
        None => "-".to_owned(),
    };
    let number = |number: f64, digits: usize| match number.is_nan() {
        true => "-".to_owned(),
        false => format!("{number:.digits$}"),
    };
    let shares: Vec<_> = (0..DISTANCES.len())
        .map(|region| number(stats.share(region), 0))
        .collect();
    format!(
        "{first:>6}  {phase:<11}{client:<15}{:>6} %{:>9}{:>9}{:>7}  {}",
        number(stats.success(), 1),
        latency(50),
        latency(99),
        number(stats.attempts_per_call(), 2),
        shares.join("/"),
    )
}
