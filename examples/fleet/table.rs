//! What is printed at the end.

use super::{
    outcome::{AFTER, FAULT, ONSET, Outcome, Outcomes, SETTLED, STEADY, Window},
    row::{Row, Verdict},
};

pub(crate) fn print_outcomes(outcomes: &Outcomes) {
    println!("\nWhat happened: success, attempts per call and latency while the fault lasts.\n");
    println!(
        "| scenario | clients | success 0-10 s, % | success 10-120 s, % | success after, % | attempts 0-10 s | attempts 10-120 s | p99 30-120 s, ms | probes/s | lookups/s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for outcome in outcomes.iter() {
        let scenario = &outcome.scenario;
        let cut = |window: Window| window.start..window.end.min(outcome.seconds.len());
        let after = match cut(AFTER) {
            window if window.is_empty() => String::new(),
            window => format!("{:.2}", outcome.success(window)),
        };
        println!(
            "| {} | {} | {:.2} | {:.2} | {after} | {:.2} | {:.2} | {} | {:.0} | {:.0} |",
            scenario.name,
            scenario.clients,
            outcome.success(ONSET),
            outcome.success(cut(STEADY)),
            outcome.amplification(ONSET),
            outcome.amplification(cut(STEADY)),
            outcome.quantile(cut(SETTLED), 0.99),
            outcome.probes(cut(FAULT)),
            outcome.lookups(cut(FAULT)).0,
        );
    }
    println!();
    for Outcome { scenario, .. } in outcomes.iter() {
        println!("- {}: {}", scenario.name, scenario.about);
    }
}

pub(crate) fn print_goals(rows: &[Row]) {
    println!("\n| goal | what | has to be | is | verdict |");
    println!("|---|---|---|---|---|");
    for row in rows {
        let verdict = match row.verdict {
            Verdict::Met => "met",
            Verdict::Missed => "missed",
            Verdict::Elsewhere => "shown there",
            Verdict::None => "",
        };
        println!(
            "| {} | {} | {} | {} | {verdict} |",
            row.goal, row.what, row.bound, row.value
        );
    }
    let missed = rows
        .iter()
        .filter(|row| row.verdict == Verdict::Missed)
        .count();
    println!("\n{missed} missed");
}
