//! Counters and gauges, through the facade of the [`metrics`](https://docs.rs/metrics) crate.
//!
//! Install any of its recorders; without one nothing is kept. Call [`describe`] once after that to
//! give the recorder the units and texts below. Labels are reasons and regions, by name or else by
//! origin. There are as many of them as are in use: where regions are discovered a home that is not in
//! its own list is one too, so keep [`Discovery::hosts`](crate::Discovery::hosts) narrow if callers
//! choose whom to call. Nothing else that callers write is among the labels.
//!
//! | metric | kind | labels | counts |
//! |---|---|---|---|
//! | `tower_failover.attempts` | counter | `http.request.resend_count` | requests sent for calls, hedges included; the label is absent on a call's first and 1, 2, … after it |
//! | `tower_failover.attempts.failed` | counter | `tower_failover.region`, `error.type` | attempts that failed |
//! | `tower_failover.failovers` | counter | `tower_failover.region`, `tower_failover.to`, `error.type` | replays: from which region, to which, and why |
//! | `tower_failover.not_replayed` | counter | `tower_failover.region`, `tower_failover.stop` | failed calls that were not tried again, and [why](crate::Stop) |
//! | `tower_failover.hedges` | counter | `tower_failover.region` | hedges sent, by the region they were sent to |
//! | `tower_failover.hedges.won` | counter | `tower_failover.region` | hedges answered first, by the region that was overtaken |
//! | `tower_failover.ejections` | counter | `tower_failover.region`, `error.type` | regions taken out |
//! | `tower_failover.restorations` | counter | `tower_failover.region` | regions taken back |
//! | `tower_failover.probes` | counter | `tower_failover.region`, `http.response.status_code` | probes that ended; the label is absent where there was no answer, or the client was not ready to send it |
//! | `tower_failover.budget` | gauge | | tokens in the retry budget of the layer that last used it |
//! | `tower_failover.discoveries` | counter | `tower_failover.outcome` | lists of regions, pushed ones too: `refreshed`, or `failed` to come |
//! | `tower_failover.regions.refused` | counter | | entries of lists that were malformed or not trusted |
//!
//! `http.request.resend_count`, `error.type` and `http.response.status_code` are those of
//! OpenTelemetry's [semantic conventions for HTTP](https://opentelemetry.io/docs/specs/semconv/http/).
//! `error.type` is a status, or the text of a [`Reason`] with underscores.
//! A client span belongs below this layer, one for each attempt; there the resend count is
//! [`Attempt::number`](crate::Attempt::number) less one.

use std::fmt::Display;

use ::metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use http::StatusCode;

use crate::{classify::Reason, region::Region, report::Stop};

const ATTEMPTS: &str = "tower_failover.attempts";
const FAILED: &str = "tower_failover.attempts.failed";
const FAILOVERS: &str = "tower_failover.failovers";
const NOT_REPLAYED: &str = "tower_failover.not_replayed";
const HEDGES: &str = "tower_failover.hedges";
const HEDGES_WON: &str = "tower_failover.hedges.won";
const EJECTIONS: &str = "tower_failover.ejections";
const RESTORATIONS: &str = "tower_failover.restorations";
const PROBES: &str = "tower_failover.probes";
const BUDGET: &str = "tower_failover.budget";
const DISCOVERIES: &str = "tower_failover.discoveries";
const REFUSED: &str = "tower_failover.regions.refused";

const REGION: &str = "tower_failover.region";
const ERROR_TYPE: &str = "error.type";

/// Gives the recorder that is installed the texts of all metrics.
pub fn describe() {
    for (name, text) in [
        (ATTEMPTS, "Requests sent for calls"),
        (FAILED, "Attempts that failed"),
        (FAILOVERS, "Replays in another region"),
        (NOT_REPLAYED, "Failed calls that were not tried again"),
        (HEDGES, "Second requests sent because an answer was late"),
        (HEDGES_WON, "Second requests that were answered first"),
        (EJECTIONS, "Regions taken out"),
        (RESTORATIONS, "Regions taken back"),
        (PROBES, "Probes of regions that are out"),
        (DISCOVERIES, "Lists of regions that came, or failed to"),
        (REFUSED, "Entries of lists of regions that were refused"),
    ] {
        describe_counter!(name, Unit::Count, text);
    }
    describe_gauge!(BUDGET, Unit::Count, "Tokens in the retry budget");
}

/// Allocates nothing for a call's first attempt.
pub(crate) fn attempt(number: u32) {
    match number {
        1 => counter!(ATTEMPTS).increment(1),
        _ => {
            let resends = (number - 1).to_string();
            counter!(ATTEMPTS, "http.request.resend_count" => resends).increment(1);
        }
    }
}

pub(crate) fn attempt_failed(region: &Region, reason: Reason) {
    counter!(FAILED, REGION => name(region), ERROR_TYPE => error_type(reason)).increment(1);
}

pub(crate) fn failing_over(from: &Region, to: &Region, reason: Reason) {
    counter!(
        FAILOVERS,
        REGION => name(from),
        "tower_failover.to" => name(to),
        ERROR_TYPE => error_type(reason),
    )
    .increment(1);
}

pub(crate) fn not_replayed(region: &Region, why: Stop) {
    counter!(NOT_REPLAYED, REGION => name(region), "tower_failover.stop" => word(why)).increment(1);
}

pub(crate) fn hedging(to: &Region) {
    counter!(HEDGES, REGION => name(to)).increment(1);
}

pub(crate) fn overtaken(region: &Region) {
    counter!(HEDGES_WON, REGION => name(region)).increment(1);
}

pub(crate) fn region_ejected(region: &Region, reason: Reason) {
    counter!(EJECTIONS, REGION => name(region), ERROR_TYPE => error_type(reason)).increment(1);
}

pub(crate) fn region_restored(region: &Region) {
    counter!(RESTORATIONS, REGION => name(region)).increment(1);
}

pub(crate) fn probed(region: &Region, status: Option<StatusCode>) {
    match status {
        None => counter!(PROBES, REGION => name(region)),
        Some(status) => {
            let status = status.as_str().to_owned();
            counter!(PROBES, REGION => name(region), "http.response.status_code" => status)
        }
    }
    .increment(1);
}

/// Allocates nothing.
pub(crate) fn budget(tokens: f64) {
    // There is no level where there is no limit.
    if tokens.is_finite() {
        gauge!(BUDGET).set(tokens);
    }
}

pub(crate) fn discovery(outcome: &'static str) {
    counter!(DISCOVERIES, "tower_failover.outcome" => outcome).increment(1);
}

pub(crate) fn regions_refused(refused: usize) {
    counter!(REFUSED).increment(refused as u64);
}

fn name(region: &Region) -> String {
    region.name().to_owned()
}

fn error_type(reason: Reason) -> String {
    word(reason)
}

/// A text as a label: in one word.
fn word(text: impl Display) -> String {
    text.to_string().replace(' ', "_").replace(',', "")
}
