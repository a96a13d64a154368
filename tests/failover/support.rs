//! What the tests have in common: a scripted inner service, and clients for real sockets.

mod call;
mod client;
mod events;
mod gate;
mod script;

pub(crate) use call::*;
pub(crate) use client::*;
pub(crate) use events::*;
pub(crate) use gate::*;
pub(crate) use script::*;
