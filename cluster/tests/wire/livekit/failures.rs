use std::time::Duration;

use failover_cluster::LiveKit;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::{AUTH, Answer, ROOMS, call, create, mocked};
use crate::support::{connect, read_to_fin, send, within};

#[tokio::test]
async fn a_listed_region_fails_and_others_serve() {
    within(async {
        let livekit = LiveKit::start(3).await;
        for mock in [
            ("x-lk-mock", r#"{"failRegions":[0,2]}"#),
            ("x-lk-mock-fail-regions", "0, 2,x"),
        ] {
            for index in [0, 2] {
                let answer = create(livekit.region(index), &[mock]).await;
                assert_eq!(answer.status(), "503");
                let expected = json!({ "code": "unavailable", "msg": "mock failure (status 503)" });
                assert_eq!(answer.json(), expected);
                assert_eq!(answer.region(), Some(""));
            }
            let answer = create(livekit.region(1), &[mock]).await;
            assert_eq!((answer.status(), answer.region()), ("200", Some("1")));
        }
    })
    .await;
}

#[tokio::test]
async fn a_failure_has_its_status_and_the_code_of_it() {
    within(async {
        let livekit = LiveKit::start(1).await;
        let cases = [
            (400, 400, "invalid_argument"),
            (401, 401, "unauthenticated"),
            (403, 403, "permission_denied"),
            (404, 404, "not_found"),
            (429, 429, "resource_exhausted"),
            (500, 500, "unavailable"),
            (599, 599, "unavailable"),
            (418, 418, "internal"),
            (0, 503, "unavailable"),
            (600, 503, "unavailable"),
            (-1, 503, "unavailable"),
        ];
        for (asked, status, code) in cases {
            let number = asked.to_string();
            let mock = format!(r#"{{"failRegions":[0],"failStatus":{asked}}}"#);
            let legacy = [
                ("x-lk-mock-fail-regions", "0"),
                ("x-lk-mock-fail-status", number.as_str()),
            ];
            for headers in [&[("x-lk-mock", mock.as_str())][..], &legacy] {
                let answer = create(livekit.region(0), headers).await;
                assert_eq!(answer.status(), status.to_string());
                let msg = format!("mock failure (status {status})");
                assert_eq!(answer.json(), json!({ "code": code, "msg": msg }));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_twirp_code_given_replaces_that_of_the_status() {
    within(async {
        let livekit = LiveKit::start(1).await;
        let server = livekit.region(0);
        let mock = r#"{"failRegions":[0],"failStatus":500,"failTwirpCode":"dataloss"}"#;
        let answer = mocked(server, mock).await;
        assert_eq!(
            (answer.status(), &answer.json()["code"]),
            ("500", &json!("dataloss"))
        );
        let legacy = [
            ("x-lk-mock-fail-regions", "0"),
            ("x-lk-mock-fail-twirp-code", "internal"),
        ];
        assert_eq!(create(server, &legacy).await.json()["code"], "internal");
        let empty = r#"{"failRegions":[0],"failTwirpCode":""}"#;
        assert_eq!(mocked(server, empty).await.json()["code"], "unavailable");
    })
    .await;
}

#[tokio::test]
async fn a_drop_closes_the_connection_of_the_listed_region_only() {
    within(async {
        let livekit = LiveKit::start(2).await;
        let legacy = "x-lk-mock-fail-regions: 0\r\nx-lk-mock-fail-mode: drop";
        for mock in [r#"x-lk-mock: {"failRegions":[0],"failMode":"Drop"}"#, legacy] {
            let request = format!(
                "POST {ROOMS} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer secret\r\n{mock}\r\ncontent-length: 2\r\n\r\n{{}}"
            );
            let mut stream = connect(livekit.region(0)).await;
            stream.write_all(request.as_bytes()).await.unwrap();
            assert_eq!(read_to_fin(&mut stream).await, b"");
        }
        assert_eq!(livekit.region(0).requests()[0].body, "{}");
        let mock = r#"{"failRegions":[0],"failMode":"drop"}"#;
        assert_eq!(mocked(livekit.region(1), mock).await.status(), "200");
    })
    .await;
}

#[tokio::test]
async fn a_failure_by_delay_takes_as_long_as_its_header_says() {
    within(async {
        let livekit = LiveKit::start(2).await;
        let headers = [
            (
                "x-lk-mock",
                r#"{"failRegions":[0],"failMode":"DELAY","failStatus":500}"#,
            ),
            ("x-lk-mock-delay-ms", "50"),
        ];
        let started = Instant::now();
        let answer = create(livekit.region(0), &headers).await;
        assert!(started.elapsed() >= Duration::from_millis(50));
        assert_eq!((answer.status(), answer.region()), ("500", Some("")));
        assert_eq!(create(livekit.region(1), &headers).await.status(), "200");

        // Half a minute without the header.
        let mut stream = connect(livekit.region(0)).await;
        let headers = [
            AUTH,
            ("x-lk-mock", r#"{"failRegions":[0],"failMode":"delay"}"#),
        ];
        let call = send(&mut stream, "POST", ROOMS, &headers, "{}");
        let answered = tokio::time::timeout(Duration::from_millis(100), call).await;
        assert!(answered.is_err(), "{answered:?}");
    })
    .await;
}

#[tokio::test]
async fn an_unknown_mode_fails_by_status() {
    within(async {
        let livekit = LiveKit::start(1).await;
        let mock = r#"{"failRegions":[0],"failMode":"explode"}"#;
        assert_eq!(mocked(livekit.region(0), mock).await.status(), "503");
    })
    .await;
}

#[tokio::test]
async fn json_wins_over_the_deprecated_headers_field_by_field() {
    within(async {
        let livekit = LiveKit::start(2).await;
        let legacy = [
            ("x-lk-mock-fail-regions", "0,1"),
            ("x-lk-mock-fail-status", "500"),
            ("x-lk-mock-fail-twirp-code", "dataloss"),
        ];
        let with = |mock| [&legacy[..], &[("x-lk-mock", mock)]].concat();
        let answer = create(
            livekit.region(0),
            &with(r#"{"failRegions":[0],"failStatus":502}"#),
        )
        .await;
        assert_eq!(
            (answer.status(), &answer.json()["code"]),
            ("502", &json!("dataloss"))
        );
        let answer = create(livekit.region(1), &with(r#"{"failRegions":[0]}"#)).await;
        assert_eq!(answer.status(), "200");
        // What is no JSON, or not of the field's type, wins over nothing.
        for mock in [
            "{\"failStatus\":502",
            "[]",
            r#"{"failStatus":"502"}"#,
            r#"{"failStatus":null}"#,
        ] {
            assert_eq!(
                create(livekit.region(1), &with(mock)).await.status(),
                "500",
                "{mock}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn invalid_json_is_ignored() {
    within(async {
        let livekit = LiveKit::start(1).await;
        for mock in ["", "{", "x", "[0]", "3", r#"{"failRegions":[0]}}"#] {
            assert_eq!(
                mocked(livekit.region(0), mock).await.status(),
                "200",
                "{mock}"
            );
        }
    })
    .await;
}

const DIAL: &str = "/twirp/livekit.SIP/CreateSIPParticipant";
const TRANSFER: &str = "/twirp/livekit.SIP/TransferSIPParticipant";

async fn dial(livekit: &LiveKit, path: &str, mock: &str) -> Answer {
    call(livekit.region(1), path, &[AUTH, ("x-lk-mock", mock)], "{}").await
}

#[tokio::test]
async fn a_sip_status_is_the_error_of_calls_that_dial() {
    within(async {
        let livekit = LiveKit::start(2).await;
        let cases = [
            ("486", "429", "resource_exhausted"),
            ("603", "403", "permission_denied"),
            ("408", "408", "deadline_exceeded"),
            ("504", "408", "deadline_exceeded"),
            ("503", "412", "failed_precondition"),
            ("404", "404", "not_found"),
            ("487", "409", "aborted"),
            ("499", "400", "invalid_argument"),
        ];
        for (sip, status, code) in cases {
            for path in [DIAL, TRANSFER] {
                let mock = format!(r#"{{"sipStatus":{{"code":{sip},"status":"Why not"}}}}"#);
                let answer = dial(&livekit, path, &mock).await;
                assert_eq!(answer.status(), status, "{sip}");
                let expected = json!({
                    "code": code,
                    "msg": format!("sip status {sip}: Why not"),
                    "meta": { "sip_status_code": sip, "sip_status": "Why not" },
                });
                assert_eq!(answer.json(), expected);
                assert_eq!(answer.region(), Some(""));
            }
        }
        let answer = dial(&livekit, DIAL, r#"{"sipStatus":{"code":486}}"#).await;
        assert_eq!(answer.json()["meta"]["sip_status"], "SIP_STATUS_BUSY_HERE");
    })
    .await;
}

#[tokio::test]
async fn a_sip_status_comes_before_failures_and_is_nothing_to_other_calls() {
    within(async {
        let livekit = LiveKit::start(2).await;
        let mock = r#"{"sipStatus":{"code":486},"failRegions":[1]}"#;
        assert_eq!(dial(&livekit, DIAL, mock).await.status(), "429");
        assert_eq!(dial(&livekit, ROOMS, mock).await.status(), "503");
        assert_eq!(
            dial(&livekit, ROOMS, r#"{"sipStatus":{"code":486}}"#)
                .await
                .status(),
            "200"
        );
        assert_eq!(
            dial(&livekit, DIAL, r#"{"sipStatus":{}}"#).await.status(),
            "200"
        );
        assert_eq!(dial(&livekit, DIAL, "{}").await.status(), "200");
    })
    .await;
}
