//! Regions that are taken out and back by hand.

use tower_failover::classify::Reason;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_region_is_out_for_as_long_as_it_was_said_and_a_probe_brings_it_back() {
    let rig = Rig::new(&layer());
    assert_eq!(rig.call().await, "eu");
    assert!(rig.handle.eject(&rig.region(), 30 * S));
    let status = rig.eu();
    assert_eq!(status.state(), RegionState::Ejected);
    assert_eq!(status.reason(), Some(Reason::ByHand));
    assert_eq!(status.next_probe(), Some(30 * S));
    assert_eq!(
        status.to_string(),
        "eu: ejected for 0.0 s (by hand), next probe in 30.0 s"
    );
    for _ in 0..29 {
        assert_eq!(rig.call().await, "us");
        sleep(S).await;
    }
    assert_eq!(rig.script.probed(), 0);
    rig.script.probe_ended(1).await;
    assert_eq!(share(&rig.eu()), Some(0.1));
    // The timer counts in whole milliseconds.
    assert!(rig.eu().since().unwrap() <= MS);
}

#[tokio::test(start_paused = true)]
async fn after_its_time_it_stays_out_until_a_probe_succeeds() {
    let rig = Rig::new(&layer());
    rig.call().await;
    rig.script.on_probe("eu", Act::Status(503));
    rig.handle.eject(&rig.region(), 10 * S);
    rig.call().await;
    rig.script.probe_ended(3).await;
    assert!(rig.is_out());
    assert!(rig.eu().since().unwrap() > 12 * S);
    assert_eq!(rig.call().await, "us");
    rig.script.on_probe("eu", Act::Status(200));
    rig.script.probe_ended(4).await;
    assert!(share(&rig.eu()).is_some());
}

#[tokio::test(start_paused = true)]
async fn neither_calls_nor_their_outcomes_end_it() {
    let rig = Rig::new(&layer());
    rig.call().await;
    rig.handle.eject(&rig.region(), 30 * S);
    // With the other out too, calls follow the order, and are answered.
    rig.script.always("us", refused());
    rig.call().await;
    let us = rig.handle.regions(HOME)[1].region().clone();
    rig.handle.eject(&us, HOUR);
    for _ in 0..20 {
        assert_eq!(rig.call().await, "eu");
        sleep(S).await;
        assert!(rig.is_out());
    }
    // Nor do failures lengthen it.
    rig.script.always("eu", Act::Status(503));
    for _ in 0..5 {
        assert_eq!(rig.call().await, "eu");
    }
    assert_eq!(rig.eu().next_probe(), Some(10 * S));
    assert_eq!(rig.eu().reason(), Some(Reason::ByHand));
}

