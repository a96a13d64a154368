//! What subscribers are told.

use tokio::time::timeout;
use tower_failover::{Changes, classify::Reason};

use super::*;

/// The next change, in words.
async fn next(changes: &mut Changes) -> Option<String> {
    let change = timeout(HOUR, changes.recv()).await.expect("a change");
    Some(match change? {
        Change::Ejected { region, reason, .. } => format!("{region} out: {reason}"),
        Change::AllEjected { home, .. } => format!("{home} has none left"),
        Change::Restored { region, .. } => format!("{region} back"),
        Change::Refreshed { home, regions, .. } => format!("{home} has {regions}"),
        Change::Missed(missed) => format!("{missed} missed"),
        other => panic!("{other:?}"),
    })
}

async fn nothing_comes(changes: &mut Changes) {
    let change = timeout(HOUR, changes.recv()).await;
    assert!(change.is_err(), "{change:?}");
}

#[tokio::test(start_paused = true)]
async fn changes_come_in_their_order_to_all_who_subscribed_before() {
    let rig = Rig::new(&layer());
    let mut first = rig.handle.subscribe();
    for region in ["eu", "us"] {
        rig.script.always(region, refused());
    }
    rig.script.on_probe("eu", Act::Status(200));
    rig.call().await;
    let mut second = rig.handle.clone().subscribe();
    for expected in [
        "eu out: connection refused",
        "us out: connection refused",
        "https://eu:443 has none left",
    ] {
        assert_eq!(next(&mut first).await.unwrap(), expected);
    }
    for changes in [&mut first, &mut second] {
        assert_eq!(next(changes).await.unwrap(), "eu back");
    }
    rig.script.on_probe("us", Act::Status(200));
    assert_eq!(next(&mut second).await.unwrap(), "us back");
    rig.handle.eject(&rig.region(), S);
    rig.handle.restore(&rig.region());
    for expected in ["us back", "eu out: by hand", "eu back"] {
        assert_eq!(next(&mut first).await.unwrap(), expected);
    }
    nothing_comes(&mut first).await;
}

#[tokio::test(start_paused = true)]
async fn an_ejection_is_told_with_its_region_reason_and_wait() {
    let rig = Rig::new(&layer());
    let mut changes = rig.handle.subscribe();
    rig.handle.eject(&rig.region(), 7 * S);
    let Some(Change::Ejected {
        region,
        reason,
        wait,
        ..
    }) = changes.recv().await
    else {
        panic!("an ejection");
    };
    assert_eq!(
        (region, reason, wait),
        (rig.region(), Reason::ByHand, 7 * S)
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_no_change_is_not_told() {
    let rig = Rig::new(&layer());
    let mut changes = rig.handle.subscribe();
    assert!(rig.handle.restore(&rig.region()), "it was in");
    rig.script.always("eu", Act::Status(503));
    rig.call().await;
    rig.script.always("eu", Act::Status(200));
    rig.call().await;
    nothing_comes(&mut changes).await;
}

#[tokio::test(start_paused = true)]
async fn probes_that_fail_are_no_change() {
    let rig = Rig::new(&layer());
    let mut changes = rig.handle.subscribe();
    rig.script.always("eu", refused());
    rig.call().await;
    assert!(next(&mut changes).await.unwrap().starts_with("eu out"));
    nothing_comes(&mut changes).await;
    assert!(rig.script.probed() > 100);
}

#[tokio::test(start_paused = true)]
async fn a_new_list_is_told() {
    let layer = FailoverLayer::new(Regions::discover(Discovery::http("/regions")));
    let handle = layer.handle();
    let mut changes = handle.subscribe();
    let us = Region::new("us", "https://us.example.com").unwrap();
    let list = RegionList::new(vec![us]);
    handle.set_regions("https://eu.example.com", list).unwrap();
    let told = next(&mut changes).await.unwrap();
    assert_eq!(told, "https://eu.example.com:443 has 1");
}

#[tokio::test(start_paused = true)]
async fn who_looks_too_late_is_told_how_many_were_missed() {
    let rig = Rig::new(&layer());
    let mut changes = rig.handle.subscribe();
    for _ in 0..32 {
        rig.handle.eject(&rig.region(), S);
        rig.handle.restore(&rig.region());
    }
    // Up to 64 wait.
    for _ in 0..32 {
        assert_eq!(next(&mut changes).await.unwrap(), "eu out: by hand");
        assert_eq!(next(&mut changes).await.unwrap(), "eu back");
    }
    for n in 0..67 {
        rig.handle.eject(&rig.region(), n * S);
    }
    assert_eq!(changes.recv().await, Some(Change::Missed(3)));
    // The oldest are gone.
    for n in 3..67 {
        let Some(Change::Ejected { wait, .. }) = changes.recv().await else {
            panic!("an ejection");
        };
        assert_eq!(wait, n * S);
    }
    nothing_comes(&mut changes).await;
}

#[tokio::test(start_paused = true)]
async fn they_end_when_layer_services_calls_and_handles_are_gone() {
    let layer = layer();
    let Rig {
        script,
        client,
        handle,
    } = Rig::new(&layer);
    script.always("eu", refused());
    let mut changes = handle.subscribe();
    drop(layer);
    client.clone().oneshot(get(HOME)).await.unwrap();
    assert!(next(&mut changes).await.unwrap().starts_with("eu out"));
    drop(client);
    nothing_comes(&mut changes).await;
    let region = handle.regions(HOME)[0].region().clone();
    handle.restore(&region);
    drop(handle);
    // What was told before is not lost.
    assert_eq!(next(&mut changes).await.unwrap(), "eu back");
    for _ in 0..2 {
        assert_eq!(next(&mut changes).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_change_that_is_dropped_loses_none() {
    let rig = Rig::new(&layer());
    let mut changes = rig.handle.subscribe();
    let region = rig.region();
    for n in 1..20 {
        // Once before there is anything, and once after it has come but was not looked at.
        assert!(timeout(S, changes.recv()).await.is_err());
        {
            let mut waiting = tokio_test::task::spawn(changes.recv());
            assert!(waiting.poll().is_pending());
            rig.handle.eject(&region, n * S);
            assert!(waiting.is_woken());
        }
        let Some(Change::Ejected { wait, .. }) = changes.recv().await else {
            panic!("an ejection");
        };
        assert_eq!(wait, n * S);
    }
}
