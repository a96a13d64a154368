//! A connector that does as its [`Script`] says.

use std::{
    fmt,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use futures_util::future::{BoxFuture, FutureExt};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tower::Service;
use tower_failover::session::{Attempt, Event};

use super::{
    Token,
    script::{Dial, Play, Script},
    session::{Peer, Scripted},
};

/// What the connector fails with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refused(pub(crate) &'static str);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Refused {}

impl Service<Attempt<Token>> for Script {
    type Response = Scripted;
    type Error = Refused;
    type Future = BoxFuture<'static, Result<Scripted, Refused>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, attempt: Attempt<Token>) -> Self::Future {
        let (play, number) = {
            let mut state = self.lock();
            let at = Instant::now();
            state.dials.push(Dial {
                at,
                attempt,
                up: None,
            });
            let number = state.dials.len() - 1;
            let play = state.plays.pop_front();
            (
                play.or_else(|| state.rest.clone()).expect("no play"),
                number,
            )
        };
        // Under a paused clock it would go on for ever.
        assert!(number < 10_000, "a hot loop");
        let script = self.clone();
        async move {
            let _dialing = Dialing::new(&script);
            script.play(play, number).await
        }
        .boxed()
    }
}

impl Script {
    async fn play(&self, mut play: Play, dial: usize) -> Result<Scripted, Refused> {
        let time = loop {
            match play {
                Play::Refuse(why) => return Err(Refused(why)),
                Play::Hang => std::future::pending().await,
                Play::Up => break None,
                Play::UpFor(time, exit) => {
                    break Some((Box::pin(sleep(time)), Event::Closed(exit)));
                }
                Play::UpAndTell(time, event) => break Some((Box::pin(sleep(time)), event)),
                Play::After(wait, then) => {
                    sleep(wait).await;
                    play = *then;
                }
            }
        };
        let (events, told) = mpsc::unbounded_channel();
        let peer = Arc::new(Mutex::new(Peer {
            events,
            closed: None,
            dropped: false,
            closing: self.lock().closing,
        }));
        let mut state = self.lock();
        state.sessions.push(peer.clone());
        state.dials[dial].up = Some(Instant::now());
        state.most_open = state.most_open.max(state.open());
        Ok(Scripted {
            script: self.clone(),
            number: state.sessions.len() - 1,
            peer,
            told,
            time,
            closed: None,
        })
    }
}

/// Counts a dial for as long as it is under way.
struct Dialing(Script);

impl Dialing {
    fn new(script: &Script) -> Self {
        let mut state = script.lock();
        state.dialing += 1;
        state.most_dialing = state.most_dialing.max(state.dialing);
        Self(script.clone())
    }
}

impl Drop for Dialing {
    fn drop(&mut self) {
        self.0.lock().dialing -= 1;
    }
}
