//! The run as a picture.

use std::time::Duration;

use failover_charts::{Colour, Figure, Line, Panel};

use crate::{
    client::Client,
    load::RATE,
    script::{DISTANCES, Phase, Script},
    stats::{Outage, Stats},
};

const CLIENTS: [(&str, Colour); 3] = [
    (Client::NO_FAILOVER, Colour::Grey),
    (Client::NAIVE, Colour::Vermillion),
    (Client::OURS, Colour::Blue),
];

const REGIONS: [Colour; 3] = [Colour::Sky, Colour::Orange, Colour::Purple];

pub(crate) fn figure(script: &Script, outage: &Outage) -> Figure {
    let windows = Windows { script, outage };
    let success = Panel::new("calls that succeed").unit("%").range(0.0..100.0);
    let latency = Panel::new("latency of those, p99 (pale: p50)")
        .unit("ms")
        .log()
        .height(130)
        .range(5.0..3000.0);
    let attempts = Panel::new("attempts per call").range(1.0..3.0).height(70);
    let shares = Panel::new(format!("who answers the calls of {}", Client::OURS))
        .unit("%")
        .range(0.0..100.0);

    let ms = |latency: Option<Duration>| latency.map_or(f64::NAN, |took| took.as_secs_f64() * 1e3);
    let p99 = |stats: &Stats| ms(stats.latency(99));
    // What ours pays where it has nothing to remember.
    let started = windows.points(Client::STARTED, p99);
    let latency = latency.line(Line::new(
        format!("{}, started in that phase", Client::OURS),
        Colour::Green,
        started,
    ));
    let latency = windows.lines(latency, p99);
    let pale = windows.all(|stats| ms(stats.latency(50)));
    let latency = pale.into_iter().map(Line::faint).fold(latency, Panel::line);
    let shares = DISTANCES.iter().enumerate().zip(REGIONS).fold(
        shares,
        |panel, ((region, (name, _)), colour)| {
            let points = windows.points(Client::OURS, |stats| stats.share(region));
            panel.area(Line::new(*name, colour, points))
        },
    );
    let figure = Figure::new("What callers notice while one region of three fails")
        .subtitle(format!(
            "Three clients, each with {RATE} calls a second for eu, and {} s of patience per attempt; us and ap stay well.",
            script.attempt_timeout.as_secs_f64()
        ))
        .panel(windows.lines(success, Stats::success))
        .panel(latency)
        .panel(windows.lines(attempts, Stats::attempts_per_call))
        .panel(shares)
        .time(0.0..script.length().as_secs_f64());
    let bad = |phase: &Phase| !matches!(phase, Phase::Well | Phase::Recovery);
    let phases = outage.phases.iter().filter(|(phase, ..)| bad(phase));
    phases.fold(figure, |figure, (phase, from, to)| {
        figure.band(from.as_secs_f64(), to.as_secs_f64(), phase.to_string())
    })
}

/// A run, cut into pieces of equal length by the time at which calls were due.
struct Windows<'a> {
    script: &'a Script,
    outage: &'a Outage,
}

impl Windows<'_> {
    /// Steps, so that a change is where it happened.
    fn points(&self, client: &str, value: impl Fn(&Stats) -> f64) -> Vec<(f64, f64)> {
        let (track, width) = (self.outage.track(client), self.script.window);
        let begins = (0_u32..).map(|n| width * n);
        begins
            .take_while(|from| *from < self.script.length())
            .flat_map(|from| {
                let to = from + width;
                let value = value(&track.due(from, to));
                [(from.as_secs_f64(), value), (to.as_secs_f64(), value)]
            })
            .collect()
    }

    fn all(&self, value: impl Fn(&Stats) -> f64) -> Vec<Line> {
        let line = |(client, colour)| Line::new(client, colour, self.points(client, &value));
        CLIENTS.into_iter().map(line).collect()
    }

    fn lines(&self, panel: Panel, value: impl Fn(&Stats) -> f64) -> Panel {
        self.all(value).into_iter().fold(panel, Panel::line)
    }
}
