//! What is over when a region is back, and what of it does not count any more.

use super::*;

/// The wait has grown by 3 failed probes, an hour ago; since then all was well.
async fn grown_and_well(h: Health) -> Rig {
    let rig = Rig::out(&layer(h), Act::Status(503)).await;
    rig.script.probe_ended(5).await;
    rig.script.on_probe("a", Act::Status(200));
    rig.script.probe_ended(6).await;
    sleep(HOUR).await;
    rig.script.on_probe("a", Act::Status(503));
    rig
}

#[tokio::test(start_paused = true)]
async fn the_waits_of_old_trouble_are_forgotten_when_a_region_asks_for_rest() {
    let rig = grown_and_well(Health::default().probe_every(S, 1000 * S)).await;
    rig.home_meets(Act::StatusWith(503, "retry-after", "5".into()))
        .await;
    rig.script.probe_ended(7).await;
    let wait = rig.home().next_probe().unwrap();
    assert!(wait <= 3 * S, "{wait:?}");
}

#[tokio::test(start_paused = true)]
async fn the_waits_of_old_trouble_are_forgotten_when_a_region_is_taken_out_by_hand() {
    let rig = grown_and_well(Health::default().probe_every(S, 1000 * S)).await;
    rig.handle.eject(rig.home().region(), 5 * S);
    rig.calls(1).await;
    rig.script.probe_ended(7).await;
    let wait = rig.home().next_probe().unwrap();
    assert!(wait <= 3 * S, "{wait:?}");
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_when_the_last_region_is_taken_back_by_hand() {
    let rig = Rig::new(&layer(Health::default()));
    rig.calls(1).await;
    rig.handle.eject(rig.home().region(), HOUR);
    rig.calls(1).await;
    sleep(S).await;
    assert_eq!(tasks(), 1);
    rig.handle.restore(rig.home().region());
    sleep(60 * S).await;
    assert_eq!(tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_when_a_call_brings_the_last_region_back() {
    let h = Health::default().probe_every(HOUR, HOUR);
    let rig = Rig::new(&layer(h));
    let other = rig.handle.regions("http://a")[1].region().clone();
    rig.script.always("a", refused());
    rig.script.always("b", refused());
    rig.call("http://a/").await;
    // All are out, so that a call goes home.
    let answer = Act::After(2 * S, Act::Status(200).into());
    rig.script.always("a", answer);
    let call = tokio::spawn(rig.client.clone().oneshot(get("http://a/")));
    sleep(S).await;
    rig.handle.restore(&other);
    sleep(MS).await;
    assert_eq!(tasks(), 2, "the call and the task that probes");
    call.await.unwrap().unwrap();
    assert!(!rig.is_out());
    sleep(60 * S).await;
    assert_eq!(tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_probe_under_way_is_dropped_when_its_region_is_taken_back() {
    let rig = Rig::out(&layer(Health::default()), Act::Hang).await;
    rig.script.probe_sent(1).await;
    rig.handle.restore(rig.home().region());
    sleep(MS).await;
    assert_eq!(rig.script.probing(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_rest_asked_for_before_the_region_was_back_is_over() {
    let h = Health::default().probe_every(S, S);
    let rig = Rig::new(&layer(h).attempt_timeout(8 * S));
    rig.script.always(
        "a",
        Act::After(
            6 * S,
            Act::StatusWith(503, "retry-after", "9".into()).into(),
        ),
    );
    let early = tokio::spawn(rig.client.clone().oneshot(get("http://a/")));
    sleep(S).await;
    rig.script.on_probe("a", Act::Status(200));
    rig.lose_home().await;
    rig.script.probe_ended(1).await;
    assert!(!rig.is_out(), "it is back");
    early.await.unwrap().unwrap();
    assert!(!rig.is_out());
}

/// Overload inside: probes are shed.
#[tokio::test(start_paused = true)]
async fn a_probe_that_the_client_had_no_room_for_says_nothing_of_the_region() {
    use tower::{limit::ConcurrencyLimit, load_shed::LoadShed};
    let script = Script::new([refused()]);
    script.always("b", Act::After(900 * MS, Act::Status(200).into()));
    let shed = LoadShed::new(ConcurrencyLimit::new(script.clone(), 1));
    let layer = layer(Health::default().probe_every(S, 100 * S));
    let handle = layer.handle();
    let client = layer.layer(shed);
    for _ in 0..200 {
        let _ = client.clone().oneshot(get("http://a/")).await;
        sleep(100 * MS).await;
    }
    let home = &handle.regions("http://a")[0];
    assert_ne!(home.state(), RegionState::Ejected, "{home}");
}
