//! Regions to fail over between: real HTTP servers on loopback whose faults are set while they run.
//!
//! A [`Server`] is one region. It speaks HTTP/1.1 or HTTP/2 (prior knowledge) on one port for its lifetime, records every
//! request, and does to new requests what its [`Fault`] says. A [`Cluster`] is several of them, for examples; a
//! [`LiveKit`] is several that answer as a LiveKit project does; a [`TlsServer`] is one behind TLS. A [`SessionServer`] holds
//! sessions over plain TCP, a [`WatchServer`] event streams with leases.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use failover_cluster::{Fault, Server};
//!
//! let eu = Server::http1("eu").await;
//! eu.set(Fault::Status(503)).await;
//! // ... send requests to eu.origin() ...
//! assert_eq!(eu.hits(), 0);
//! # }
//! ```
//!
//! Every fault is met per request, so a connection that a client keeps in its pool meets a new fault too. Servers run on the
//! runtime that started them, over real sockets: a paused clock would fire their timers early.

mod cluster;
mod fault;
mod livekit;
mod server;
pub mod session_server;
pub mod watch_server;

mod ca;
mod tls;

mod full_port;
mod port;
mod record;
mod region;

mod connection;
mod socket;
mod tasks;

mod answer;
mod cut_body;
mod handler;
mod open_body;
mod upload;

pub use ca::{Ca, Identity};
pub use cluster::Cluster;
pub use fault::Fault;
pub use full_port::FullPort;
pub use livekit::LiveKit;
pub use record::Recorded;
pub use server::Server;
pub use session_server::SessionServer;
pub use tls::TlsServer;
pub use upload::Upload;
pub use watch_server::WatchServer;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
