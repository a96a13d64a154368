use std::{
    io::ErrorKind,
    net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream},
};

/// Somebody on 127.0.0.1, and on `[::1]` where there is IPv6, whom nobody should contact: it takes
/// connections and never answers.
pub(crate) struct Untrusted {
    port: u16,
    listeners: Vec<TcpListener>,
}

impl Untrusted {
    pub(crate) fn start() -> Self {
        let pair = || {
            let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let port = v4.local_addr().expect("an address").port();
            match TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
                Ok(v6) => Some((port, vec![v4, v6])),
                Err(error) if error.kind() == ErrorKind::AddrInUse => None,
                Err(_) => Some((port, vec![v4])),
            }
        };
        let mut pairs = std::iter::repeat_with(pair).take(100);
        let (port, listeners) = pairs.find_map(|pair| pair).expect("a port free in both");
        Self { port, listeners }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections there were since the last call of this. None can be overlooked: they are
    /// taken in the order in which they were made, up to one that is made here.
    pub(crate) fn contacts(&self) -> usize {
        let contacts = |listener: &TcpListener| {
            let address = listener.local_addr().expect("an address");
            let last = TcpStream::connect(address).expect("a connection");
            let last_address = last.local_addr().expect("an address");
            let is_last = |_: &usize| listener.accept().expect("a connection").1 == last_address;
            (0..).find(is_last).expect("it was made")
        };
        self.listeners.iter().map(contacts).sum()
    }
}
