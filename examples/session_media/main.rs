//! Does a publisher keep its session while relays refuse it, go away, fall silent and fail?
//!
//! `cargo run --example session_media` starts three relays on this machine and a publisher that sends a
//! frame every 20 ms to whichever has its session. What a program needs for that is in `media.rs`; here
//! the waits are shorter than there.

#[path = "../session_lines/lines.rs"]
mod lines;
mod media;
#[path = "../session_lines/story.rs"]
mod story;

use std::{error::Error, time::Duration};

use failover_cluster::{SessionServer, session_server::Mode};
use tokio::{sync::mpsc, time::sleep};
use tower_failover::{
    Backoff, Regions,
    session::{ErrorKind, Settings},
};

use self::{media::Publisher, story::Story};

const MS: Duration = Duration::from_millis(1);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let relays = SessionServer::cluster(&["eu", "us", "ap"]).await;
    relays.iter().for_each(|relay| relay.ping_every(200 * MS));
    let regions = Regions::named(relays.iter().map(|r| (r.name(), r.origin())))?;
    let [eu, us, ap] = &relays[..] else {
        unreachable!("there are three")
    };
    let settings = Settings::new()
        .backoff(Backoff::exponential(100 * MS, 500 * MS))
        .healthy_after(200 * MS)
        .give_up_after(1500 * MS)
        .or(media::settings());
    let (received, mut echoes) = mpsc::unbounded_channel();
    let publisher = media::publish(regions, settings, received)?;
    tokio::spawn(send_frames(publisher.clone()));

    let story = Story::of(&publisher);
    story.until_healthy(1, "eu").await;
    story.tell("eu goes away, in favour of ap");
    eu.go_away(Some(&ap.origin()), Some(1000 * MS));
    story.until_healthy(2, "ap").await;
    let (left, seen) = (eu.wait_for(|seen| seen.live == 0).await, ap.seen());
    let joined = &seen.joins[0];
    assert!(joined.resumed && left.ends[0].at >= joined.at);

    story.tell("ap cuts the connection and takes no other: eu is next");
    ap.set(Mode::Refuse).await;
    story.until_healthy(3, "eu").await;

    story.tell("eu falls silent; neither it nor us answers, but ap is back");
    ap.set(Mode::Accept).await;
    us.set(Mode::BlackHole).await;
    eu.set(Mode::BlackHole).await;
    eu.silence();
    story.until_healthy(4, "ap").await;

    story.tell("all relays accept sessions and close them");
    let before = ap.seen().connections.len();
    for relay in &relays {
        relay.set(Mode::WelcomeThenClose(10 * MS)).await;
    }
    ap.close();
    let error = publisher.closed().await.err().ok_or("it goes on")?;
    story.tell(&error);
    assert_eq!(error.kind(), ErrorKind::GaveUp);
    assert!(ap.seen().connections.len() - before < 10, "a hot loop");

    let frames = std::iter::from_fn(|| echoes.try_recv().ok()).count();
    println!("\n{frames} frames came back.");
    assert!(frames > 20);
    Ok(())
}

async fn send_frames(publisher: Publisher) {
    while let Ok(live) = publisher.established().await {
        // One that is sent to a session that just ended is lost.
        let _ = live.client.send("frame".to_owned()).await;
        sleep(20 * MS).await;
    }
}