#[tokio::test(start_paused = true)]
async fn a_region_is_known_by_its_origin_and_there_must_be_one() {
    let handle = layer().handle();
    let region = |name: &str, origin| Region::new(name, origin).unwrap();
    assert!(handle.eject(&region("another name", "https://EU:443"), S));
    assert_eq!(handle.regions(HOME)[0].state(), RegionState::Ejected);
    for unknown in [region("eu", "https://elsewhere"), region("eu", "http://eu")] {
        let mut changes = handle.subscribe();
        assert!(!handle.eject(&unknown, HOUR));
        assert!(!handle.restore(&unknown));
        assert_eq!(handle.regions(HOME)[1].state(), RegionState::Healthy);
        let none = tokio::time::timeout(S, changes.recv()).await;
        assert!(none.is_err(), "{none:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_out_in_the_lists_of_all_homes() {
    let layer = FailoverLayer::new(Regions::discover(Discovery::http("/regions")));
    let handle = layer.handle();
    let us = Region::new("us", "https://us.example.com").unwrap();
    let homes = ["https://eu.example.com", "https://ap.example.com"];
    for home in homes {
        let list = RegionList::new(vec![us.clone()]);
        handle.set_regions(home, list).unwrap();
    }
    assert!(handle.eject(&us, HOUR));
    for home in homes {
        let states: Vec<_> = handle
            .regions(home)
            .iter()
            .map(RegionStatus::state)
            .collect();
        assert_eq!(states, [RegionState::Healthy, RegionState::Ejected]);
    }
    assert!(handle.restore(&us));
    for home in homes {
        assert_eq!(handle.regions(home)[1].state(), RegionState::Healthy);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_word_counts() {
    let rig = Rig::new(&layer());
    rig.call().await;
    for wait in [HOUR, S, 20 * S] {
        assert!(rig.handle.eject(&rig.region(), wait));
        assert_eq!(rig.eu().next_probe(), Some(wait));
    }
    sleep(19 * S).await;
    assert_eq!(rig.call().await, "us");
    assert_eq!(rig.script.probed(), 0);
    for _ in 0..2 {
        assert!(rig.handle.restore(&rig.region()), "there is such a region");
        assert_eq!(rig.eu().state(), RegionState::Healthy);
        assert_eq!(rig.eu().since(), Some(Duration::ZERO));
    }
    assert_eq!(rig.call().await, "eu");
    sleep(HOUR).await;
    assert_eq!(rig.script.probed(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_region_that_calls_ejected_is_taken_back_at_once_and_with_a_clean_record() {
    let rig = Rig::new(&layer().health(Health::default().probe_every(S, 1000 * S)));
    rig.script.always("eu", refused());
    rig.call().await;
    rig.script.probe_ended(5).await;
    assert!(rig.handle.restore(&rig.region()));
    rig.script.always("eu", Act::Status(200));
    for _ in 0..100 {
        assert_eq!(rig.call().await, "eu", "there is no ramp");
    }
    rig.script.always("eu", Act::Status(503));
    for _ in 0..2 {
        assert!(!rig.is_out());
        assert_eq!(rig.call().await, "eu");
    }
    assert!(rig.is_out());
    let wait = rig.eu().next_probe().unwrap();
    assert!(wait <= 3 * S, "it has grown by what was before: {wait:?}");
}

#[tokio::test(start_paused = true)]
async fn on_the_ramp_it_is_taken_back_whole_or_out_again() {
    let rig = Rig::new(&layer());
    let mut changes = rig.handle.subscribe();
    let ramping = async |rig: &Rig, changes: &mut tower_failover::Changes| {
        rig.script.always("eu", refused());
        rig.script.on_probe("eu", Act::Status(200));
        while !rig.is_out() {
            rig.call().await;
        }
        rig.script.always("eu", Act::Status(200));
        while !matches!(changes.recv().await, Some(Change::Restored { .. })) {}
        assert!(share(&rig.eu()).is_some());
    };
    ramping(&rig, &mut changes).await;
    rig.handle.restore(&rig.region());
    for _ in 0..100 {
        assert_eq!(rig.call().await, "eu");
    }
    assert!(matches!(
        changes.recv().await,
        Some(Change::Restored { .. })
    ));

    ramping(&rig, &mut changes).await;
    rig.handle.eject(&rig.region(), 10 * S);
    for _ in 0..100 {
        assert_eq!(rig.call().await, "us");
    }
    assert_eq!(rig.eu().next_probe(), Some(10 * S));
}

#[tokio::test(start_paused = true)]
async fn a_probe_under_way_says_nothing_of_what_was_said_since() {
    for ending in [200, 503] {
        let slow = Act::After(S, Act::Status(ending).into());
        let rig = Rig::new(&layer());
        rig.script.on_probe("eu", slow);
        rig.call().await;
        rig.handle.eject(&rig.region(), S);
        rig.call().await;
        rig.script.probe_sent(1).await;
        sleep(S / 2).await;
        rig.handle.eject(&rig.region(), 20 * S);
        rig.script.probe_ended(1).await;
        assert!(rig.is_out(), "{ending}");
        let left = rig.eu().next_probe().unwrap();
        assert!((19 * S..20 * S).contains(&left), "{ending}: {left:?}");
        rig.script.probe_sent(2).await;
        assert!(rig.eu().since().unwrap() >= 20 * S);
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_taken_back_while_a_probe_is_under_way_stays_so() {
    for ending in [200, 503] {
        let slow = Act::After(S, Act::Status(ending).into());
        let rig = Rig::new(&layer());
        rig.script.on_probe("eu", slow);
        rig.call().await;
        rig.handle.eject(&rig.region(), S);
        rig.call().await;
        rig.script.probe_sent(1).await;
        sleep(S / 2).await;
        let mut changes = rig.handle.subscribe();
        rig.handle.restore(&rig.region());
        sleep(HOUR).await;
        assert_eq!(rig.eu().state(), RegionState::Healthy, "{ending}");
        assert_eq!((rig.script.probed(), rig.script.probing()), (1, 0));
        assert!(matches!(
            changes.recv().await,
            Some(Change::Restored { .. })
        ));
        let more = tokio::time::timeout(S, changes.recv()).await;
        assert!(more.is_err(), "{more:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_health_off_it_comes_back_when_its_time_is_over_without_a_probe() {
    let rig = Rig::new(&layer().health(Health::off()));
    rig.call().await;
    rig.script.on_probe("eu", Act::Status(503));
    rig.handle.eject(&rig.region(), 10 * S);
    assert_eq!(rig.call().await, "us");
    sleep(9 * S).await;
    assert_eq!(rig.call().await, "us");
    assert_eq!(rig.eu().state(), RegionState::Ejected);
    sleep(S + MS).await;
    assert_eq!(rig.eu().state(), RegionState::Healthy);
    for _ in 0..20 {
        assert_eq!(rig.call().await, "eu", "there is no ramp");
    }
    assert_eq!(rig.script.probed(), 0);
    rig.handle.eject(&rig.region(), HOUR);
    rig.handle.restore(&rig.region());
    assert_eq!(rig.call().await, "eu");
}

#[tokio::test(start_paused = true)]
async fn before_any_call_it_is_taken_out_for_the_first() {
    let rig = Rig::new(&layer());
    assert!(rig.handle.eject(&rig.region(), 10 * S));
    // There is no client yet to probe with.
    sleep(20 * S).await;
    assert!(rig.is_out());
    assert_eq!(rig.eu().next_probe(), Some(Duration::ZERO));
    assert_eq!(rig.call().await, "us");
    rig.script.probe_ended(1).await;
    assert!(share(&rig.eu()).is_some());
    assert!(rig.eu().since().unwrap() <= MS, "at once");
}

#[test]
fn it_takes_no_runtime() {
    let rig = Rig::new(&layer());
    assert!(rig.handle.eject(&rig.region(), HOUR));
    assert!(rig.is_out());
    assert!(rig.handle.restore(&rig.region()));
    assert!(!rig.is_out());
    assert!(rig.handle.eject(&rig.region(), HOUR));
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        assert_eq!(rig.call().await, "us");
        sleep(2 * HOUR).await;
        assert_eq!(rig.script.probed(), 1);
        assert_eq!(rig.eu().state(), RegionState::Healthy);
    });
}

#[tokio::test(start_paused = true)]
async fn extreme_times_do_not_panic() {
    let rig = Rig::new(&layer());
    rig.call().await;
    rig.handle.eject(&rig.region(), Duration::MAX);
    assert!(rig.eu().next_probe().unwrap() > 1000 * HOUR);
    assert_eq!(rig.call().await, "us");
    sleep(100 * HOUR).await;
    assert_eq!((rig.is_out(), rig.script.probed()), (true, 0));
    rig.handle.eject(&rig.region(), Duration::ZERO);
    rig.script.probe_ended(1).await;
    assert!(!rig.is_out());
}
