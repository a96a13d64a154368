//! While another region is in, a region that is out is asked for nothing but its probes.

use super::*;

/// A silent home that is known to be out.
async fn black_hole() -> Rig {
    let rig = Rig::new(&layer(Health::default()));
    rig.script.always("a", Act::Hang);
    for _ in 0..2 {
        assert_eq!(rig.call("http://a/x").await, Some(StatusCode::OK));
    }
    assert!(rig.is_out());
    rig
}

/// Longer than an attempt may take where there is a region to try next.
fn slow() -> Act {
    Act::After(6 * S, Act::Status(200).into())
}

/// The status of a call, which must not go home.
async fn served_elsewhere(rig: &Rig) -> Option<StatusCode> {
    let before = rig.at_home();
    let call = timeout(60 * S, rig.call("http://a/x")).await;
    assert_eq!(rig.at_home(), before, "home is out");
    call.expect("an end")
}

#[tokio::test(start_paused = true)]
async fn a_slow_survivor_is_not_given_up_for_a_region_that_is_out() {
    let rig = black_hole().await;
    rig.script.always("b", slow());
    assert_eq!(served_elsewhere(&rig).await, Some(StatusCode::OK));
}

#[tokio::test(start_paused = true)]
async fn one_failure_of_the_survivor_does_not_send_a_call_into_a_black_hole() {
    for status in [500, 503] {
        let rig = black_hole().await;
        rig.script.always("b", Act::Status(status));
        assert_eq!(served_elsewhere(&rig).await.unwrap(), status);
        let other = &rig.handle.regions("http://a")[1];
        assert_eq!(other.state(), RegionState::Healthy, "not all are out");
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_held_out_by_hand_gets_no_slow_call() {
    let rig = Rig::new(&layer(Health::default()));
    assert!(rig.handle.eject(rig.home().region(), HOUR));
    rig.script.always("b", slow());
    assert_eq!(served_elsewhere(&rig).await, Some(StatusCode::OK));
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_broken_endpoint_do_not_keep_a_region_from_being_probed() {
    let layer = layer(Health::default()).budget(Budget::default());
    let rig = Rig::out(&layer, Act::Status(200)).await;
    // One call in 50 is for what fails in every region.
    for n in 1..=500 {
        let (path, status) = match n % 50 {
            0 => ("heavy", 503),
            _ => ("x", 200),
        };
        rig.script.always("a", Act::Status(status));
        rig.script.always("b", Act::Status(status));
        rig.call(&format!("http://a/{path}")).await;
        sleep(10 * MS).await;
    }
    assert!(rig.script.probed() > 0, "{}", rig.home());
}
