//! The layer in the stacks that programs have: for each the same table of scenarios, over real sockets.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod describe;
mod recorder;
mod table;

mod hyper;
mod hyper_targets;
mod proxy;
mod signing;
mod tls;

mod reqwest;

mod tonic;
mod tonic_calls;
mod tonic_channels;
mod tonic_errors;
mod tonic_gone;
mod tonic_peek;
mod tonic_stale;

mod twirp;

mod odd;
mod page;

mod support;
