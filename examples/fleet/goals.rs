//! The goals, each with the scenario that shows whether it is met.

use super::{
    outcome::{AFTER, BEFORE, FAULT, ONSET, Outcome, Outcomes, SETTLED, STEADY, Window},
    row::{
        Bound::{self, AtLeast, AtMost, Stated, Within},
        Row, Rows,
    },
    scenarios::UTILISATIONS,
};

/// As a percentage with one decimal, 100.
const ALL: Bound = AtLeast(99.95);

/// A figure of this fleet as one of 10,000 clients would have it.
fn scaled(outcome: &Outcome, value: f64) -> f64 {
    value * 10_000.0 / outcome.scenario.clients as f64
}

pub(crate) fn rows(outcomes: &Outcomes) -> Vec<Row> {
    let mut rows = Rows::new(outcomes);
    amplification(&mut rows);
    success(&mut rows);
    detection(&mut rows);
    return_home(&mut rows);
    discovery(&mut rows);
    recovery(&mut rows);
    bounds(&mut rows);
    costs(&mut rows);
    rows.rows
}

fn amplification(rows: &mut Rows<'_>) {
    let of = |window: Window| move |o: &Outcome| o.amplification(window);
    for name in ["total", "total/busy"] {
        rows.add(
            "G1",
            name,
            "attempts per call, from 10 s on",
            AtMost(1.10),
            of(STEADY),
        );
    }
    rows.add("G1", "total", "the same with probes", Stated, |o| {
        (o.attempts(STEADY, 0..3) + o.probes(STEADY) * STEADY.len() as f64) / o.calls(STEADY)
    });
    rows.add(
        "G1",
        "total/unbudgeted",
        "attempts per call",
        Stated,
        of(STEADY),
    );
    rows.add(
        "G2",
        "total",
        "attempts per call, first 10 s",
        AtMost(1.5),
        of(ONSET),
    );
    rows.add(
        "G2",
        "total/busy",
        "attempts per call, first 10 s",
        AtMost(1.06),
        of(ONSET),
    );
    rows.elsewhere(
        "G3",
        "the cap of the budget follows the rate",
        "unit tests of src/budget.rs; enough by G4, not too much by G2",
    );
}

fn success(rows: &mut Rows<'_>) {
    let of = |window: Window| move |o: &Outcome| o.success(window);
    for name in ["dark", "dark/listed-roomy", "dark/busy", "homes"] {
        rows.add(
            "G4",
            name,
            "success, first 10 s, %",
            AtLeast(99.9),
            of(ONSET),
        );
        rows.add("G4", name, "success, from 10 s on, %", ALL, of(STEADY));
    }
    for name in ["tight", "tight/dark"] {
        rows.add(
            "G5",
            name,
            "success, first 10 s, %",
            AtLeast(99.9),
            of(ONSET),
        );
        rows.add("G5", name, "success, from 10 s on, %", ALL, of(STEADY));
    }
    for name in ["dark", "tight", "flapping"] {
        rows.add("G4", name, "success, the 2 min after, %", ALL, of(AFTER));
    }
    for name in [
        "dark/listed",
        "dark/no-failover",
        "dark/unbudgeted",
        "dark/unbudgeted-listed",
    ] {
        rows.add("G4", name, "success, from 10 s on, %", Stated, of(STEADY));
    }
}

fn detection(rows: &mut Rows<'_>) {
    rows.add(
        "G6",
        "dark/hedged",
        "attempts per call, first 10 s",
        Stated,
        |o| o.amplification(ONSET),
    );
    rows.add("G6", "dark/hedged", "p99, first 10 s, ms", Stated, |o| {
        o.quantile(ONSET, 0.99)
    });
    rows.add("G6", "dark", "p99, first 10 s, ms", Stated, |o| {
        o.quantile(ONSET, 0.99)
    });
    if let Some(outcome) = rows.outcomes.get("dark") {
        // The attempt timeout and two calls, and what the mean of a sample may be off: three standard
        // errors, and the clock's milliseconds.
        let (mean, deviation, count) = outcome.detected();
        let bound = 3.0 + 3.0 * deviation / count.sqrt() + 0.01;
        let bound = AtMost((bound * 100.0).round() / 100.0);
        rows.push("G6", "dark: mean time to detect, s".into(), bound, mean);
    }
    for name in ["dark", "homes", "tight"] {
        let added = |o: &Outcome| o.quantile(SETTLED, 0.99) - o.quantile(BEFORE, 0.99);
        rows.add(
            "G7",
            name,
            "p99 added after detection, ms",
            AtMost(130.0),
            added,
        );
    }
    for name in ["dark", "homes", "tight"] {
        let touched = |o: &Outcome| o.attempts(SETTLED, 0..1);
        rows.add(
            "G8",
            name,
            "attempts at the ejected region",
            AtMost(0.0),
            touched,
        );
    }
}

