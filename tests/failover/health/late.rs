//! Calls that were under way when a region went out or came back.

use super::*;

#[tokio::test(start_paused = true)]
async fn calls_from_before_a_region_was_back_do_not_eject_it_again() {
    let late = |act: Act| Act::After(6 * S, act.into());
    for act in [refused(), Act::Status(503), Act::Hang] {
        let health = Health::default().probe_every(S, S);
        let rig = Rig::new(&layer(health).attempt_timeout(8 * S));
        rig.script.always("a", late(act.clone()));
        let early: [_; 2] =
            std::array::from_fn(|_| tokio::spawn(rig.client.clone().oneshot(get("http://a/"))));
        while rig.at_home() < 2 {
            tokio::task::yield_now().await;
        }
        sleep(S).await;
        rig.script.on_probe("a", Act::Status(200));
        rig.lose_home().await;
        rig.script.probe_ended(1).await;
        assert!(!rig.is_out(), "it is back");
        for call in early {
            assert_eq!(call.await.unwrap().unwrap().status(), 200);
        }
        assert!(!rig.is_out(), "{act:?}");
        assert_eq!(rig.script.probed(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_after_the_ejection_do_not_lengthen_it() {
    for act in [refused(), Act::Status(503)] {
        let rig = Rig::new(&layer(Health::default().probe_every(HOUR, HOUR)));
        let late = Act::After(2 * S, act.into());
        rig.script.always("a", late);
        let early = tokio::spawn(rig.client.clone().oneshot(get("http://a/")));
        sleep(S).await;
        rig.lose_home().await;
        let probe = rig.home().next_probe().unwrap();
        assert_eq!(early.await.unwrap().unwrap().status(), 200);
        assert_eq!(rig.home().since(), Some(S));
        assert_eq!(rig.home().next_probe(), Some(probe - S));
    }
}
