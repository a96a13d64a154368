//! The port of a server: taken for its lifetime, listened on while connections are not refused.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Keeps most of an unread upload with its sender. Much less would slow the loopback device, whose segments have 64 KiB.
const RECEIVE_BUFFER: u32 = 256 * 1024;

/// What is behind a port.
pub(crate) trait Serve: Send + Sync + 'static {
    /// Serves a connection. Before it returns the future, it counts the connection as accepted.
    fn serve(self: Arc<Self>, stream: TcpStream) -> impl Future<Output = ()> + Send + 'static;
}

/// A loopback port.
#[derive(Debug)]
pub(crate) struct Port<S> {
    address: SocketAddr,
    server: Arc<S>,
    accepting: Option<Accepting>,
    /// Bound without listening, while connections are refused: nobody else can be given the port meanwhile.
    held: Option<TcpSocket>,
}

impl<S: Serve> Port<S> {
    pub(crate) fn open_any(host: Ipv4Addr, server: Arc<S>) -> Self {
        let any = SocketAddr::from((host, 0));
        let socket = bind(any).expect("a loopback port is free");
        let address = socket.local_addr().expect("a bound socket has an address");
        let mut port = Port {
            address,
            server,
            accepting: None,
            held: Some(socket),
        };
        port.open();
        port
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens, if it does not yet.
    pub(crate) fn open(&mut self) {
        if self.accepting.is_none() {
            let socket = self.held.take().unwrap_or_else(|| {
                // A refusal that was cancelled half-way.
                bind(self.address).expect("the port was ours a moment ago")
            });
            let listener = socket.listen(BACKLOG).expect("a bound socket can listen");
            self.accepting = Some(Accepting::start(listener, Arc::clone(&self.server)));
        }
    }

    /// Refuses connections. The listener and every connection are closed when this returns.
    pub(crate) async fn close(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.stop().await;
        }
        if self.held.is_none() {
            self.held = Some(self.hold().await);
        }
    }

    /// Takes the port back from its listener, which is gone when this succeeds.
    ///
    /// Closing it is not enough when another thread is just starting a process: until that has become its own program it has
    /// a copy of every socket, and the port is still listened on.
    async fn hold(&self) -> TcpSocket {
        let gone = async {
            loop {
                match bind(self.address) {
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    bound => return bound.expect("the port was ours a moment ago"),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone)
            .await
            .expect("the port was ours a moment ago")
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Connections that linger in TIME_WAIT must not keep the port from being bound again.
    socket.set_reuseaddr(true)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(address)?;
    Ok(socket)
}

/// The task that accepts connections and owns their tasks. Dropping this ends them all.
#[derive(Debug)]
struct Accepting {
    stop: oneshot::Sender<()>,
    task: AbortOnDrop,
}

#[derive(Debug)]
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Accepting {
    fn start(listener: TcpListener, server: Arc<impl Serve>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = AbortOnDrop(tokio::spawn(accept(listener, server, stopped)));
        Accepting { stop, task }
    }

    async fn stop(self) {
        let Accepting { stop, mut task } = self;
        drop(stop);
        (&mut task.0)
            .await
            .expect("no connection of the server panics");
    }
}

async fn accept(
    listener: TcpListener,
    server: Arc<impl Serve>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            Some(ended) = connections.join_next() => ended.expect("no connection of the server panics"),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Only a stream that is closed already refuses it.
                    let _ = stream.set_nodelay(true);
                    connections.spawn(Arc::clone(&server).serve(stream));
                }
                // Out of descriptors, most likely, and soon over.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
        }
    }
    drop(listener);
    connections.shutdown().await;
}
