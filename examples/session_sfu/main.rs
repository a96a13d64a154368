//! Where does a call go when its media server is full, sends it on or fails, or the network is gone?
//!
//! `cargo run --example session_sfu` starts three media servers on this machine, and a coordinator that
//! assigns one of them. What a program needs for that is in `sfu.rs`; here the waits are shorter than
//! there.

mod coordinator;
#[path = "../session_lines/lines.rs"]
mod lines;
mod network;
mod sfu;
#[path = "../session_lines/story.rs"]
mod story;

use std::{error::Error, time::Duration};

use failover_cluster::{SessionServer, session_server::Mode};
use tokio::time::sleep;
use tower_failover::{
    Backoff,
    session::{Closed, Settings},
};

use self::{coordinator::Coordinator, network::Network, story::Story};

const MS: Duration = Duration::from_millis(1);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let servers = SessionServer::cluster(&["a", "b", "c"]).await;
    let [a, b, c] = &servers[..] else {
        unreachable!("there are three")
    };
    let coordinator = Coordinator::new(&servers);
    let settings = Settings::new()
        .backoff(Backoff::exponential(100 * MS, 100 * MS))
        .healthy_after(200 * MS)
        .or(sfu::settings());
    coordinator.refuse(1);
    a.set(Mode::Full).await;
    let assigned = {
        let coordinator = coordinator.clone();
        sfu::servers(Coordinator::ORIGIN, move |query| coordinator.assign(&query))?
    };
    let call = sfu::join(assigned, settings)?;
    let id = || call.current().map(|live| live.client);
    let story = Story::of(&call);

    story.tell("the coordinator fails at first, and then assigns a, which is full");
    story.until_healthy(1, "b").await;
    assert_eq!(a.seen().connections.len(), 1);
    let first = id();

    story.tell("b wants the session to come back fast");
    b.advise("FAST");
    story.until_healthy(2, "b").await;
    assert_eq!(id(), first, "it is the same session");

    story.tell("b restarts, at its third refusal c is next");
    b.set(Mode::Refuse).await;
    story.until_healthy(3, "c").await;
    assert_eq!(id(), first, "it is still the same session");

    story.tell("c sends the session on, and a has room again: it lasts until a has it");
    a.set(Mode::Accept).await;
    c.advise("MIGRATE");
    story.until_healthy(4, "a").await;
    let (left, seen) = (c.wait_for(|seen| seen.live == 0).await, a.seen());
    let joined = seen.joins.last().ok_or("a was not joined")?;
    assert!(left.ends[0].at >= joined.at, "c was left too early");

    let mut network = Network::new(call.clone(), 500 * MS);
    for (time, epoch) in [(300 * MS, 5), (600 * MS, 6)] {
        story.tell(format_args!("there is no network for {time:?}"));
        network.down();
        a.reset();
        sleep(time).await;
        assert_eq!(a.seen().connections.len(), epoch - 2, "nothing was tried");
        network.up();
        story.until_healthy(epoch as u64, "a").await;
        assert_eq!(
            id() == first,
            epoch == 5,
            "after half a second it is another"
        );
    }

    story.tell("a ends the call");
    a.advise("DISCONNECT");
    let closed = call.closed().await?;
    assert!(matches!(closed, Closed::Settled));
    println!("\nThe coordinator was told:");
    for asked in coordinator.asked() {
        println!("  {asked:?}");
    }
    Ok(())
}
