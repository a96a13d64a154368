//! How long a server that goes away is held on to.

use tokio::time::Instant;
use tower_failover::session::{Close, Directive, Event, Phase};

use super::{classify, settings};
use crate::{
    support::{Play::*, SECOND, Script, regions, until},
    upstream::start,
};

/// M23: the earlier one of ours, which is 10 s, and the server's. It holds while the next dial hangs.
#[tokio::test(start_paused = true)]
async fn a_handover_takes_the_earlier_deadline() {
    let rows = [(None, 10), (Some(3), 3), (Some(3600), 10)];
    for (within, expected) in rows {
        let script = Script::new([Up, Hang]);
        let settings = settings().drain(10 * SECOND).attempt_timeout(60 * SECOND);
        let handle = start(&script, regions("ab"), settings, classify);
        let mut status = handle.status();
        handle.established().await.unwrap();
        tokio::time::sleep(2 * SECOND).await;
        let directive = Directive::migrate().because("go away");
        let within = within.map(|seconds| seconds * SECOND);
        script.tell(0, Event::Advice(directive.within(within)));
        until(&mut status, Phase::Migrating).await;
        let advised = Instant::now();
        // It serves to the end, and is told then.
        assert!(handle.current().is_some(), "M23");
        until(&mut status, Phase::Connecting).await;
        assert_eq!(advised.elapsed(), expected * SECOND, "M23");
        assert!(handle.current().is_none(), "M23");
        let closed = script.peer(0, |peer| peer.closed);
        assert_eq!(closed, Some(Close::DrainTimeout), "M23");
        assert_eq!(script.dialing(), 1, "M23");
    }
}