fn return_home(rows: &mut Rows<'_>) {
    for name in ["dark", "homes", "tight"] {
        let arrived = |o: &Outcome| {
            let home = |second: &usize| o.at_home(*second..*second + 5, 0) >= 97.0;
            let second = (AFTER.start..AFTER.end - 5).find(home);
            second.map_or(f64::INFINITY, |second| (second - AFTER.start) as f64)
        };
        rows.add("G9", name, "until 97 % are home, s", AtMost(30.0), arrived);
        let first = |o: &Outcome| o.at_home(AFTER.start..AFTER.start + 1, 0);
        rows.add(
            "G9",
            name,
            "at home in the first second, %",
            AtMost(10.0),
            first,
        );
    }
    rows.add(
        "G9",
        "dark",
        "of one client, in the second after its probe, %",
        Stated,
        |o| {
            let (at_home, all) = o.returns[0];
            100.0 * f64::from(at_home) / f64::from(all)
        },
    );
    rows.add("G10", "flapping", "success, %", ALL, |o| o.success(FAULT));
    // One in 15 s of the 120 s.
    rows.add(
        "G10",
        "flapping",
        "ejections of one client, mean",
        AtMost(8.0),
        |o| o.ejections().0,
    );
    rows.add(
        "G10",
        "flapping",
        "ejections of one client, most",
        Stated,
        |o| o.ejections().1 as f64,
    );
    rows.add("G10", "steady", "ejections", AtMost(0.0), |o| {
        o.changes.len() as f64
    });
    for name in ["dark", "homes", "total"] {
        let probes = |o: &Outcome| scaled(o, o.probes(SETTLED));
        rows.add(
            "G11",
            name,
            "probes per second and 10,000 clients",
            AtMost(667.0),
            probes,
        );
        let most = |o: &Outcome| f64::from(o.most_probes);
        rows.add(
            "G11",
            name,
            "probes at a time, of one client",
            AtMost(1.0),
            most,
        );
    }
}

fn discovery(rows: &mut Rows<'_>) {
    for name in ["discovered", "discovered/dark"] {
        let arrived = |o: &Outcome| scaled(o, o.lookups_elsewhere(FAULT));
        rows.add(
            "G12",
            name,
            "requests per second and 10,000 clients that reach a region",
            AtMost(30.0),
            arrived,
        );
        let mean = |o: &Outcome| scaled(o, o.lookups(FAULT).0);
        rows.add(
            "G12",
            name,
            "with those to home, which is out",
            Stated,
            mean,
        );
        let most = |o: &Outcome| scaled(o, o.lookups(FAULT).1);
        rows.add("G12", name, "the most in a second", Stated, most);
        rows.add("G4", name, "success, first 10 s, %", AtLeast(99.9), |o| {
            o.success(ONSET)
        });
        rows.add("G4", name, "success, from 10 s on, %", ALL, |o| {
            o.success(STEADY)
        });
    }
    for name in ["total/discovered", "total/seeded"] {
        // Who has seeds asks them as well, each in its region.
        let bound = match name {
            "total/discovered" => AtMost(1000.0),
            _ => Stated,
        };
        let mean = |o: &Outcome| scaled(o, o.lookups(STEADY).0);
        let what = "requests per second and 10,000 clients";
        rows.add("G13", name, what, bound, mean);
        let one = |o: &Outcome| scaled(o, o.lookups_at_one(STEADY));
        rows.add("G13", name, "the same, at one region", AtMost(1000.0), one);
        rows.add(
            "G1",
            name,
            "attempts per call, from 10 s on",
            AtMost(1.10),
            |o| o.amplification(STEADY),
        );
    }
    rows.elsewhere("G14", "one fetch at a time", "tests/discovery");
}

