use std::time::Duration;

use tokio::time::timeout;

use super::{
    Exit, Lease, Protocol,
    client::Incoming,
    sse::{Frame, Frames},
};
use crate::time::scaled;

/// How many intervals without a frame are too many. Servers comment about once in each, and one may be
/// late.
const SILENT: f64 = 2.5;

/// Reads until the watch has come to something, or the stream to its end.
pub(super) async fn read<P: Protocol>(
    mut frames: Frames<Incoming>,
    mut reader: P,
    lease: Lease,
    interval: Duration,
) -> Exit<P::Done> {
    let silence = scaled(interval, SILENT);
    loop {
        let event = match timeout(silence, frames.next()).await {
            Ok(Some(Ok(Frame::Event(event)))) => event,
            Ok(Some(Ok(Frame::KeepAlive))) => continue,
            Ok(Some(Err(error))) => return Exit::Broken(error.into()),
            Ok(None) => return Exit::Ended,
            Err(_) => return Exit::ReadTimeout,
        };
        match reader.done(&event) {
            Ok(Some(value)) => return Exit::Done { value, lease },
            Ok(None) => {}
            Err(error) => return Exit::Malformed(error),
        }
    }
}
