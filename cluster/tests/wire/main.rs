//! What each fault does on the wire, seen by a client.

mod h2c;
mod http1;
mod server;

mod support;
