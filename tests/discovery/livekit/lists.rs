//! The list of regions: when it is asked for, how long it is used, what it may look like.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::time::{advance, sleep};
use tower_failover::Health;

use super::*;

const HOME: &str = "https://x.livekit.cloud";
const LISTS: [&[&str]; 2] = [
    &["https://x.livekit.cloud", "https://r1.livekit.cloud"],
    &["https://x.livekit.cloud", "https://r2.livekit.cloud"],
];

/// Home fails every call, and answers so for the list; all others are well.
fn net<F>(list: F) -> Net
where
    F: Fn(usize) -> Result<http::Response<Full<Bytes>>, tower_failover::BoxError>
        + Send
        + Sync
        + 'static,
{
    let asked = AtomicUsize::new(0);
    let list = Arc::new(list);
    Net::new(move |seen| {
        let list = list.clone();
        let n = match seen.is_discovery() {
            true => asked.fetch_add(1, Ordering::Relaxed),
            false => 0,
        };
        async move {
            match seen.is_discovery() {
                true => {
                    sleep(Duration::from_millis(10)).await;
                    list(n)
                }
                false if seen.origin == HOME => status(503),
                false => status(200),
            }
        }
    })
}

/// The preset, without the memory that would lead calls past home.
fn layer() -> FailoverLayer {
    FailoverLayer::livekit().health(Health::off())
}

/// Calls home; the origin that was called last, and the status.
async fn last(layer: &FailoverLayer, net: &Net) -> (String, u16) {
    let request = twirp(HOME, ROOMS, "{}");
    let response = layer.layer(net.clone()).oneshot(request).await;
    let last = net.called().pop().expect("a call");
    let response = response.expect("an answer");
    (last, response.status().as_u16())
}

fn at(region: &str) -> (String, u16) {
    (format!("https://{region}.livekit.cloud"), 200)
}

#[tokio::test]
async fn d1_the_order_is_the_servers_each_time() {
    let livekit = LiveKit::start(4).await;
    livekit.cache_control("max-age=60");
    livekit.list(&[3, 1, 0, 2]);
    let client = client(&FailoverLayer::livekit_on_loopback());
    for _ in 0..2 {
        let mock = r#"{"failRegions":[0,3]}"#;
        let (status, region) = answer(&client, twirp(&livekit.origin(0), ROOMS, mock)).await;
        assert_eq!((status, region.as_str()), (200, "region-1"));
    }
    assert_eq!(called(&livekit), [2, 2, 0, 2]);
    assert_eq!(asked(&livekit), super::HOME);
}

#[tokio::test(start_paused = true)]
async fn d2_d3_a_list_is_used_for_its_time_and_asked_for_again_after_it() {
    let net = net(|n| listing("max-age=60", LISTS[n.min(1)]));
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
    let refused = |_| Err(io::Error::from(io::ErrorKind::ConnectionRefused).into());
    for net in [net(|_| status(503)), net(|_| status(404)), net(refused)] {
        let layer = layer();
        assert_eq!(last(&layer, &net).await, (HOME.to_owned(), 503));
        assert_eq!((net.asked().len(), net.called().len()), (1, 1));
        // Who asks for nothing but the list is told.
        assert!(layer.handle().refresh(HOME).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn d6_calls_at_the_same_time_share_one_request() {
    let net = net(|_| listing("max-age=0", LISTS[0]));
    let layer = layer().budget(tower_failover::Budget::unlimited());
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let service = layer.layer(net.clone());
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
    let net = net(|n| listing("max-age=0", LISTS[n % 2]));
    let layer = layer();
    for n in 0..4 {
        let region = ["r1", "r2"][n % 2];
        assert_eq!(last(&layer, &net).await, at(region));
        assert_eq!(net.asked().len(), n + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn d10_a_list_that_says_nothing_of_its_age_is_used_for_5_s() {
    let net = net(|n| {
        let mut list = listing("", LISTS[n.min(1)])?;
        list.headers_mut().remove("cache-control");
        Ok(list)
    });
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
    let net = net(|n| match n {
        0 => listing("max-age=0", LISTS[0]),
        _ => status(500),
    });
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
    let net = net(|_| status(500));
    let layer = layer();
    for (pause, asked) in [(0, 1), (0, 1), (4900, 1), (10_200, 2)] {
        advance(Duration::from_millis(pause)).await;
        assert_eq!(last(&layer, &net).await, (HOME.to_owned(), 503));
        assert_eq!(net.asked().len(), asked, "after {pause} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn d17_fields_that_are_not_known_and_distances_of_any_kind_do_not_matter() {
    let document = r#"{
        "version": 7, "extra": {"deep": [1, {"x": null}]},
        "regions": [
            {"region":"near","url":"https://r1.livekit.cloud","distance":"12345678901","load":0.5},
            {"region":"far","url":"https://r2.livekit.cloud","distance":3},
            {"region":"home","url":"https://x.livekit.cloud"}
        ]
    }"#;
    let net = Net::new(move |seen| async move {
        match seen.is_discovery() {
            true => Ok(http::Response::new(document.into())),
            false => status(503),
        }
    });
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
        let net = net(move |_| Ok(http::Response::new(document.into())));
        let layer = layer();
        assert_eq!(last(&layer, &net).await.1, 503);
        let error = layer.handle().refresh(HOME).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("x.livekit.cloud") && text.contains(cause),
            "{text}"
        );
    }
    let refused = io::ErrorKind::ConnectionRefused;
    let net = net(move |_| Err(io::Error::from(refused).into()));
    let layer = layer();
    last(&layer, &net).await;
    let error = layer.handle().refresh(HOME).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    let source = source.downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), refused);
}

#[tokio::test(start_paused = true)]
async fn d19_the_bearer_is_what_opens_the_list() {
    for (is_sent, outcome) in [(true, at("r1")), (false, (HOME.to_owned(), 503))] {
        let net = Net::new(|seen| async move {
            match seen.is_discovery() {
                true if seen.headers.contains_key("authorization") => {
                    listing("max-age=60", LISTS[0])
                }
                true => status(401),
                false if seen.origin == HOME => status(503),
                false => status(200),
            }
        });
        let mut request = twirp(HOME, ROOMS, "{}");
        if !is_sent {
            request.headers_mut().remove("authorization");
        }
        let response = layer().layer(net.clone()).oneshot(request).await.unwrap();
        let last = (net.called().pop().unwrap(), response.status().as_u16());
        assert_eq!(last, outcome);
    }
}
