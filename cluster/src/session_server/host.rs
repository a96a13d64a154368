//! What all connections of one server share.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::mode::{Mode, Script};
use super::seen::{End, Join, Reason, Seen};
use super::session::{self, Request};
use super::tokens::Tokens;
use crate::connection::Ending;
use crate::port::Serve;
use crate::record::PATIENCE;

/// What a live session is told to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Say this line.
    Say(String),
    /// Say nothing more.
    Silence,
    End(Ending),
}

#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) tokens: Tokens,
    pub(super) seen: watch::Sender<Seen>,
    steering: Mutex<Steering>,
}

#[derive(Debug)]
struct Steering {
    script: Script,
    ping: Option<Duration>,
    begun: usize,
    live: BTreeMap<usize, mpsc::UnboundedSender<Order>>,
}

impl Host {
    pub(super) fn new(name: &str, tokens: Tokens) -> Self {
        Host {
            name: name.to_owned(),
            tokens,
            seen: watch::Sender::default(),
            steering: Mutex::new(Steering {
                script: Script::new(Mode::Accept),
                ping: None,
                begun: 0,
                live: BTreeMap::new(),
            }),
        }
    }

    pub(super) fn set(&self, mode: Mode) {
        self.steering().script = Script::new(mode);
    }

    pub(super) fn ping_every(&self, interval: Duration) {
        self.steering().ping = Some(interval);
    }

    /// Gives every live session an order. Those that just ended take none.
    pub(super) fn order(&self, order: impl Fn() -> Order) {
        for session in self.steering().live.values() {
            let _ = session.send(order());
        }
    }

    /// Tells what a join meets.
    pub(super) fn next(&self) -> Mode {
        self.steering().script.next()
    }

    /// Records a join that is not welcomed.
    pub(super) fn turn_away(&self, request: Request) {
        self.record(request, None, false);
    }

    /// Records a join that is welcomed. From here on the session takes orders.
    pub(super) fn welcome(self: &Arc<Self>, request: Request) -> Live {
        let (token, resumed) = self.tokens.begin(request.token.as_deref(), &self.name);
        let (sender, orders) = mpsc::unbounded_channel();
        let mut steering = self.steering();
        let id = steering.begun;
        steering.begun += 1;
        steering.live.insert(id, sender);
        let ping = steering.ping;
        drop(steering);

        self.record(request, Some(token.clone()), resumed);
        Live {
            host: Arc::clone(self),
            id,
            token,
            orders,
            ping,
            reason: Reason::Server,
        }
    }

    fn record(&self, request: Request, welcome: Option<String>, resumed: bool) {
        self.seen.send_modify(|seen| {
            seen.live += usize::from(welcome.is_some());
            seen.joins.push(Join {
                at: Instant::now(),
                token: request.token,
                from: request.from,
                welcome,
                resumed,
            });
        });
    }

    /// Waits until what was seen is as hoped; what was seen instead, when patience runs out.
    pub(super) async fn wait(&self, hope: impl FnMut(&Seen) -> bool) -> Result<Seen, Seen> {
        let mut seen = self.seen.subscribe();
        match tokio::time::timeout(PATIENCE, seen.wait_for(hope)).await {
            Ok(waited) => Ok(waited
                .expect("the host, which is borrowed here, holds the sender")
                .clone()),
            Err(_) => Err(self.seen.borrow().clone()),
        }
    }

    fn steering(&self) -> MutexGuard<'_, Steering> {
        self.steering
            .lock()
            .expect("no holder of the steering panics")
    }
}

impl Serve for Host {
    fn serve(self: Arc<Self>, stream: TcpStream) -> impl Future<Output = ()> + Send + 'static {
        self.seen
            .send_modify(|seen| seen.connections.push(Instant::now()));
        session::serve(stream, self)
    }
}

/// A session that was welcomed. Its end is recorded when this is dropped, as the server's doing unless a reason is given.
#[derive(Debug)]
pub(super) struct Live {
    host: Arc<Host>,
    id: usize,
    pub(super) token: String,
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
    pub(super) ping: Option<Duration>,
    pub(super) reason: Reason,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.host.steering().live.remove(&self.id);
        let is_over = matches!(self.reason, Reason::Leave | Reason::Abort(_));
        self.host.tokens.end(&self.token, is_over);
        let end = End {
            at: Instant::now(),
            token: std::mem::take(&mut self.token),
            reason: self.reason.clone(),
        };
        self.host.seen.send_modify(|seen| {
            seen.live -= 1;
            seen.ends.push(end);
        });
    }
}
