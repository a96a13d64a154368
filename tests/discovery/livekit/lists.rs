//! The list of regions: when it is asked for, how long it is used, what it may look like.

use std::io;

use tokio::time::advance;
use tower_failover::{Health, Region, RegionList};

use super::*;

const HOME: &str = "https://x.livekit.cloud";
const LISTS: [&[&str]; 2] = [
    &["https://x.livekit.cloud", "https://r1.livekit.cloud"],
    &["https://x.livekit.cloud", "https://r2.livekit.cloud"],
];

/// Home fails every call, and who is asked for the list does this after a moment; all others are well.
fn net(list: Act) -> World {
    let world = World::default();
    world
        .on("x.livekit.cloud", Act::Status(503))
        .on("?", after(Duration::from_millis(10), list));
    world
}

/// The preset, without the memory that would lead calls past home.
fn layer() -> FailoverLayer {
    FailoverLayer::livekit().health(Health::off())
}

/// Calls home; the origin that was called last, and the status.
async fn last(layer: &FailoverLayer, net: &World) -> (String, u16) {
    let request = twirp(HOME, ROOMS, "{}");
    let response = net.client(layer).oneshot(request).await;
    let last = net.called().pop().expect("a call");
    let response = response.expect("an answer");
    (last, response.status().as_u16())
}

fn at(region: &str) -> (String, u16) {
    (format!("https://{region}.livekit.cloud"), 200)
}

#[tokio::test]
async fn d1_the_order_is_the_servers_each_time() {
    // Without home, whose distance is the 0 that is left out, each region has one.
    for list in [&[3, 1, 0, 2][..], &[3, 1, 2]] {
        let livekit = LiveKit::start(4).await;
        livekit.cache_control("max-age=60");
        livekit.list(list);
        let client = client(&FailoverLayer::livekit_on_loopback());
        for _ in 0..2 {
            let mock = r#"{"failRegions":[0,3]}"#;
            let (status, region) = answer(&client, twirp(&livekit.origin(0), ROOMS, mock)).await;
            assert_eq!((status, region.as_str()), (200, "region-1"), "{list:?}");
        }
        assert_eq!(called(&livekit), [2, 2, 0, 2], "{list:?}");
        assert_eq!(asked(&livekit), super::HOME, "{list:?}");
    }
}

#[tokio::test]
async fn d1_the_order_is_that_of_a_pushed_and_of_a_restored_list_too() {
    let livekit = LiveKit::start(4).await;
    let home = livekit.origin(0);
    for region in livekit.regions() {
        region.set_at(PATH, Fault::Status(500)).await;
    }
    let pushed = [3, 1, 2].map(|n| {
        Region::new("", livekit.origin(n))
            .unwrap()
            .distance(n as u64)
    });
    let pushing = FailoverLayer::livekit_on_loopback();
    let list = RegionList::new(pushed.to_vec());
    pushing.handle().set_regions(&home, list).unwrap();
    let restoring = FailoverLayer::livekit_on_loopback();
    restoring
        .handle()
        .restore_snapshot(&pushing.handle().snapshot());
    for layer in [pushing, restoring] {
        let mock = r#"{"failRegions":[0]}"#;
        let (status, region) = answer(&client(&layer), twirp(&home, ROOMS, mock)).await;
        assert_eq!((status, region.as_str()), (200, "region-3"));
    }
}

