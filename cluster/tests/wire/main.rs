//! What each fault does on the wire, seen by a client.

mod bodies;
mod h2c;
mod http1;
mod livekit;
mod paths;
mod server;
mod session_server;
mod tls;
mod watch_server;

mod support;
