//! The lines that say how long a list may be kept.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tower_failover::fuzzing::cache_control(bytes));
