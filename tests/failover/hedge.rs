//! Hedging: a second request beside a first one that is late.

mod answers;
mod cancel;
mod chance;
mod decision;
mod delay;
mod fallback;
mod health;
mod measured;
mod race;
mod regions;
mod room;
mod silence;
mod sockets;

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Empty;
use tower_failover::{AttemptRecord, Budget, Error, FailoverLayer, Hedge, Served};

use crate::support::{Act, Script, layer, no_wait};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

/// When [`hedged`] calls are.
const DELAY: Duration = Duration::from_millis(100);

/// A layer over `n` regions that hedges whatever it may after [`DELAY`].
fn hedged(n: u8) -> FailoverLayer {
    layer(n)
        .hedge(Hedge::after(DELAY))
        .budget(Budget::unlimited())
        .backoff(no_wait())
}

fn after(wait: Duration, act: Act) -> Act {
    Act::After(wait, Box::new(act))
}

/// An answer after so long.
fn late(wait: Duration) -> Act {
    after(wait, Act::Status(200))
}

type Ended = Result<Response<Empty<Bytes>>, Error>;

/// The attempts of a call as its caller is told, each shown as `a (503)`.
fn told(outcome: &Ended) -> Vec<String> {
    let show =
        |record: &AttemptRecord| record.to_string().replace("http://", "").replace(":80", "");
    let shown = |records: &[AttemptRecord]| records.iter().map(show).collect();
    match outcome {
        Ok(response) => {
            let served = response.extensions().get::<Served>();
            served.map_or_else(Vec::new, |served| shown(served.attempts()))
        }
        Err(error) => shown(error.attempts()),
    }
}

/// Where the requests of callers went.
fn asked(script: &Script) -> String {
    script.asked().concat()
}
