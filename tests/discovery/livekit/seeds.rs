//! The preset with seeds, and with other settings of its discovery.

use tower_failover::{Discovery, discovery::InvalidDiscovery, error::InvalidRegion};

use super::{clock::*, *};

const HOME: &str = "https://x.livekit.cloud";
const SEED: &str = "https://seed.livekit.cloud";
const OTHER: &str = "https://r1.livekit.cloud";

fn seeded() -> FailoverLayer {
    FailoverLayer::livekit_with(|discovery| discovery.seeds([SEED])).unwrap()
}

#[tokio::test]
async fn a_cold_client_whose_home_is_dead_finds_the_regions_by_a_seed() {
    for is_seeded in [true, false] {
        let livekit = LiveKit::start(4).await;
        livekit.region(0).set(Fault::Refuse).await;
        livekit.list(&[2, 3]);
        let seeds = is_seeded.then(|| livekit.origin(1));
        let layer = FailoverLayer::livekit_with(|d| d.hosts(["127.0.0.1"]).seeds(seeds)).unwrap();
        let response = send(&client(&layer), twirp(&livekit.origin(0), ROOMS, "{}")).await;
        let region = response.map(|response| response.headers()["x-region"].clone());
        if is_seeded {
            assert_eq!(region.unwrap(), "region-2");
        } else {
            assert_eq!(region.unwrap_err().kind(), ErrorKind::NeverSent);
        }
        assert_eq!(asked(&livekit), [0, usize::from(is_seeded), 0, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_seed_in_the_cloud_gets_the_token_and_an_outsider_does_not() {
    for (seed, is_shown) in [(SEED, true), ("https://seed.example.com", false)] {
        let world = World::listing(&[OTHER]);
        world.at(HOME, Act::Refuse);
        let layer = FailoverLayer::livekit_with(|discovery| discovery.seeds([seed])).unwrap();
        let response = world.client(&layer).oneshot(twirp(HOME, ROOMS, "{}")).await;
        assert_eq!(response.unwrap().status(), 200);
        assert_eq!(world.called(), [HOME, OTHER]);
        assert_eq!(world.asked(), [HOME, seed]);
        assert_eq!(world.was_shown(seed, "authorization"), is_shown);
    }
}

#[tokio::test(start_paused = true)]
async fn all_else_is_as_in_the_preset() {
    for (method, timeout) in [(SIP, secs(32)), (ROOMS, secs(10))] {
        let course = course_of(method, &seeded(), &net(&[Act::Hang]), NO_OVERRIDE).await;
        assert_eq!(course.result.unwrap(), 200, "{method}");
        let left = course.begun[1];
        let most = timeout + millis(200) + 2 * ROUNDING;
        assert!((timeout..=most).contains(&left), "{method}: {left:?}");
    }
    let world = World::default();
    let other = "https://x.livekit.io";
    world.at(other, Act::Status(503));
    let response = world.client(&seeded()).oneshot(twirp(other, ROOMS, "{}"));
    assert_eq!(response.await.unwrap().status(), 503);
    assert_eq!(world.asked().len(), 0, "a host that is not served");
}

#[test]
fn a_setting_that_is_refused_is_the_error() {
    let error: InvalidRegion =
        FailoverLayer::livekit_with(|discovery| discovery.seeds(["nonsense"])).unwrap_err();
    assert!(error.to_string().starts_with("region 1: "), "{error}");
    let set = |discovery: Discovery| discovery.allow(["*.com"]).validate();
    let error: InvalidDiscovery = FailoverLayer::livekit_with(set).unwrap_err();
    assert_eq!(error.to_string(), "host pattern 1: a public suffix");
    let set = |discovery: Discovery| discovery.seeds(["nonsense"])?.validate();
    let both: InvalidDiscovery = FailoverLayer::livekit_with(set).unwrap_err();
    assert!(both.to_string().starts_with("region 1: "), "{both}");
    let fine = FailoverLayer::livekit_with(|discovery| discovery.timeout(secs(1)).validate());
    assert!(fine.is_ok());
}
