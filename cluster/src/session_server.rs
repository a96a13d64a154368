//! Long-lived sessions over TCP, whose servers can be told how to fail them.

mod host;
mod mode;
mod seen;
mod session;
mod tokens;

use std::fmt;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;

use crate::connection::Ending;
use crate::port::Port;
use host::{Host, Order};
use tokens::Tokens;

pub use mode::Mode;
pub use seen::{End, Join, Reason, Seen};

/// A region that holds sessions: lines of text over plain TCP on 127.0.0.1, one message a line.
///
/// | the client says | |
/// |---|---|
/// | `JOIN <token> <from>` | first of all: the token of the session to resume, the region it comes from; `-` for none |
/// | `ECHO <text>` | the same line comes back |
/// | `LEAVE` | it ends the session, whose token is worth nothing any more |
/// | `ABORT <code>` | the same, for a reason |
///
/// | the server says | |
/// |---|---|
/// | `WELCOME <token>` | the session is up. The token asked for, if it is known; a new one otherwise |
/// | `FULL`, `UNAUTHORIZED`, `BUSY <ms>` | in its place, as the [`Mode`] says; then it closes |
/// | `PING` | every so often, if [asked to](SessionServer::ping_every) |
/// | `GOAWAY <url> <ms>` | [be gone](SessionServer::go_away) in that time, to there; `-` for none |
/// | `ADVICE <advice>` | as [advised](SessionServer::advise) |
/// | `BYE <code>` | [it closes](SessionServer::bye) |
///
/// It ignores lines it does not know; in place of a `JOIN` they get `BYE protocol`. A token outlives its connection, but not
/// its server, or the last of the servers that [share](SessionServer::cluster) it.
///
/// Dropping it stops it, closes its connections and refuses new ones.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use failover_cluster::SessionServer;
/// use failover_cluster::session_server::Mode;
/// use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
/// use tokio::net::TcpStream;
///
/// let servers = SessionServer::cluster(&["eu", "us"]).await;
/// let mut client = TcpStream::connect(servers[0].authority()).await.unwrap();
/// client.write_all(b"JOIN - -\n").await.unwrap();
/// let mut lines = BufReader::new(client).lines();
/// assert_eq!(lines.next_line().await.unwrap().unwrap(), "WELCOME eu-1");
///
/// servers[0].set(Mode::Full).await;
/// servers[0].go_away(Some(&servers[1].origin()), None);
/// assert!(lines.next_line().await.unwrap().unwrap().starts_with("GOAWAY http://"));
///
/// servers[0].reset();
/// servers[0].wait_for(|seen| seen.live == 0).await;
/// # }
/// ```
pub struct SessionServer {
    host: Arc<Host>,
    address: SocketAddr,
    port: Mutex<Port<Host>>,
}

impl SessionServer {
    /// Starts a server that accepts every session.
    pub async fn start(name: &str) -> SessionServer {
        SessionServer::sharing(name, Tokens::default())
    }

    /// Starts one server per name. They know each other's tokens: a session can be resumed at any of them.
    pub async fn cluster(names: &[&str]) -> Vec<SessionServer> {
        let tokens = Tokens::default();
        let start = |name: &&str| SessionServer::sharing(name, tokens.clone());
        names.iter().map(start).collect()
    }

    fn sharing(name: &str, tokens: Tokens) -> SessionServer {
        let host = Arc::new(Host::new(name, tokens));
        let port = Port::open_any(Ipv4Addr::LOCALHOST, Arc::clone(&host));
        SessionServer {
            host,
            address: port.address(),
            port: Mutex::new(port),
        }
    }

    /// The name it was started with.
    pub fn name(&self) -> &str {
        &self.host.name
    }

    /// `http://127.0.0.1:PORT`, which names it as a region; it speaks no HTTP.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `127.0.0.1:PORT`.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// Sets what a `JOIN` meets from now on. Sessions that are live already go on, unless it is [`Mode::Refuse`].
    ///
    /// The mode is in force when this returns: after [`Mode::Refuse`] no connection is left and none is accepted; after any
    /// other, connections to the same port are.
    ///
    /// # Panics
    /// When the refusal of connections is inside another mode.
    pub async fn set(&self, mode: Mode) {
        if let Some(objection) = mode.objection() {
            panic!("region {}: {objection}", self.name());
        }
        // Held to the end, so that the port and the script change together.
        let mut port = self.port.lock().await;
        let refuse = matches!(mode, Mode::Refuse);
        self.host.set(mode);
        if refuse {
            port.close().await;
        } else {
            port.open();
        }
    }

    /// Lets sessions that begin from now on hear `PING` at that interval.
    ///
    /// # Panics
    /// When it is zero.
    pub fn ping_every(&self, interval: Duration) {
        assert!(!interval.is_zero(), "pings take some time");
        self.host.ping_every(interval);
    }

    /// Says a line, given without its end, to all live sessions.
    pub fn send(&self, line: &str) {
        self.host.order(|| Order::Say(format!("{line}\n")));
    }

    /// Asks all live sessions to go: `GOAWAY <url> <ms>`. Nothing more happens when the time is up.
    pub fn go_away(&self, url: Option<&str>, deadline: Option<Duration>) {
        let deadline = deadline.map(|deadline| deadline.as_millis().to_string());
        let deadline = deadline.as_deref().unwrap_or("-");
        self.send(&format!("GOAWAY {} {deadline}", url.unwrap_or("-")));
    }

    /// Advises all live sessions, for instance to `REJOIN`, `FAST`, `MIGRATE` or `DISCONNECT`: `ADVICE <advice>`.
    pub fn advise(&self, advice: &str) {
        self.send(&format!("ADVICE {advice}"));
    }

    /// Ends all live sessions with `BYE <code>` and FIN.
    pub fn bye(&self, code: impl fmt::Display) {
        let words = Bytes::from(format!("BYE {code}\n"));
        self.host.order(|| Order::End(Ending::Fin(words.clone())));
    }

    /// Ends all live sessions with FIN, without a word.
    pub fn close(&self) {
        self.host.order(|| Order::End(Ending::Fin(Bytes::new())));
    }

    /// Ends all live sessions with RST.
    pub fn reset(&self) {
        self.host.order(|| Order::End(Ending::Reset));
    }

    /// Says nothing more to the sessions that are live now, nor answers them, but keeps their connections open.
    ///
    /// They can still be ended.
    pub fn silence(&self) {
        self.host.order(|| Order::Silence);
    }

    /// Forgets all tokens, also for the servers that share them: whoever joins from now on begins a new session.
    pub fn forget_tokens(&self) {
        self.host.tokens.forget();
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.host.seen.borrow().clone()
    }

    /// Waits until what was seen is as hoped, and tells it.
    ///
    /// # Panics
    /// After 10 seconds.
    #[track_caller]
    pub fn wait_for(&self, hope: impl FnMut(&Seen) -> bool) -> impl Future<Output = Seen> {
        let caller = Location::caller();
        async move {
            match self.host.wait(hope).await {
                Ok(seen) => seen,
                Err(seen) => panic!(
                    "region {} waited in vain at {caller}: {seen:#?}",
                    self.name()
                ),
            }
        }
    }
}

impl fmt::Debug for SessionServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionServer")
            .field("name", &self.host.name)
            .field("origin", &self.origin())
            .finish_non_exhaustive()
    }
}
