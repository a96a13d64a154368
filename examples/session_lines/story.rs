//! Prints what becomes of a session.

use std::{fmt, time::Duration};

use tokio::time::{Instant, timeout};
use tower_failover::{
    Region,
    session::{Handle, Phase, Status},
};

/// Tells every change of a session's status, as long as it is there.
pub(crate) struct Story {
    start: Instant,
    status: tokio::sync::watch::Receiver<Status>,
}

impl Story {
    pub(crate) fn of<X, C>(handle: &Handle<X, C>) -> Self {
        let (start, mut status) = (Instant::now(), handle.status());
        let story = Self {
            start,
            status: status.clone(),
        };
        tokio::spawn(async move {
            let mut told = String::new();
            while status.changed().await.is_ok() {
                let line = line(&status.borrow_and_update());
                if line != told {
                    println!("{:>6} ms    {line}", start.elapsed().as_millis());
                }
                told = line;
            }
        });
        story
    }

    /// What happens next.
    pub(crate) fn tell(&self, what: impl fmt::Display) {
        println!("{:>6} ms  {what}", self.start.elapsed().as_millis());
    }

    /// Waits until the session of this number is up there and has been so for long enough.
    pub(crate) async fn until_healthy(&self, epoch: u64, region: &str) {
        let hope = |status: &Status| {
            let at = status.region.as_ref().map(Region::name);
            let is_healthy = status.phase == Phase::Connected && status.attempt == 0;
            is_healthy && (status.epoch, at) == (epoch, Some(region))
        };
        let mut status = self.status.clone();
        let waited = timeout(Duration::from_secs(10), status.wait_for(hope)).await;
        assert!(
            matches!(waited, Ok(Ok(_))),
            "no session {epoch} in {region}"
        );
    }
}

fn line(status: &Status) -> String {
    let region = status.region.as_ref().map_or("nowhere", Region::name);
    let mut line = format!("{:?} in {region}", status.phase);
    if status.attempt > 0 {
        line += &format!(", attempt {}", status.attempt);
    }
    if let Some(cause) = &status.cause {
        line += &format!(": {cause}");
    }
    line
}
