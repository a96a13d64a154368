use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// How long a connection to a port that has room may take.
const PATIENCE: Duration = Duration::from_millis(300);

/// A loopback port that accepts nothing and whose queue of connections is full: whoever connects to it gets no answer at all.
///
/// Needs a kernel that drops what the queue cannot take, as Linux does.
#[derive(Debug)]
pub struct FullPort {
    address: SocketAddr,
    listener: TcpListener,
    /// They keep the queue full.
    queued: Vec<TcpStream>,
}

impl FullPort {
    /// Opens a port, and fills its queue.
    ///
    /// # Panics
    /// When the queue does not fill.
    pub async fn open() -> FullPort {
        let socket = TcpSocket::new_v4().expect("there are sockets");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(any).expect("a loopback port is free");
        let listener = socket.listen(1).expect("a bound socket can listen");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let mut queued = Vec::new();
        while let Ok(stream) = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await {
            queued.push(stream.expect("a queue that is not full takes a connection"));
            assert!(queued.len() < 16, "the queue does not fill");
        }
        FullPort {
            address,
            listener,
            queued,
        }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes room: the listener, which takes connections again.
    pub fn into_listener(self) -> TcpListener {
        drop(self.queued);
        self.listener
    }
}
