//! Weighted rendezvous hashing, in integers.

use std::cmp::Ordering;

use crate::region::{Origin, Region};

/// The weight of a region that has none.
const WEIGHT: u32 = 1;
/// Of the logarithm. It leaves room for the 64 before the point.
const FRACTION_BITS: u32 = 56;

/// How much a client prefers a region; the greatest is first. Each client ranks the regions
/// differently, and a region that joins or leaves does not change the order of the others.
///
/// It is the weight divided by `-log(h)`, where `h` is a hash of client and region, as good as even
/// between 0 and 1. `-log(h) / weight` is then distributed exponentially with the weight as its rate,
/// and which of such numbers is the least falls on each in proportion to its rate.
///
/// Floating point would do, were its logarithm the same on every machine: a client's order has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Score {
    weight: u32,
    /// Never 0, and never more for a greater hash: of equal weights the greater hash is first.
    log: u64,
    hash: u64,
}

impl Score {
    pub(super) fn new(client_id: u64, region: &Region) -> Self {
        let hash = hash(client_id, region.origin());
        Self {
            weight: region.get_weight().unwrap_or(WEIGHT),
            log: negative_log(hash),
            hash,
        }
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        // The quotients, multiplied by both logarithms.
        let scaled = |weight: u32, log: u64| u128::from(weight) * u128::from(log);
        scaled(self.weight, other.log)
            .cmp(&scaled(other.weight, self.log))
            .then(self.hash.cmp(&other.hash))
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `-log2((hash + 1) / 2^64)` in units of `2^-FRACTION_BITS`, and one more.
fn negative_log(hash: u64) -> u64 {
    let number = u128::from(hash) + 1;
    let whole = number.ilog2();
    // Between 1 and 2, with 63 bits after the point. Squaring it doubles its logarithm, whose next bit
    // says whether the square is 2 or more.
    let mut mantissa = (number << (127 - whole)) >> 64;
    let mut log = u64::from(whole);
    for _ in 0..FRACTION_BITS {
        mantissa = (mantissa * mantissa) >> 63;
        let bit = mantissa >> 64;
        mantissa >>= bit;
        log = (log << 1) | bit as u64;
    }
    (64 << FRACTION_BITS) - log + 1
}

fn hash(client_id: u64, origin: &Origin) -> u64 {
    // FNV-1a over the canonical text, then the finaliser of SplitMix64. Stable across builds, so
    // that a fixed client id means the same order on every machine.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ client_id;
    for byte in origin.as_str().bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests;
