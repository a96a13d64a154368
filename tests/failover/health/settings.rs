//! Settings that cannot be, and health that is off.

use http::Method;

use super::*;

#[test]
fn health_is_valid_by_default() {
    for health in [Health::default(), Health::off()] {
        assert!(health.validate().is_ok());
        let set = health
            .probe(Method::GET, "/health")
            .probe_every(S, S)
            .ramp(Duration::MAX);
        assert!(set.validate().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_cannot_be_sent_is_refused_and_the_setting_stays() {
    for (method, path) in [
        (Method::GET, "nope"),
        (Method::GET, ""),
        (Method::GET, "*"),
        (Method::GET, "http://elsewhere/"),
        (Method::GET, "/a b"),
        (Method::CONNECT, "/"),
    ] {
        let valid = Health::default().probe(Method::GET, "/first");
        let health = valid.clone().probe(method.clone(), path);
        let error = health.validate().unwrap_err();
        assert!(error.to_string().starts_with("the path of a probe"));
        assert!(valid.validate().is_ok(), "it is another value");

        let rig = Rig::new(&layer(health));
        rig.script.probed_by(Method::GET, "/first");
        rig.lose_home().await;
        rig.script.probe_ended(1).await;
        assert_eq!(rig.script.probes()[0].uri, "http://a/first", "{path}");
    }
}

#[test]
fn a_setting_that_was_refused_stays_an_error() {
    let health = Health::default().probe(Method::GET, "nope");
    let health = health.probe(Method::GET, "/health");
    assert!(health.validate().is_err());
}

#[tokio::test(start_paused = true)]
async fn with_health_off_nothing_is_probed_and_every_call_starts_at_home() {
    let off = Health::off().probe_every(S, S).ramp(S).consecutive(1);
    let rig = Rig::new(&layer(off));
    let busy = Act::StatusWith(503, "retry-after", "5".into());
    for act in [refused(), Act::Status(503), busy] {
        rig.script.always("a", act);
        assert_eq!(rig.calls(20).await, 20);
        assert_eq!(rig.home().state(), RegionState::Healthy);
        sleep(HOUR).await;
    }
    assert_eq!((rig.script.probed(), tasks()), (0, 0));
}
