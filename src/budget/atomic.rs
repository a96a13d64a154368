//! The standard atomics, or those of the model checker.

#[cfg(all(test, failover_loom))]
pub(super) use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(all(test, failover_loom)))]
pub(super) use std::sync::atomic::{AtomicU64, Ordering};
