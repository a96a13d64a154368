use std::{future::poll_fn, sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout_at};
use tracing::debug;

use super::{
    Lease, Lost, Protocol,
    client::{Client, Incoming},
    connect::aim,
};
use crate::{region::Region, report::TARGET, time::after};

/// How many heartbeats in a row may fail before the lease has to be taken for lost.
const MAX_MISSED: u32 = 3;

/// How much of the answer to a heartbeat is read, which says nothing but its status.
const MAX_ANSWER: usize = 16 * 1024;

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
        let until = after(Instant::now(), self.interval);
        let response = timeout_at(until, sent).await.ok()?.ok()?;
        let status = response.status();
        if status.is_success() {
            // Else the connection is closed, or the stream reset, for what is left of the answer.
            let _ = timeout_at(until, drain(response.into_body())).await;
        }
        Some(status)
    }

    /// Gives the lease back, if the server knows how.
    pub(super) async fn release(&self) {
        if let Some(Ok(request)) = self.protocol.release(&self.lease) {
            // In whatever way it is answered: there is nothing more to do.
            let _ = self.client.send(aim(request, &self.region)).await;
        }
    }
}

/// Reads an answer to its end, if that is near.
async fn drain(mut body: Incoming) {
    let mut read = 0;
    while read <= MAX_ANSWER {
        match poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            // Each counts, for there may be nothing in it.
            Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len).max(1),
            Some(Err(_)) | None => return,
        }
    }
}
