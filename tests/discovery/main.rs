//! Regions that are discovered, over real sockets.

mod lazy;
mod support;