#[tokio::test(start_paused = true)]
async fn d2_d3_a_list_is_used_for_its_time_and_asked_for_again_after_it() {
    let net = net(Act::By(|seen| {
        listing("max-age=60", LISTS[seen.nth.min(1)])
    }));
    let layer = layer();
    for _ in 0..3 {
        assert_eq!(last(&layer, &net).await, at("r1"));
    }
    // Up to a tenth earlier, by chance.
    advance(Duration::from_secs(50)).await;
    assert_eq!(last(&layer, &net).await, at("r1"));
    assert_eq!(net.asked().len(), 1);

    advance(Duration::from_secs(11)).await;
    assert_eq!(last(&layer, &net).await, at("r2"));
    assert_eq!(net.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn d4_d8_without_a_list_a_call_ends_with_its_own_failure() {
    for list in [Act::Status(503), Act::Status(404), Act::Refuse] {
        let net = net(list);
        let layer = layer();
        assert_eq!(last(&layer, &net).await, (HOME.to_owned(), 503));
        assert_eq!((net.asked().len(), net.called().len()), (1, 1));
        // Who asks for nothing but the list is told.
        assert!(layer.handle().refresh(HOME).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn d6_calls_at_the_same_time_share_one_request() {
    let net = net(listing("max-age=0", LISTS[0]));
    let layer = layer().budget(tower_failover::Budget::unlimited());
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let service = net.client(&layer);
            tokio::spawn(service.oneshot(twirp(HOME, ROOMS, "{}")))
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!((net.asked().len(), net.called().len()), (1, 40));
}

#[tokio::test(start_paused = true)]
async fn d7_d10_a_list_of_max_age_0_is_asked_for_by_each_call() {
    let net = net(Act::By(|seen| listing("max-age=0", LISTS[seen.nth % 2])));
    let layer = layer();
    for n in 0..4 {
        let region = ["r1", "r2"][n % 2];
        assert_eq!(last(&layer, &net).await, at(region));
        assert_eq!(net.asked().len(), n + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn d10_a_list_that_says_nothing_of_its_age_is_used_for_5_s() {
    let net = net(Act::By(|seen| {
        Act::Document(None, json_of(LISTS[seen.nth.min(1)]))
    }));
    let layer = layer();
    assert_eq!(last(&layer, &net).await, at("r1"));
    advance(Duration::from_secs(4)).await;
    assert_eq!(last(&layer, &net).await, at("r1"));
    advance(Duration::from_secs(1)).await;
    assert_eq!(last(&layer, &net).await, at("r2"));
    assert_eq!(net.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn d10_an_old_list_serves_while_no_other_can_be_had() {
    let net = net(Act::By(|seen| match seen.nth {
        0 => listing("max-age=0", LISTS[0]),
        _ => Act::Status(500),
    }));
    let layer = layer();
    for _ in 0..3 {
        assert_eq!(last(&layer, &net).await, at("r1"));
    }
    let asked = net.asked();
    let others = asked.iter().filter(|origin| *origin != HOME).count();
    assert_eq!((asked.len(), others), (3, 1), "once of each, then no more");
}

#[tokio::test(start_paused = true)]
async fn beyond_the_sdks_discovery_that_failed_is_left_alone_for_5_to_15_s() {
    let net = net(Act::Status(500));
    let layer = layer();
    for (pause, asked) in [(0, 1), (0, 1), (4900, 1), (10_200, 2)] {
        advance(Duration::from_millis(pause)).await;
        assert_eq!(last(&layer, &net).await, (HOME.to_owned(), 503));
        assert_eq!(net.asked().len(), asked, "after {pause} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn d17_unknown_fields_and_distances_as_text_leave_the_regions_in_order() {
    let document = r#"{
        "version": 7, "extra": {"deep": [1, {"x": null}]},
        "regions": [
            {"region":"near","url":"https://r1.livekit.cloud","distance":"3","load":0.5},
            {"region":"far","url":"https://r2.livekit.cloud","distance":12345678901},
            {"region":"home","url":"https://x.livekit.cloud","distance":"0"}
        ]
    }"#;
    let net = net(Act::Document(None, document.to_owned()));
    net.on("", Act::Status(503));
    assert_eq!(last(&layer(), &net).await.1, 503);
    let regions = ["x", "r1", "r2"].map(|region| at(region).0);
    assert_eq!(net.called(), regions);
}

#[tokio::test(start_paused = true)]
async fn d18_the_error_of_who_asks_for_the_list_names_the_cause() {
    for (document, cause) in [
        (r#"{"regions":"#, "the JSON ends too early"),
        (r#"{"regions":3}"#, "`regions` is no list"),
        ("<html>", "no JSON from line 1"),
    ] {
        let net = net(Act::Document(None, document.to_owned()));
        let layer = layer();
        assert_eq!(last(&layer, &net).await.1, 503);
        let error = layer.handle().refresh(HOME).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("x.livekit.cloud") && text.contains(cause),
            "{text}"
        );
    }
    let net = net(Act::Refuse);
    let layer = layer();
    last(&layer, &net).await;
    let error = layer.handle().refresh(HOME).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    let source = source.downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test(start_paused = true)]
async fn d19_the_bearer_is_what_opens_the_list() {
    for (is_sent, outcome) in [(true, at("r1")), (false, (HOME.to_owned(), 503))] {
        let net = net(Act::By(|seen| {
            match seen.headers.contains_key("authorization") {
                true => listing("max-age=60", LISTS[0]),
                false => Act::Status(401),
            }
        }));
        let mut request = twirp(HOME, ROOMS, "{}");
        if !is_sent {
            request.headers_mut().remove("authorization");
        }
        let response = net.client(&layer()).oneshot(request).await.unwrap();
        let last = (net.called().pop().unwrap(), response.status().as_u16());
        assert_eq!(last, outcome);
    }
}
