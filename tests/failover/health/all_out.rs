//! Never all out: a dead end is worse than a try.

use super::*;

/// So long that in a test no ejected region is probed.
fn away() -> Health {
    Health::default().probe_every(Duration::MAX, Duration::MAX)
}

/// Both regions are out, and probes find that they stay so.
async fn all_out(layer: &FailoverLayer) -> Rig {
    let rig = Rig::new(layer);
    for region in ["a", "b"] {
        rig.script.always(region, refused());
    }
    assert_eq!(rig.call("http://a/").await, None);
    rig
}

#[tokio::test(start_paused = true)]
async fn when_every_region_is_out_calls_go_on_in_order() {
    let layer = crate::support::layer(3)
        .backoff(no_wait())
        .budget(Budget::unlimited());
    let rig = Rig::new(&layer);
    for region in ["a", "b", "c"] {
        rig.script.always(region, refused());
    }
    for home in ["a", "a", "a", "b", "c"] {
        rig.call(&format!("http://{home}/")).await;
    }
    assert_eq!(rig.script.asked().concat(), "abcabcabcbaccab");
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_out_is_tried_only_when_all_are() {
    let rig = Rig::new(&layer(away().ramp(Duration::ZERO)));
    rig.script.always("a", refused());
    rig.call("http://a/").await;
    rig.script.always("b", Act::Status(503));
    rig.script.always("a", Act::Status(200));
    rig.call("http://a/").await;
    assert_eq!(rig.script.asked().concat(), "abb", "b is not out yet");
    rig.call("http://a/").await;
    assert_eq!(rig.script.asked().concat(), "abbba");
    rig.call("http://a/").await;
    assert_eq!(rig.script.asked().concat(), "abbbaa", "and is back");
}

#[tokio::test(start_paused = true)]
async fn the_only_region_is_called_though_it_is_out() {
    let layer = crate::support::layer(1).backoff(no_wait()).health(away());
    let rig = Rig::new(&layer);
    rig.lose_home().await;
    assert_eq!(rig.calls(1).await, 1);
    assert!(!rig.is_out(), "the answer says that it is there");
    assert_eq!(
        rig.calls(100).await,
        100,
        "and there is no other for its ramp"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_below_500_to_a_call_brings_a_region_back_onto_its_ramp() {
    for (status, is_back) in [
        (200, true),
        (301, true),
        (401, true),
        (404, true),
        (421, true),
        (429, true),
        (451, true),
        (500, false),
        (501, false),
        (503, false),
        (505, false),
        (511, false),
    ] {
        let rig = all_out(&layer(away())).await;
        rig.script.always("a", Act::Status(status));
        rig.call("http://a/").await;
        assert_eq!(rig.at_home(), 2, "{status}");
        match rig.home().state() {
            RegionState::Ramping { share, .. } if is_back => assert!((0.1..0.11).contains(&share)),
            RegionState::Ejected if !is_back => {}
            state => panic!("{status}: {state:?}"),
        }
        assert_eq!(rig.script.probed(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_while_all_are_out_says_what_a_probe_would_and_puts_it_off() {
    for (act, puts_off) in [
        (refused(), true),
        (Act::Status(503), true),
        (Act::Fail(io::ErrorKind::ConnectionReset), true),
        (Act::Status(500), false),
        (Act::Status(501), false),
    ] {
        let health = Health::default().probe_every(10 * S, 10 * S);
        let rig = all_out(&layer(health)).await;
        rig.script.always("a", act.clone());
        let first = rig.home().next_probe().unwrap();
        sleep(6 * S).await;
        rig.call("http://a/").await;
        let status = rig.home();
        assert_eq!(status.since(), Some(6 * S), "{act:?}");
        let next = status.next_probe().unwrap();
        if puts_off {
            let bounds = 6666 * MS..=13_334 * MS;
            assert!(bounds.contains(&next), "{act:?}: {next:?}");
        } else {
            assert_eq!(next, first - 6 * S, "{act:?}");
        }
        assert_eq!(rig.script.probed(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn of_regions_that_are_out_the_first_that_a_probe_finds_gets_all_calls() {
    let rig = all_out(&layer(Health::default())).await;
    rig.script.on_probe("b", Act::Status(200));
    rig.script.always("b", Act::Status(200));
    let mut changes = rig.handle.subscribe();
    restored(&mut changes).await;
    // It is on its ramp, but there is no other.
    assert_eq!(rig.calls(200).await, 0);
    assert!(rig.is_out());
}
