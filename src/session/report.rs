//! The events of sessions, for whoever reads the log: regions and kinds, nothing that a peer wrote.

use std::time::Duration;

use tracing::{debug, info};

use super::{Cause, CauseKind, Error, Step};
use crate::{
    region::Region,
    report::{TARGET, millis},
};

pub(super) fn connecting(number: u32, region: &Region, step: Step) {
    debug!(target: TARGET, attempt = number, %region, ?step, "session connecting");
}

pub(super) fn connected(region: &Region, epoch: u64) {
    info!(target: TARGET, %region, epoch, "session up");
}

pub(super) fn interrupted(region: Option<&Region>, cause: &Cause) {
    let region = region.map(Region::name);
    match cause.kind() {
        CauseKind::ConnectFailed | CauseKind::TimedOut | CauseKind::NoRegion => {
            debug!(target: TARGET, region, %cause, "session not up");
        }
        CauseKind::Exited | CauseKind::Advised | CauseKind::Kicked => {
            info!(target: TARGET, region, %cause, "session left");
        }
    }
}

pub(super) fn waiting(step: Step, wait: Duration) {
    debug!(target: TARGET, ?step, delay_ms = millis(wait), "session waits");
}

pub(super) fn over(error: Option<&Error>) {
    match error {
        Some(error) => info!(target: TARGET, %error, "session given up"),
        None => debug!(target: TARGET, "session over"),
    }
}
