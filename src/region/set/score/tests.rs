use super::*;

/// The score of a hash.
fn score(weight: u32, hash: u64) -> Score {
    Score {
        weight,
        log: negative_log(hash),
        hash,
    }
}

/// Hashes from end to end, in order.
fn hashes() -> Vec<u64> {
    let near = |bit: u32| (0..5).map(move |n| (1_u64 << bit).wrapping_add(n).wrapping_sub(2));
    let mut hashes: Vec<_> = (0..64).flat_map(near).collect();
    hashes.extend((0..1000).map(|n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    hashes.sort_unstable();
    hashes
}

#[test]
fn the_logarithm_is_the_same_on_every_machine() {
    // Computed with 60 digits.
    for (hash, log) in [
        (0, (64 << 56) + 1),
        (1, (63 << 56) + 1),
        (2, 4_497_477_433_985_083_770),
        ((1 << 62) - 1, (2 << 56) + 1),
        ((1 << 63) - 1, (1 << 56) + 1),
        (12_345_678_901_234_567_890, 41_747_289_356_019_587),
        ((3 << 62) - 1, 29_906_603_633_551_738),
        (u64::MAX - 1, 2),
        (u64::MAX, 1),
    ] {
        assert_eq!(negative_log(hash), log, "{hash}");
    }
}

#[test]
fn the_logarithm_is_that_of_the_hash_and_falls_as_it_grows() {
    let mut last = u64::MAX;
    for hash in hashes() {
        let log = negative_log(hash);
        assert!(0 < log && log <= last, "{hash}");
        last = log;
        let exact = 64.0 - (hash as f64 + 1.0).log2();
        let error = (log as f64 / (1_u64 << 56) as f64 - exact).abs();
        assert!(error < 1e-12, "{hash}: {error}");
    }
}

#[test]
fn of_equal_weights_the_greater_hash_is_first() {
    for weight in [0, 1, 7, u32::MAX] {
        assert!(hashes().is_sorted_by_key(|hash| score(weight, *hash)));
    }
}

#[test]
fn a_weight_of_0_is_behind_every_other() {
    for weight in [1, 7, u32::MAX] {
        assert!(score(0, u64::MAX) < score(weight, 0), "{weight}");
    }
}

#[test]
fn weights_are_factors() {
    // The logarithms are 2 and 1.
    let (two, one) = ((1 << 62) - 1, (1 << 63) - 1);
    assert!(score(3, two) > score(1, one));
    assert!(score(199, two) < score(100, one));
    assert!(score(201, two) > score(100, one));
    assert!(score(u32::MAX, two) < score(u32::MAX, one));
}

#[test]
fn scores_are_in_one_order() {
    let hashes = [0, 1, 1 << 31, (1 << 63) - 1, u64::MAX - 1, u64::MAX];
    let of_hash = |hash| [0, 1, 2, 100, u32::MAX].map(|weight| score(weight, hash));
    let scores: Vec<_> = hashes.into_iter().flat_map(of_hash).collect();
    let mut sorted = scores.clone();
    sorted.sort_unstable();
    for (n, one) in sorted.iter().enumerate() {
        for (m, other) in sorted.iter().enumerate() {
            let is_same = one.hash == other.hash && (one.weight == other.weight);
            assert_eq!(one == other, is_same);
            if one != other {
                assert_eq!(one.cmp(other), n.cmp(&m), "{one:?} {other:?}");
            }
        }
    }
}
