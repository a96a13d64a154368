//! The one task that probes: when it begins, and when it is gone.

use std::future::Future;

use http::Method;
use tokio::runtime::{Builder, Runtime};
use tower::Service;

use super::*;
use crate::support::{request, wait_of};

/// Sees that nothing happens any more.
async fn nothing_follows(script: &Script) {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
    let before = script.probes().len();
    assert_eq!((tasks(), script.probing()), (0, 0));
    sleep(HOUR).await;
    assert_eq!(script.probes().len(), before);
}

#[tokio::test(start_paused = true)]
async fn without_an_ejection_there_is_no_task() {
    let rig = Rig::new(&layer(Health::default()));
    for act in [Act::Status(200), Act::Status(404), Act::Status(503)] {
        rig.home_meets(act).await;
        assert_eq!(rig.calls(2).await, 2);
    }
    nothing_follows(&rig.script).await;
    assert_eq!(rig.script.probed(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_is_gone_with_the_last_ejection_and_begins_again_with_the_next() {
    let rig = Rig::new(&layer(Health::default()));
    let mut changes = rig.handle.subscribe();
    for n in 1..4 {
        rig.lose_home().await;
        assert_eq!(tasks(), 1);
        restored(&mut changes).await;
        nothing_follows(&rig.script).await;
        assert_eq!(rig.script.probed(), n);
    }
}

#[tokio::test(start_paused = true)]
async fn one_task_serves_all_regions_clones_and_services_of_a_layer() {
    let layer = crate::support::layer(3).backoff(no_wait());
    let rig = Rig::new(&layer);
    rig.lose_home().await;
    rig.script.always("b", refused());
    let other = layer.clone().layer(rig.script.clone());
    let _ = other.clone().oneshot(get("http://b/")).await;
    rig.call("http://b/").await;
    assert_eq!(tasks(), 1);
    let mut changes = rig.handle.subscribe();
    restored(&mut changes).await;
    assert_eq!(tasks(), 1, "the other is out still");
    rig.script.on_probe("b", Act::Status(200));
    restored(&mut changes).await;
    nothing_follows(&rig.script).await;
}

#[tokio::test(start_paused = true)]
async fn an_ejection_that_the_last_call_finds_is_probed() {
    let rig = Rig::out(&layer(Health::default()), Act::Status(200)).await;
    let calls = rig.script.asked().len();
    restored(&mut rig.handle.subscribe()).await;
    assert_eq!((rig.script.probed(), rig.script.asked().len()), (1, calls));
}

#[tokio::test(start_paused = true)]
async fn an_ejection_found_by_a_call_that_is_dropped_in_its_wait_is_probed() {
    let layer = layer(Health::default()).backoff(wait_of(HOUR));
    let rig = Rig::new(&layer);
    rig.script.always("a", refused());
    rig.script.on_probe("a", Act::Status(200));
    assert!(timeout(S / 2, rig.call("http://a/")).await.is_err());
    restored(&mut rig.handle.subscribe()).await;
    assert_eq!((rig.script.probed(), rig.script.asked().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_ejection_found_by_a_call_without_a_second_attempt_is_probed_with_the_next_call() {
    let layer = layer(Health::default()).max_attempts(1);
    let rig = Rig::new(&layer);
    rig.script.always("a", refused());
    rig.script.on_probe("a", Act::Status(200));
    rig.call("http://a/").await;
    assert!(rig.is_out());
    assert_eq!(rig.call("http://a/").await, Some(StatusCode::OK));
    restored(&mut rig.handle.subscribe()).await;
    assert_eq!(rig.script.asked().concat(), "ab");
}

#[tokio::test(start_paused = true)]
async fn it_is_gone_with_the_last_clone_even_while_a_probe_is_under_way() {
    for is_sent in [false, true] {
        let layer = layer(Health::default());
        let rig = Rig::out(&layer, Act::Hang).await;
        rig.script.probe_sent(usize::from(is_sent)).await;
        // The handle stays, and keeps nothing alive.
        let Rig {
            script,
            client,
            handle,
        } = rig;
        let clone = client.clone();
        drop(client);
        drop(layer);
        assert_eq!(tasks(), 1, "a clone is left");
        drop(clone);
        nothing_follows(&script).await;
        assert_eq!(script.probes().len(), usize::from(is_sent));
        assert_eq!(handle.regions("http://a")[0].state(), RegionState::Ejected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_layer_keeps_it() {
    let layer = layer(Health::default());
    let Rig {
        script,
        client,
        handle,
    } = Rig::out(&layer, Act::Status(200)).await;
    drop(client);
    restored(&mut handle.subscribe()).await;
    assert_eq!(script.probes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_keeps_it_and_takes_it_along() {
    let layer = layer(Health::default()).attempt_timeout(None);
    let rig = Rig::out(&layer, Act::Status(503)).await;
    rig.script.always("b", Act::Hang);
    let Rig {
        script,
        mut client,
        handle: _,
    } = rig;
    let call = client.call(request(Method::GET));
    drop((client, layer));
    assert!(timeout(60 * S, call).await.is_err());
    assert!(script.probes().len() >= 4, "{}", script.probes().len());
    nothing_follows(&script).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_finds_a_new_one_when_the_service_that_began_it_is_gone() {
    let one = layer(Health::default());
    let other = one.clone().max_attempts(2);
    let rig = Rig::new(&other);
    // The layer of this service has other settings, and what is known of regions in common.
    let client = one.layer(rig.script.clone());
    drop(one);
    rig.script.always("a", refused());
    rig.script.on_probe("a", Act::Status(503));
    client.clone().oneshot(get("http://a/")).await.unwrap();
    assert_eq!(tasks(), 1);
    drop(client);
    sleep(60 * S).await;
    assert!(rig.is_out());
    assert_eq!(rig.calls(1).await, 0);
    assert_eq!(tasks(), 1);
    rig.script.on_probe("a", Act::Status(200));
    restored(&mut rig.handle.subscribe()).await;
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_listed_no_longer_is_probed_no_longer() {
    use tower_failover::{Discovery, Region, RegionList, Regions};

    let region = |name: &str| Region::new(name, format!("https://{name}.example.com")).unwrap();
    let list = |names: &[&str]| RegionList::new(names.iter().map(|name| region(name)).collect());
    let layer = FailoverLayer::new(Regions::discover(Discovery::http("/regions")))
        .backoff(no_wait())
        .budget(Budget::unlimited());
    let rig = Rig::new(&layer);
    let home = "https://a.example.com";
    // A home is known from its first call on.
    rig.call(home).await;
    rig.handle.set_regions(home, list(&["b", "c"])).unwrap();
    for host in ["a.example.com", "b.example.com"] {
        rig.script.always(host, Act::Status(503));
        rig.script.always(&format!("{host}:443"), refused());
    }
    rig.call(home).await;
    rig.call(home).await;
    sleep(60 * S).await;
    let probed = |host: &str| {
        let probes = rig.script.probes();
        probes
            .iter()
            .filter(|probe| probe.uri.host() == Some(host))
            .count()
    };
    let before = probed("b.example.com");
    assert!(before > 2, "{:?}", rig.script.probes());
    rig.handle.set_regions(home, list(&["c"])).unwrap();
    sleep(600 * S).await;
    assert!(probed("b.example.com") <= before + 1);
    assert!(probed("a.example.com") > before + 10, "home stays");
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

/// Runs on a runtime that is shut down then.
fn on_a_runtime<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}

#[test]
fn a_second_runtime_takes_over_when_the_first_is_gone() {
    for is_sent in [false, true] {
        let layer = layer(Health::default());
        let rig = on_a_runtime(async {
            let rig = Rig::out(&layer, Act::Hang).await;
            rig.script.probe_sent(usize::from(is_sent)).await;
            rig
        });
        assert_eq!(rig.script.probing(), 0, "it went with its runtime");
        assert!(rig.is_out());
        rig.script.on_probe("a", Act::Status(200));
        on_a_runtime(async {
            sleep(60 * S).await;
            assert!(rig.is_out(), "nobody calls");
            assert_eq!(rig.calls(1).await, 0);
            restored(&mut rig.handle.subscribe()).await;
            nothing_follows(&rig.script).await;
        });
        assert_eq!(rig.script.probed(), 1 + usize::from(is_sent));
    }
}

#[test]
fn it_stays_on_the_first_runtime_as_long_as_that_is_there() {
    let layer = layer(Health::default());
    let (first, second) = (runtime(), runtime());
    let rig = first.block_on(Rig::out(&layer, Act::Status(200)));
    second.block_on(async {
        assert_eq!(rig.calls(1).await, 0);
        assert_eq!(tasks(), 0);
    });
    first.block_on(async {
        assert_eq!(tasks(), 1);
        restored(&mut rig.handle.subscribe()).await;
    });
}
