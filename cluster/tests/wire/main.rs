//! What each fault does on the wire, seen by a client.

mod bodies;
mod h2c;
mod http1;
mod livekit;
mod paths;
mod server;
mod tls;

mod support;
