use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::Server;
use crate::ca::Identity;

/// A region behind TLS: a [`Server`], and in front of it a port that decrypts.
///
/// Faults are set, and requests counted, at its [`region`](TlsServer::region). A connection that the region closes or resets is
/// closed or reset here too, and while it refuses connections, those that come here are closed before their handshake.
///
/// Dropping it stops it, closes its connections and refuses new ones.
pub struct TlsServer {
    region: Server,
    address: SocketAddr,
    counts: Arc<Counts>,
    task: AbortHandle,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicUsize,
    handshakes: AtomicUsize,
}

impl TlsServer {
    /// Starts a region that speaks HTTP/1.1, and no other protocol by ALPN.
    pub async fn http1(name: &str, identity: Identity) -> TlsServer {
        TlsServer::start(Server::http1(name).await, identity, b"http/1.1").await
    }

    /// Starts a region that speaks HTTP/2, and no other protocol by ALPN.
    pub async fn h2(name: &str, identity: Identity) -> TlsServer {
        TlsServer::start(Server::h2c(name).await, identity, b"h2").await
    }

    /// Puts TLS before a region that speaks HTTP/2, whoever answers in it.
    pub async fn before(region: Server, identity: Identity) -> TlsServer {
        TlsServer::start(region, identity, b"h2").await
    }

    async fn start(region: Server, identity: Identity, protocol: &[u8]) -> TlsServer {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a loopback port is free");
        let front = Front {
            acceptor: TlsAcceptor::from(Arc::new(identity.server_config(protocol))),
            behind: region.authority(),
            counts: Arc::default(),
        };
        TlsServer {
            region,
            address: listener
                .local_addr()
                .expect("a bound socket has an address"),
            counts: Arc::clone(&front.counts),
            task: tokio::spawn(accept(listener, Arc::new(front))).abort_handle(),
        }
    }

    /// The region behind, which knows nothing of TLS: its own origin is a plain one.
    pub fn region(&self) -> &Server {
        &self.region
    }

    /// `https://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        format!("https://{}", self.address)
    }

    /// `127.0.0.1:PORT`.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// How many of the [`connections`](TlsServer::connections) came through their handshake.
    pub fn handshakes(&self) -> usize {
        self.counts.handshakes.load(Ordering::SeqCst)
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServer")
            .field("origin", &self.origin())
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// What all connections of a server share.
struct Front {
    acceptor: TlsAcceptor,
    behind: String,
    counts: Arc<Counts>,
}

async fn accept(listener: TcpListener, front: Arc<Front>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(ended) = connections.join_next() => {
                // An error of the wire says that one of the two was faster to hang up.
                let _: io::Result<()> = ended.expect("no connection of the server panics");
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    front.counts.connections.fetch_add(1, Ordering::SeqCst);
                    let front = Arc::clone(&front);
                    connections.spawn(async move { front.serve(stream).await });
                }
                // Out of descriptors, most likely, and soon over.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
        }
    }
}

impl Front {
    async fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        // Before the handshake, so that a region that refuses is not one that takes requests and drops them.
        let mut behind = TcpStream::connect(&self.behind).await?;
        behind.set_nodelay(true)?;
        let mut tls = self.acceptor.accept(stream).await?;
        self.counts.handshakes.fetch_add(1, Ordering::SeqCst);
        let copied = copy_bidirectional(&mut tls, &mut behind).await;
        if copied.is_err() {
            // Either the client is gone, and meets nothing any more, or the region reset its connection.
            tls.get_ref().0.set_zero_linger()?;
        }
        copied.map(drop)
    }
}
