//! Regions that are discovered, over real sockets.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod cache;
mod credentials;
mod flight;
mod handle;
mod headers;
mod hostile;
mod hosts;
mod lazy;
mod livekit;
mod support;
mod survival;
mod trust;
mod trust_properties;
mod wrong_region;
