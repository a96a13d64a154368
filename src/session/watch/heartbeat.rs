use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tracing::debug;

use super::{Lease, Lost, Protocol, client::Client, connect::aim};
use crate::{region::Region, report::TARGET, time::after};

/// How many heartbeats in a row may fail before the lease has to be taken for lost.
const MAX_MISSED: u32 = 3;

/// By what a lease is kept.
pub(super) struct Heartbeat<P> {
    pub(super) client: Arc<dyn Client>,
    pub(super) protocol: Arc<P>,
    pub(super) region: Region,
    pub(super) lease: Lease,
    pub(super) interval: Duration,
}

impl<P: Protocol> Heartbeat<P> {
    /// Keeps the lease until it is lost. Dropping the future stops that.
    pub(super) async fn keep(&self) -> Lost {
        let first = after(Instant::now(), self.interval);
        let mut ticks = interval_at(first, self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut missed = 0;
        loop {
            ticks.tick().await;
            match self.post().await {
                Some(status) if status.is_success() => missed = 0,
                Some(StatusCode::CONFLICT) => return Lost::Conflict,
                Some(StatusCode::GONE) => return Lost::Gone,
                Some(StatusCode::UNAUTHORIZED) => return Lost::Unauthorized,
                answer => {
                    missed += 1;
                    let (region, status) = (&self.region, answer.map(|status| status.as_u16()));
                    debug!(target: TARGET, %region, status, missed, "heartbeat missed");
                }
            }
            if missed == MAX_MISSED {
                return Lost::Missed;
            }
        }
    }

    /// The answer to one heartbeat, if there is one before the next is due.
    async fn post(&self) -> Option<StatusCode> {
        let request = self.protocol.heartbeat(&self.lease).ok()?;
        let sent = self.client.send(aim(request, &self.region));
        let response = timeout(self.interval, sent).await.ok()?.ok()?;
        Some(response.status())
    }

    /// Gives the lease back, if the server knows how.
    pub(super) async fn release(&self) {
        if let Some(Ok(request)) = self.protocol.release(&self.lease) {
            // In whatever way it is answered: there is nothing more to do.
            let _ = self.client.send(aim(request, &self.region)).await;
        }
    }
}
