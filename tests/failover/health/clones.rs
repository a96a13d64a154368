//! What clones of a layer with settings of their own, and hands, do to the regions they share.

use super::*;
use tower_failover::Regions;

#[tokio::test(start_paused = true)]
async fn home_is_found_again_though_each_call_has_a_service_with_settings_of_its_own() {
    let base = layer(Health::default());
    let rig = Rig::new(&base);
    let call = async || {
        let client = base.clone().attempt_timeout(S).layer(rig.script.clone());
        let answer = client.oneshot(get("http://a/x")).await;
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
    };
    rig.script
        .on_probe("a", Act::After(30 * MS, Act::Status(200).into()));
    rig.script.always("a", refused());
    call().await;
    assert!(rig.is_out());
    rig.script.always("a", Act::Status(200));
    for _ in 0..60 {
        sleep(S).await;
        call().await;
    }
    assert_eq!(rig.home().state(), RegionState::Healthy);
    assert_eq!(rig.script.probed(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_clone_with_health_off_brings_nothing_back_unprobed() {
    // That call begins no task, which is for the next of a service that probes.
    let base = layer(Health::default()).max_attempts(1);
    let rig = Rig::out(&base, refused()).await;
    let off = base.clone().health(Health::off()).layer(rig.script.clone());
    let _ = off.clone().oneshot(get("http://a/x")).await;
    sleep(60 * S).await;
    assert!(rig.is_out());
    rig.call("http://a/x").await;
    rig.script.probe_ended(3).await;
    assert!(rig.is_out());
}

#[tokio::test(start_paused = true)]
async fn nor_does_one_whose_task_keeps_the_time_of_a_region_held_out_by_hand() {
    let base = layer(Health::default());
    let rig = Rig::new(&base);
    let off = base.clone().health(Health::off()).layer(rig.script.clone());
    let other = rig.handle.regions("http://a")[1].region().clone();
    rig.handle.eject(&other, HOUR);
    let _ = off.clone().oneshot(get("http://b/")).await;
    assert_eq!(tasks(), 1);
    rig.script.on_probe("a", refused());
    rig.script.always("a", refused());
    rig.call("http://a/").await;
    assert!(rig.is_out());
    sleep(HOUR - S).await;
    assert!(rig.is_out());
}

#[tokio::test(start_paused = true)]
async fn an_only_region_is_not_probed() {
    let rig = Rig::new(&FailoverLayer::new(Regions::fixed(["http://a"]).unwrap()));
    rig.script.always("a", refused());
    assert_eq!(rig.calls(3).await, 3);
    sleep(HOUR).await;
    assert_eq!((rig.script.probed(), tasks()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_region_restored_by_hand_starts_with_the_first_wait() {
    for _ in 0..50 {
        let rig = Rig::new(&layer(Health::default()));
        // Nothing was held against it.
        rig.handle.restore(rig.home().region());
        rig.lose_home().await;
        let wait = rig.home().next_probe().unwrap();
        assert!((1333 * MS..=2667 * MS).contains(&wait), "{wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clone_without_health_does_not_keep_others_from_probing() {
    let base = layer(Health::default());
    let rig = Rig::new(&base);
    let off = base.clone().health(Health::off());
    let off = off.layer(rig.script.clone());
    let other = rig.handle.regions("http://a")[1].region().clone();
    rig.handle.eject(&other, HOUR);
    off.oneshot(get("http://b/")).await.unwrap();
    rig.script.on_probe("a", Act::Status(200));
    rig.lose_home().await;
    for _ in 0..10 {
        sleep(S).await;
        rig.call("http://b/x").await;
    }
    assert!(rig.script.probed() > 0);
}
