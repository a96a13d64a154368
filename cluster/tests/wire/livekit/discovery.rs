use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use failover_cluster::{Fault, LiveKit, Server};
use serde_json::json;

use super::{Answer, create};
use crate::support::{connect, send, within};

const REGIONS: &str = "/settings/regions";

async fn discover(server: &Server, headers: &[(&str, &str)]) -> Answer {
    Answer(send(&mut connect(server).await, "GET", REGIONS, headers, "").await)
}

/// The names that a region lists.
async fn listed(server: &Server, headers: &[(&str, &str)]) -> Vec<String> {
    let document = discover(server, headers).await.json();
    let regions = document["regions"].as_array().expect("a list").iter();
    regions
        .map(|region| region["region"].as_str().expect("a name").to_owned())
        .collect()
}

#[tokio::test]
async fn every_region_lists_all_by_index_without_the_secret() {
    within(async {
        let livekit = LiveKit::start(3).await;
        for (index, region) in livekit.regions().iter().enumerate() {
            let answer = discover(region, &[]).await;
            assert_eq!(answer.status(), "200");
            assert_eq!(answer.header("cache-control"), Some("max-age=0"));
            assert_eq!(answer.region(), Some(index.to_string().as_str()));
            let expected = json!({ "regions": [
                { "region": "region-0", "url": livekit.origin(0) },
                { "region": "region-1", "url": livekit.origin(1), "distance": "1" },
                { "region": "region-2", "url": livekit.origin(2), "distance": "2" },
            ]});
            assert_eq!(answer.json(), expected);
        }
    })
    .await;
}

#[tokio::test]
async fn regions_on_another_address_list_it() {
    within(async {
        let livekit = LiveKit::start_on(Ipv4Addr::new(127, 0, 0, 2), 2).await;
        let document = discover(livekit.region(0), &[]).await.json();
        let url = document["regions"][1]["url"].as_str().unwrap();
        assert!(url.starts_with("http://127.0.0.2:"), "{url}");
        assert_eq!(url, livekit.origin(1));
    })
    .await;
}

#[tokio::test]
async fn a_regions_status_is_answered_without_a_list() {
    within(async {
        let livekit = LiveKit::start(2).await;
        let server = livekit.region(0);
        for header in [
            ("x-lk-mock", r#"{"regionsStatus":500}"#),
            ("x-lk-mock-regions-status", "500"),
        ] {
            let answer = discover(server, &[header]).await;
            assert_eq!((answer.status(), answer.body()), ("500", ""));
            assert_eq!(answer.region(), None);
        }
        for status in ["0", "200", "42", "600", "70000", "-1", "null", "\"500\""] {
            let mock = format!(r#"{{"regionsStatus":{status}}}"#);
            assert_eq!(
                listed(server, &[("x-lk-mock", &mock)]).await.len(),
                2,
                "{status}"
            );
        }
        // The JSON wins, and calls are none of its business.
        let both = [
            ("x-lk-mock", r#"{"regionsStatus":404}"#),
            ("x-lk-mock-regions-status", "500"),
        ];
        assert_eq!(discover(server, &both).await.status(), "404");
        assert_eq!(create(server, &both).await.status(), "200");
    })
    .await;
}

#[tokio::test]
async fn pinned_regions_are_listed_alone() {
    within(async {
        let livekit = LiveKit::start(3).await;
        let pinned = |names| [("x-lk-mock", names)];
        // Also by a region that is not among them.
        let some = pinned(r#"{"pinnedRegions":["region-2","region-1","nowhere"]}"#);
        assert_eq!(
            listed(livekit.region(0), &some).await,
            ["region-1", "region-2"]
        );
        let unknown = pinned(r#"{"pinnedRegions":["region-99"]}"#);
        assert_eq!(discover(livekit.region(0), &unknown).await.body(), "{}");
        let empty = pinned(r#"{"pinnedRegions":[]}"#);
        assert_eq!(listed(livekit.region(0), &empty).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn discovery_ignores_failures_and_delays_of_calls() {
    within(async {
        let livekit = LiveKit::start(2).await;
        let mock = r#"{"failRegions":[0,1],"failMode":"drop","delayMs":3600000}"#;
        assert_eq!(
            listed(livekit.region(0), &[("x-lk-mock", mock)])
                .await
                .len(),
            2
        );
    })
    .await;
}

#[tokio::test]
async fn a_list_set_is_that_of_every_region() {
    within(async {
        let livekit = LiveKit::start(3).await;
        livekit.list(&[2, 0]);
        for region in livekit.regions() {
            assert_eq!(listed(region, &[]).await, ["region-2", "region-0"]);
        }
        let document = discover(livekit.region(1), &[]).await.json();
        assert_eq!(document["regions"][0]["distance"], "2");
        // A region that is not listed still serves.
        assert_eq!(create(livekit.region(1), &[]).await.region(), Some("1"));
        livekit.list(&[]);
        assert_eq!(discover(livekit.region(0), &[]).await.body(), "{}");
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "there is no region-1")]
async fn a_list_of_an_unknown_region_is_a_mistake() {
    LiveKit::start(1).await.list(&[0, 1]);
}

#[tokio::test]
async fn cache_control_is_that_set_or_none() {
    within(async {
        let livekit = LiveKit::start(2).await;
        livekit.cache_control("public, max-age=60");
        for region in livekit.regions() {
            let answer = discover(region, &[]).await;
            assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
        }
        livekit.no_cache_control();
        assert_eq!(
            discover(livekit.region(1), &[])
                .await
                .header("cache-control"),
            None
        );
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "is not the value of a header")]
async fn a_cache_control_of_two_lines_is_a_mistake() {
    LiveKit::start(1).await.cache_control("no-\nstore");
}

#[tokio::test]
async fn a_fault_at_discovery_is_met_there_and_calls_are_answered() {
    within(async {
        let livekit = LiveKit::start(2).await;
        let server = livekit.region(0);
        let document = Bytes::from_static(b"no JSON");
        server
            .set_at(REGIONS, Fault::Answer(200, Vec::new(), document))
            .await;
        assert_eq!(discover(server, &[]).await.body(), "no JSON");
        assert_eq!(create(server, &[]).await.status(), "200");
        assert_eq!((server.hits_at(REGIONS), server.hits()), (1, 2));
        assert_eq!(listed(livekit.region(1), &[]).await.len(), 2);
        server.clear_at(REGIONS).await;
        assert_eq!(listed(server, &[]).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_region_whose_calls_fail_still_lists() {
    within(async {
        let livekit = LiveKit::start(2).await;
        let server = livekit.region(0);
        server.set(Fault::Status(503)).await;
        server.set_at(REGIONS, Fault::None).await;
        assert_eq!(listed(server, &[]).await.len(), 2);
        assert_eq!(create(server, &[]).await.status(), "503");
    })
    .await;
}

#[tokio::test]
async fn a_delayed_list_is_the_list() {
    within(async {
        let livekit = LiveKit::start(2).await;
        let delay = Duration::from_millis(50);
        livekit.region(0).set_at(REGIONS, Fault::Delay(delay)).await;
        let started = tokio::time::Instant::now();
        assert_eq!(listed(livekit.region(0), &[]).await.len(), 2);
        assert!(started.elapsed() >= delay);
    })
    .await;
}