/// When the capacity is back after a cut.
const BACK: usize = 80;
/// From 60 s after that on.
const LATER: Window = BACK + 60..300;

fn recovery(rows: &mut Rows<'_>) {
    for percent in UTILISATIONS {
        let name = format!("cut/{percent}");
        let other = rows.outcomes.get(&format!("{name}/no-failover"));
        let Some((ours, none)) = rows.outcomes.get(&name).zip(other) else {
            continue;
        };
        let time = |o: &Outcome| {
            o.recovered(BACK)
                .map_or(f64::INFINITY, |s| (s - BACK) as f64)
        };
        let bound = if percent == 80 { AtMost(10.0) } else { Stated };
        let what = format!(
            "{name}: recovery beyond that without failover ({} s), s",
            time(none)
        );
        rows.push("G15", what, bound, time(ours) - time(none));
        let what = format!("{name}: success from 60 s after, over that without failover");
        let ratio = ours.success(LATER) / none.success(LATER);
        rows.push("G15", what, AtLeast(0.95), ratio);
    }
    rows.add(
        "G15",
        "cut/50/unbudgeted",
        "best 5 s of the 100 s after, success, %",
        AtMost(50.0),
        |o| {
            let fives = (BACK..BACK + 100).step_by(5);
            fives
                .map(|second| o.success(second..second + 5))
                .fold(0.0, f64::max)
        },
    );
    for percent in [80, 85] {
        let name = format!("cut/{percent}/cheap-probes");
        rows.add(
            "G15",
            &name,
            "success from 60 s after, a probe a tenth of a call, %",
            Stated,
            |o| o.success(LATER),
        );
        let name = format!("cut/{percent}/hedged");
        let bound = if percent > 80 { Stated } else { AtLeast(95.0) };
        rows.add("G16", &name, "success from 60 s after, %", bound, |o| {
            o.success(LATER)
        });
    }
}

fn bounds(rows: &mut Rows<'_>) {
    let slowest = rows.outcomes.iter().map(Outcome::slowest).max();
    if let Some(slowest) = slowest {
        rows.push(
            "G17",
            "slowest call of all, ms".into(),
            AtMost(3050.0),
            slowest as f64,
        );
    }
    for name in ["dark", "homes", "tight", "dark/listed"] {
        rows.add(
            "G18",
            name,
            "busier survivor over the mean",
            AtMost(1.2),
            |o| o.skew(STEADY),
        );
        rows.add(
            "G18",
            name,
            "peak of a survivor's load over its capacity",
            Stated,
            |o| o.peak(FAULT),
        );
    }
    rows.elsewhere("G19", "no request takes effect twice", "tests/failover");
    rows.elsewhere(
        "G20",
        "no contact with a host that is not allowed",
        "tests/discovery",
    );
    rows.elsewhere(
        "G21",
        "the cost of a call that is well",
        "benches/happy_path.rs, tests/allocations.rs",
    );
}

fn costs(rows: &mut Rows<'_>) {
    rows.add("G22", "grey", "success, %", AtLeast(99.9), |o| {
        o.success(FAULT)
    });
    rows.add("G22", "grey", "attempts per call", AtMost(1.10), |o| {
        o.amplification(FAULT)
    });
    rows.add("G23", "errors/10", "success, %", AtLeast(99.8), |o| {
        o.success(FAULT)
    });
    rows.add(
        "G24",
        "errors/50",
        "success, %: the price of the budget",
        Stated,
        |o| o.success(STEADY),
    );
    // As computed: 1 + min(T, (A - 1) k) / k for T = 5 tokens and A = 3 attempts.
    for (name, computed) in [("brief/1", 3.0), ("brief/10", 1.5)] {
        let bound = Within(computed - 0.02, computed + 0.02);
        rows.add(
            "G25",
            name,
            "attempts per call of short-lived processes",
            bound,
            |o| o.amplification(70..120),
        );
    }
}
