//! A stream of events as a server sends it, in any chunks.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tower_failover::fuzzing::sse(bytes));
