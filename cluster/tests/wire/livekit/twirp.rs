use std::time::Duration;

use failover_cluster::LiveKit;
use serde_json::json;
use tokio::time::Instant;

use super::{AUTH, ROOMS, call, create, mocked};
use crate::support::within;

#[tokio::test]
async fn a_call_is_answered_by_its_region_with_the_scalars_of_its_request() {
    within(async {
        let livekit = LiveKit::start(2).await;
        let request = r#"{"name":"lobby","maxParticipants":7,"hidden":true,"tags":["a"],"agent":{"a":1},"x":null}"#;
        for (index, region) in livekit.regions().iter().enumerate() {
            let answer = call(region, ROOMS, &[AUTH], request).await;
            assert_eq!(answer.status(), "200");
            assert_eq!(answer.region(), Some(index.to_string().as_str()));
            let expected = json!({ "name": "lobby", "maxParticipants": 7, "hidden": true, "sid": "MOCK_SID" });
            assert_eq!(answer.json(), expected);
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_that_is_no_object_is_not_echoed() {
    within(async {
        let livekit = LiveKit::start(1).await;
        for body in ["", "{", "[1]", "3"] {
            let answer = call(livekit.region(0), ROOMS, &[AUTH], body).await;
            assert_eq!(
                (answer.status(), answer.json()),
                ("200", json!({ "sid": "MOCK_SID" }))
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_response_given_is_the_answer_as_it_is() {
    within(async {
        let livekit = LiveKit::start(1).await;
        let server = livekit.region(0);
        let answer = mocked(
            server,
            r#"{"response":{"sid":"RM_x","rooms":[{"a":null}]}}"#,
        )
        .await;
        assert_eq!(
            answer.json(),
            json!({ "sid": "RM_x", "rooms": [{ "a": null }] })
        );
        assert_eq!(answer.region(), Some("0"));
        let answer = mocked(server, r#"{"response":[1]}"#).await;
        assert_eq!(answer.json()["sid"], "MOCK_SID");
    })
    .await;
}

#[tokio::test]
async fn a_call_without_the_secret_is_unauthenticated() {
    within(async {
        let livekit = LiveKit::start(1).await;
        assert_eq!(LiveKit::SECRET, "secret");
        let server = livekit.region(0);
        let authorizations: [&[(&str, &str)]; 4] = [
            &[],
            &[("authorization", "secret")],
            &[("authorization", "Bearer secret2")],
            &[("authorization", "Basic secret")],
        ];
        for authorization in authorizations {
            let answer = call(server, ROOMS, authorization, "{}").await;
            assert_eq!(answer.status(), "401", "{authorization:?}");
            let expected = json!({ "code": "unauthenticated", "msg": "mock: unauthenticated" });
            assert_eq!(answer.json(), expected);
            assert_eq!(answer.region(), None);
        }
    })
    .await;
}

#[tokio::test]
async fn skip_auth_asks_for_no_secret() {
    within(async {
        let livekit = LiveKit::start(1).await;
        let cases = [
            (vec![("x-lk-mock", r#"{"skipAuth":true}"#)], "200"),
            (vec![("x-lk-mock-skip-auth", "True")], "200"),
            (vec![("x-lk-mock", r#"{"skipAuth":false}"#)], "401"),
            (vec![("x-lk-mock-skip-auth", "1")], "401"),
            (
                vec![
                    ("x-lk-mock", r#"{"skipAuth":false}"#),
                    ("x-lk-mock-skip-auth", "true"),
                ],
                "401",
            ),
            (vec![("x-lk-mock", r#"{"skipAuth":"#)], "401"),
        ];
        for (headers, status) in cases {
            let answer = call(livekit.region(0), ROOMS, &headers, "{}").await;
            assert_eq!(answer.status(), status, "{headers:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_region_outside_the_pin_is_not_allowed() {
    within(async {
        let livekit = LiveKit::start(2).await;
        let mock = r#"{"pinnedRegions":["region-1"]}"#;
        let answer = mocked(livekit.region(0), mock).await;
        assert_eq!(answer.status(), "451");
        assert_eq!(answer.body(), "project not allowed in this region.");
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(answer.region(), None);
        assert_eq!(mocked(livekit.region(1), mock).await.status(), "200");
        assert_eq!(
            mocked(livekit.region(0), r#"{"pinnedRegions":[]}"#)
                .await
                .status(),
            "200"
        );
    })
    .await;
}

#[tokio::test]
async fn the_secret_comes_before_the_pin_and_the_pin_before_the_rest() {
    within(async {
        let livekit = LiveKit::start(1).await;
        let server = livekit.region(0);
        let mock =
            r#"{"pinnedRegions":["x"],"delayMs":3600000,"failRegions":[0],"failStatus":404}"#;
        assert_eq!(
            call(server, ROOMS, &[("x-lk-mock", mock)], "{}")
                .await
                .status(),
            "401"
        );
        assert_eq!(mocked(server, mock).await.status(), "451");
    })
    .await;
}

#[tokio::test]
async fn a_delay_is_of_every_region_and_of_failures_too() {
    within(async {
        let livekit = LiveKit::start(2).await;
        let mock = r#"{"delayMs":50,"failRegions":[1]}"#;
        for (region, status) in livekit.regions().iter().zip(["200", "503"]) {
            let started = Instant::now();
            assert_eq!(mocked(region, mock).await.status(), status);
            assert!(started.elapsed() >= Duration::from_millis(50));
        }
    })
    .await;
}

#[tokio::test]
async fn the_deprecated_delay_is_only_of_failures_that_delay() {
    within(async {
        let livekit = LiveKit::start(1).await;
        let hour = ("x-lk-mock-delay-ms", "3600000");
        assert_eq!(create(livekit.region(0), &[hour]).await.status(), "200");
    })
    .await;
}
