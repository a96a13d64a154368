//! What probes cost.

use super::*;

/// With so many tokens at most, and none to be earned.
fn with_tokens(tokens: u32) -> FailoverLayer {
    layer(Health::default()).budget(Budget::new(0.0).cap(tokens))
}

#[tokio::test(start_paused = true)]
async fn probes_after_the_first_cost_a_token_each_as_long_as_half_of_the_cap_stays() {
    for (tokens, left) in [
        (5, [5.0, 4.0, 3.0, 3.0, 3.0]),
        (4, [4.0, 3.0, 2.0, 2.0, 2.0]),
        (2, [2.0, 1.0, 1.0, 1.0, 1.0]),
        (1, [1.0; 5]),
    ] {
        let rig = Rig::out(&with_tokens(tokens), refused()).await;
        // The token of the call's replay came back.
        assert_eq!(rig.handle.budget(), f64::from(tokens));
        for (n, left) in (1..).zip(left) {
            rig.script.probe_ended(n).await;
            assert_eq!(rig.handle.budget(), left, "{n} of {tokens}");
        }
        rig.script.probe_ended(20).await;
        assert_eq!(rig.handle.budget(), left[4], "{tokens}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_succeeds_gets_its_token_back() {
    for (failures, left) in [(0, 5.0), (1, 5.0), (2, 4.0), (3, 3.0), (9, 3.0)] {
        let rig = Rig::out(&with_tokens(5), refused()).await;
        rig.script.probe_ended(failures).await;
        rig.script.on_probe("a", Act::Status(200));
        rig.script.probe_ended(failures + 1).await;
        assert!(!rig.is_out());
        assert_eq!(rig.handle.budget(), left, "{failures}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_taken_when_the_probe_is_sent() {
    for (is_sent, left) in [(false, 5.0), (true, 4.0)] {
        let rig = Rig::out(&with_tokens(5), refused()).await;
        rig.script.probe_ended(1).await;
        rig.script.on_probe("a", Act::Hang);
        if is_sent {
            rig.script.probe_sent(2).await;
        }
        assert_eq!(rig.handle.budget(), left);
        assert!(rig.handle.restore(rig.home().region()));
        sleep(HOUR).await;
        assert_eq!(rig.handle.budget(), left, "{is_sent}");
    }
}

/// Three regions that are out, and the times and regions of so many probes.
async fn probes_of_three(budget: Budget, n: usize) -> Vec<(tokio::time::Instant, String)> {
    let layer = crate::support::layer(3).max_attempts(1).budget(budget);
    let rig = Rig::new(&layer);
    for region in ["a", "b", "c"] {
        rig.script.always(region, refused());
    }
    // A call is passed on to the next region once its home is out.
    for _ in 0..3 {
        rig.call("http://a/").await;
    }
    assert_eq!(rig.script.asked().concat(), "abc");
    rig.call("http://a/").await;
    rig.script.probe_ended(n).await;
    let probes = rig.script.probes();
    let probe = |probe: &crate::support::Seen| (probe.at, probe.authority().to_owned());
    probes.iter().take(n).map(probe).collect()
}

#[tokio::test(start_paused = true)]
async fn without_a_token_one_probe_in_twice_the_longest_wait_is_sent_for_all_regions_in_turn() {
    for _ in 0..20 {
        let probes = probes_of_three(Budget::new(0.0).cap(0), 15).await;
        // The first of each region costs nothing.
        let unpaid = &probes[3..];
        for pair in unpaid.windows(2) {
            let wait = pair[1].0 - pair[0].0;
            assert!((20 * S..=42 * S).contains(&wait), "{probes:?}");
        }
        for three in unpaid.windows(3) {
            let [(_, one), (_, two), (_, three)] = three else {
                unreachable!("windows of three");
            };
            assert!(one != two && two != three && one != three, "{probes:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn with_tokens_each_region_is_probed_as_often_as_alone() {
    let probes = probes_of_three(Budget::unlimited(), 30).await;
    let start = probes[0].0;
    let took = probes[29].0 - start;
    // Ten of each: waits of 2, 4 and 8 s and seven of 15 s, a third longer at most.
    assert!(took < 200 * S, "{took:?}");
    for region in ["a", "b", "c"] {
        let count = probes.iter().filter(|(_, of)| of == region).count();
        assert!((8..=12).contains(&count), "{region}: {count}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_succeeds_earns_nothing() {
    let layer = layer(Health::default()).budget(Budget::new(1.0).cap(5));
    let rig = Rig::new(&layer);
    for region in ["a", "b"] {
        rig.script.always(region, refused());
        rig.script.on_probe(region, Act::Status(200));
    }
    // Two replays that failed.
    for _ in 0..2 {
        rig.call("http://a/").await;
    }
    assert_eq!(rig.handle.budget(), 3.0);
    sleep(HOUR).await;
    assert_eq!((rig.script.probed(), rig.handle.budget()), (2, 3.0));
}
