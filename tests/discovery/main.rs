//! Regions that are discovered, over real sockets.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod alone;
mod cache;
mod credentials;
mod extremes;
mod flight;
mod frames;
mod given_up;
mod handle;
mod headers;
mod health;
mod hostile;
mod hosts;
mod http2;
mod kinds;
mod lazy;
mod livekit;
mod names;
mod order;
mod stress;
mod support;
mod survival;
mod trust;
mod trust_properties;
mod upload;
mod wrong_region;
