use http::Method;
use tower::{Layer, ServiceExt};
use tower_failover::{
    Budget, Health, RegionState,
    classify::{Classify, Http, Outcome, Verdict},
};

use super::{DELAY, MS, S, after, asked, hedged, late, told};
use crate::support::{Act, Script, request};

#[tokio::test(start_paused = true)]
async fn a_call_whose_request_is_at_fault_tells_of_its_hedge() {
    struct Faulty;
    impl Classify for Faulty {
        fn classify(&self, outcome: Outcome<'_>) -> Verdict {
            match outcome {
                Outcome::Error(_) => Verdict::Final,
                outcome => Http.classify(outcome),
            }
        }
    }
    let fault = Act::Fail(std::io::ErrorKind::InvalidInput);
    let script = Script::new([after(150 * MS, fault), Act::Hang]);
    let client = hedged(2).classifier(Faulty).layer(script.clone());
    let outcome = client.oneshot(request(Method::GET)).await;
    assert_eq!(asked(&script), "ab");
    assert_eq!(told(&outcome).len(), 2, "{:?}", told(&outcome));
}

#[tokio::test(start_paused = true)]
async fn a_region_that_had_all_the_time_for_a_hedge_is_blamed_too() {
    let script = Script::default();
    script.always("a", Act::Hang);
    script.always("b", Act::Hang);
    let layer = hedged(3).attempt_timeout(None).total_timeout(5 * S);
    let client = layer.layer(script.clone());
    for _ in 0..2 {
        client
            .clone()
            .oneshot(request(Method::GET))
            .await
            .unwrap_err();
    }
    let regions = layer.handle().regions("http://a");
    let states: Vec<_> = regions.iter().map(|region| region.state()).collect();
    assert_eq!(states[..2], [RegionState::Ejected; 2]);
}

#[tokio::test(start_paused = true)]
async fn one_short_stop_under_load_ejects_nobody() {
    let script = Script::default();
    let layer = hedged(2);
    let client = layer.layer(script.clone());
    script.always("a", late(150 * MS));
    let calls: Vec<_> = (0..20)
        .map(|_| tokio::spawn(client.clone().oneshot(request(Method::GET))))
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let home = layer.handle().regions("http://a").remove(0);
    assert_eq!(home.state(), RegionState::Healthy, "{home}");
}

#[tokio::test(start_paused = true)]
async fn a_region_on_its_ramp_gets_its_share_of_the_hedges() {
    let script = Script::default();
    let budget = Budget::unlimited();
    let layer = hedged(2)
        .budget(budget)
        .health(Health::default().ramp(3600 * S));
    let client = layer.layer(script.clone());
    script.always("a", after(2 * DELAY, Act::Status(200)));
    script.always("b", Act::Status(503));
    for _ in 0..2 {
        client.clone().oneshot(request(Method::GET)).await.unwrap();
    }
    script.always("b", Act::Hang);
    script.always("b", late(S));
    tokio::time::sleep(30 * S).await;
    let before = asked(&script).len();
    for _ in 0..100 {
        client.clone().oneshot(request(Method::GET)).await.unwrap();
    }
    let hedges = asked(&script)[before..].matches('b').count();
    assert!(hedges < 40, "{hedges} of 100");
}

#[tokio::test(start_paused = true)]
async fn with_the_default_budget_no_call_waits_for_a_silent_region() {
    let script = Script::default();
    script.always("a", Act::Hang);
    let client = hedged(2).budget(Budget::default()).layer(script.clone());
    let mut waits = Vec::new();
    for _ in 0..10 {
        let call = client.clone().oneshot(request(Method::GET));
        waits.push(crate::support::timed(call).await.1);
    }
    assert!(waits.iter().all(|wait| *wait < S), "{waits:?}");
}
