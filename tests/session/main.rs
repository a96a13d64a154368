//! Supervisors of long-lived sessions.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod support;

mod corners;
mod handle;
mod ladder;
mod overlap;
mod pause;
mod property;
mod session_fn;
mod sockets;
mod storm;
mod targets;
mod upstream;
mod watch;
