//! A list of regions as a server sends it.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tower_failover::fuzzing::document(bytes));
