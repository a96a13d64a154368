//! The curves, as pictures.

use std::{io, ops::Range, path::Path};

use failover_charts::{Colour, Figure, Line, Panel};

use super::{
    call_log::Second,
    fault::REGIONS,
    outcome::{Outcome, Outcomes},
    policy::Policy,
};

const REGION: [(&str, Colour); REGIONS] = [
    ("region 0", Colour::Vermillion),
    ("region 1", Colour::Green),
    ("region 2", Colour::Purple),
];

/// A picture: its name, its title, and the scenarios whose curves it compares.
const PICTURES: [(&str, &str, &[&str]); 7] = [
    (
        "dark",
        "One of three regions never answers",
        &["dark", "dark/no-failover", "dark/unbudgeted-listed"],
    ),
    (
        "homes",
        "All clients live in the region that never answers",
        &["homes"],
    ),
    (
        "tight",
        "One region refuses, the others have 2 % to spare",
        &["tight"],
    ),
    (
        "total",
        "All regions refuse",
        &["total", "total/unbudgeted"],
    ),
    (
        "cut-50",
        "20 s with 40 % of the capacity, at half load",
        &["cut/50", "cut/50/no-failover", "cut/50/unbudgeted"],
    ),
    (
        "cut-80",
        "20 s with 40 % of the capacity, at 80 % load",
        &["cut/80", "cut/80/no-failover"],
    ),
    (
        "flapping",
        "One region is down for 5 s, up for 5 s, and so on",
        &["flapping"],
    ),
];

/// Draws the pictures whose scenarios were all run.
pub(crate) fn write(outcomes: &Outcomes, out: &Path) -> io::Result<()> {
    for (name, title, scenarios) in PICTURES {
        let found: Option<Vec<_>> = scenarios.iter().map(|name| outcomes.get(name)).collect();
        if let Some(found) = found {
            let path = out.join(name).with_extension("svg");
            figure(title, &found).write(&path)?;
            println!("{}", path.display());
        }
    }
    Ok(())
}

fn figure(title: &str, outcomes: &[&Outcome]) -> Figure {
    let ours = outcomes[0];
    let scenario = &ours.scenario;
    let (clients, rate, utilisation) = (scenario.clients, scenario.rate, utilisation(ours));
    let mut figure = Figure::new(title).subtitle(format!(
        "{clients} clients, {rate} call/s each; the regions are {utilisation:.0} % used when all are well"
    ));
    if let Some(outage) = &scenario.outage {
        let (from, until) = (outage.from as f64, outage.until as f64);
        figure = figure.band(from, until, "fault");
    }
    let success = Panel::new("calls that succeed").unit("%").range(0.0..100.0);
    let slowness = Panel::new("latency, p99")
        .unit(" ms")
        .log()
        .range(10.0..10_000.0);
    let attempts = Panel::new("attempts per call").range(0.0..3.1).height(80);
    figure = figure
        .panel(each(success, outcomes, |o, second| o.success(second)))
        .panel(each(slowness, outcomes, |o, second| {
            o.quantile(second, 0.99)
        }))
        .panel(each(attempts, outcomes, |o, second| {
            o.amplification(second)
        }))
        .panel(load(ours, policy(ours).0));
    match outcomes[1..].last() {
        Some(last) => figure.panel(load(last, policy(last).0)),
        None => figure,
    }
}

/// What of the capacity of all regions the calls use when all is well, in percent.
fn utilisation(outcome: &Outcome) -> f64 {
    let scenario = &outcome.scenario;
    let capacity = scenario.capacity * REGIONS as f64;
    100.0 * scenario.clients as f64 * scenario.rate / capacity
}

fn policy(outcome: &Outcome) -> (&'static str, Colour) {
    match outcome.scenario.policy {
        Policy::Ours => ("tower-failover", Colour::Blue),
        Policy::Hedged => ("with hedges", Colour::Sky),
        Policy::NoFailover => ("no failover", Colour::Grey),
        Policy::Unbudgeted => ("three attempts, no budget", Colour::Orange),
    }
}

/// One line for each outcome.
fn each(
    panel: Panel,
    outcomes: &[&Outcome],
    value: impl Fn(&Outcome, Range<usize>) -> f64,
) -> Panel {
    outcomes.iter().rev().fold(panel, |panel, outcome| {
        let (name, colour) = policy(outcome);
        let points = points(outcome, |second| value(outcome, second..second + 1));
        panel.line(Line::new(name, colour, points))
    })
}

/// What the regions get, as a share of what they can serve.
fn load(outcome: &Outcome, name: &str) -> Panel {
    let panel = Panel::new(format!("load of a region over its capacity: {name}")).unit("%");
    let share = |count: u32| 100.0 * f64::from(count) / outcome.scenario.capacity;
    (0..REGIONS).fold(panel, |panel, region| {
        let of = |second: &Second| share(second.attempts[region] + second.probes[region]);
        let points = points(outcome, |second| of(&outcome.seconds[second]));
        let (name, colour) = REGION[region];
        panel.line(Line::new(name, colour, points))
    })
}

fn points(outcome: &Outcome, value: impl Fn(usize) -> f64) -> Vec<(f64, f64)> {
    let seconds = 0..outcome.seconds.len();
    seconds
        .map(|second| (second as f64, value(second)))
        .collect()
}
