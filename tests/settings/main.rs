//! Settings from files, flags and environment variables.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod backoff;
mod durations;
mod environment;
mod file;
mod flags;
mod support;
