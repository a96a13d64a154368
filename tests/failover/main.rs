//! The layer seen from outside: over scripted services with a paused clock, and over real sockets.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod support;

mod attempts;
mod backoff;
mod budget;
mod budget_scripts;
mod budget_waiting;
mod cancel;
mod goaway;
mod grpc;
mod handle;
mod health;
mod hedge;
mod nginx;
mod outage;
mod overrides;
mod properties;
mod readiness;
mod reentrant;
mod regions;
mod report;
mod request;
mod scope;
mod sockets;
mod time;
mod transport;
mod upload;
