//! LiveKit's own cases of region failover, met by the preset.
//!
//! The ids are those of a list that was drawn up from LiveKit's SDKs. Not here:
//!
//! | id | why |
//! |---|---|
//! | D5 | a matter of a unit: `the_usual_lines_are_understood` and what follows it in `src/discovery/freshness/tests.rs` |
//! | D9 | not the preset's: `within_max_age_a_second_failure_asks_nothing` and `a_list_out_of_date_serves_until_it_is_too_stale_and_not_longer` in `cache` |
//! | D11, D12 | lists are not edited; health and `Handle::refresh` take their place |
//! | D13 | not the preset's: `each_home_has_a_fetch_of_its_own_at_the_same_time` and `two_hundred_calls_that_fail_together_ask_once_and_all_succeed` in `flight` |
//! | D18, TLS | the TLS is the wrapped client's |
//! | F1 but for its first case and that of 5 s, F2 | how long it rings is said in the message, which is the API client's |
//! | F3 | as T4: who drops the call cancels it, with a deadline or without |
//! | S1, grants, protobuf | the client's, too |
//!
//! Other than in the SDKs:
//!
//! - A deadline bounds the call and not each attempt (E10, E11, T1, U3).
//! - An id of the caller's is kept (I2), and the id is not shown to discovery (I1).
//! - The order is the server's, but regions that failed lately come last, and no entry is used that is
//!   not trusted (D1).
//! - `no-cache` and `no-store` hold whatever `max-age` stands beside them, blanks around `=` are
//!   none of its value, and a list that says nothing is used for 5 s (D5).
//! - A timeout of the call's own is not raised to the ringing time: the caller's 5 s stay 5 s
//!   (F1; see `an_attempt_timeout_of_the_calls_own_wins`).

mod clock;
mod dials;
mod hosts;
mod lists;
mod seeds;

use std::time::Duration;

use bytes::Bytes;
use failover_cluster::{Fault, LiveKit, Server};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::ServiceExt;
use tower_failover::{ErrorKind, FailoverLayer, Override, Stop};

use crate::support::*;

const ROOMS: &str = "livekit.RoomService/CreateRoom";
const SIP: &str = "livekit.SIP/CreateSIPParticipant";
const ID: &str = "x-livekit-request-id";

/// A call as LiveKit's clients make it: a `POST` without any key of the caller's.
fn twirp(origin: &str, method: &str, mock: &str) -> Request<Full<Bytes>> {
    let mut request = call(origin, mock);
    request.headers_mut().remove("idempotency-key");
    let uri = format!("{origin}/twirp/{method}");
    *request.uri_mut() = uri.parse().expect("a URI");
    request
}

fn with(mut request: Request<Full<Bytes>>, own: Override) -> Request<Full<Bytes>> {
    request.extensions_mut().insert(own);
    request
}

fn called(livekit: &LiveKit) -> Vec<usize> {
    let called = |region: &Server| region.hits() - region.hits_at(PATH);
    livekit.regions().iter().map(called).collect()
}

/// What a call met and what came of it.
#[derive(Debug)]
struct Outcome {
    status: u16,
    region: String,
    headers: HeaderMap,
    body: Bytes,
    /// How many calls each region saw.
    called: Vec<usize>,
    /// How often each was asked for the list.
    asked: Vec<usize>,
}

impl Outcome {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Status, region, calls, requests for the list.
    fn brief(&self) -> (u16, &str, &[usize], &[usize]) {
        let region = self.region.trim_start_matches("region-");
        (self.status, region, &self.called, &self.asked)
    }
}

/// A call of a project in four regions.
async fn outcome(
    layer: &FailoverLayer,
    method: &str,
    mock: &str,
    own: Option<Override>,
) -> Outcome {
    let livekit = LiveKit::start(4).await;
    let request = twirp(&livekit.origin(0), method, mock);
    let request = own.map_or(request.clone(), |own| with(request, own));
    let response = send(&client(layer), request).await.expect("an answer");
    let (head, body) = response.into_parts();
    let region = head.headers["x-region"].to_str().expect("ASCII");
    Outcome {
        status: head.status.as_u16(),
        region: region.to_owned(),
        body: body.collect().await.expect("a body").to_bytes(),
        headers: head.headers,
        called: called(&livekit),
        asked: asked(&livekit),
    }
}

const NOBODY: &[usize] = &[0, 0, 0, 0];
const HOME: &[usize] = &[1, 0, 0, 0];

/// Id, what the mock does, status, region, calls, requests for the list.
type Case<'a> = (&'a str, &'a str, u16, &'a str, &'a [usize], &'a [usize]);

#[tokio::test]
async fn the_cases_of_the_api_come_out_as_in_the_sdks() {
    let layer = FailoverLayer::livekit_on_loopback;
    let cases: &[Case<'_>] = &[
        ("E1", "{}", 200, "0", HOME, NOBODY),
        (
            "E2",
            r#"{"failRegions":[0]}"#,
            200,
            "1",
            &[1, 1, 0, 0],
            HOME,
        ),
        (
            "E3",
            r#"{"failRegions":[0,1]}"#,
            200,
            "2",
            &[1, 1, 1, 0],
            HOME,
        ),
        (
            "E4",
            r#"{"failRegions":[0,1,2,3]}"#,
            503,
            "2",
            &[1, 1, 1, 0],
            HOME,
        ),
        (
            "E5",
            r#"{"failRegions":[0],"failStatus":400}"#,
            400,
            "0",
            HOME,
            NOBODY,
        ),
        (
            "E5, 408",
            r#"{"failRegions":[0],"failStatus":408}"#,
            408,
            "0",
            HOME,
            NOBODY,
        ),
        (
            "E5, 429",
            r#"{"failRegions":[0],"failStatus":429}"#,
            429,
            "0",
            HOME,
            NOBODY,
        ),
        (
            "E6",
            r#"{"failRegions":[0],"failMode":"drop"}"#,
            200,
            "1",
            &[1, 1, 0, 0],
            HOME,
        ),
        (
            "E7",
            r#"{"failRegions":[0],"regionsStatus":500}"#,
            503,
            "0",
            HOME,
            HOME,
        ),
        (
            "T5",
            r#"{"failRegions":[0],"failStatus":502}"#,
            200,
            "1",
            &[1, 1, 0, 0],
            HOME,
        ),
        (
            "P1",
            r#"{"pinnedRegions":["region-1"]}"#,
            200,
            "1",
            &[1, 1, 0, 0],
            HOME,
        ),
        (
            "P2",
            r#"{"pinnedRegions":["region-2"]}"#,
            200,
            "2",
            &[1, 0, 1, 0],
            HOME,
        ),
        (
            "P3",
            r#"{"pinnedRegions":["region-99"]}"#,
            451,
            "0",
            HOME,
            HOME,
        ),
    ];
    for &(id, mock, status, region, called, asked) in cases {
        let outcome = outcome(&layer(), ROOMS, mock, None).await;
        assert_eq!(outcome.brief(), (status, region, called, asked), "{id}");
        match status {
            200 => {
                assert_eq!(outcome.json()["name"], "stage", "{id}");
                assert_ne!(outcome.json()["sid"], "", "{id}");
                assert_eq!(outcome.headers["x-lk-mock-region"], region, "{id}");
            }
            451 => assert_eq!(outcome.body, "project not allowed in this region."),
            503 => assert_eq!(outcome.json()["code"], "unavailable", "{id}"),
            400 => assert_eq!(outcome.json()["code"], "invalid_argument", "{id}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn e8_e12_the_preset_for_the_cloud_leaves_servers_of_ones_own_alone() {
    for (mock, status, code) in [
        (r#"{"failRegions":[0]}"#, 503, "unavailable"),
        (
            r#"{"failRegions":[0],"failStatus":400}"#,
            400,
            "invalid_argument",
        ),
        (r#"{"pinnedRegions":["region-1"]}"#, 451, ""),
    ] {
        let outcome = outcome(&FailoverLayer::livekit(), ROOMS, mock, None).await;
        assert_eq!(outcome.brief(), (status, "0", HOME, NOBODY), "{mock}");
        if status != 451 {
            assert_eq!(outcome.json()["code"], code);
        }
    }
}

#[tokio::test]
async fn e9_u2_p4_with_failover_off_a_failure_is_final_and_a_pin_is_followed() {
    let layer = FailoverLayer::livekit_on_loopback();
    let off = Some(Override::new().enabled(false));
    for mock in [
        r#"{"failRegions":[0]}"#,
        r#"{"failRegions":[0],"failStatus":500}"#,
    ] {
        let outcome = outcome(&layer, ROOMS, mock, off).await;
        assert_eq!(
            (outcome.called, outcome.asked),
            (HOME.into(), NOBODY.into())
        );
        assert!(outcome.status >= 500);
    }
    let mock = r#"{"pinnedRegions":["region-1"]}"#;
    let outcome = outcome(&layer, ROOMS, mock, off).await;
    assert_eq!(outcome.brief(), (200, "1", &[1, 1, 0, 0][..], HOME));
}

/// Home answers when no test waits any more.
const SLOW: &str = r#"{"failRegions":[0],"failMode":"delay"}"#;

#[tokio::test]
async fn e10_t2_an_attempt_that_times_out_is_made_in_the_next_region() {
    let layer = FailoverLayer::livekit_on_loopback();
    let own = Override::new().attempt_timeout(Duration::from_millis(300));
    let outcome = outcome(&layer, ROOMS, SLOW, Some(own)).await;
    assert_eq!(outcome.brief(), (200, "1", &[1, 1, 0, 0][..], HOME));
}

#[tokio::test]
async fn e11_a_call_with_little_time_is_not_failed_over() {
    let livekit = LiveKit::start(4).await;
    let client = client(&FailoverLayer::livekit_on_loopback());
    let own = Override::new().total_timeout(Duration::from_millis(300));
    let request = with(twirp(&livekit.origin(0), ROOMS, SLOW), own);
    let error = send(&client, request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.attempts().len(), 1);
    assert_eq!(
        (called(&livekit), asked(&livekit)),
        (HOME.into(), NOBODY.into())
    );
}

#[tokio::test]
async fn t3_a_failure_with_little_time_left_is_returned_as_it_is() {
    let layer = FailoverLayer::livekit_on_loopback();
    let own = Override::new().total_timeout(Duration::from_secs(5));
    let mock = r#"{"failRegions":[0]}"#;
    let outcome = outcome(&layer, ROOMS, mock, Some(own)).await;
    assert_eq!(outcome.brief(), (503, "0", HOME, NOBODY));
    assert_eq!(outcome.json()["msg"], "mock failure (status 503)");
}

#[tokio::test]
async fn t4_a_call_that_is_cancelled_is_not_made_again() {
    let livekit = LiveKit::start(4).await;
    let client = client(&FailoverLayer::livekit_on_loopback());
    let request = twirp(&livekit.origin(0), ROOMS, SLOW);
    let call = tokio::spawn(async move { send(&client, request).await });
    livekit.region(0).wait_hits(1).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert_eq!(
        (called(&livekit), asked(&livekit)),
        (HOME.into(), NOBODY.into())
    );
}

#[tokio::test]
async fn i1_i3_i4_each_call_has_an_id_that_is_the_same_on_all_attempts() {
    let livekit = LiveKit::start(4).await;
    let layer = FailoverLayer::livekit_on_loopback();
    let client = client(&layer);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mock = r#"{"failRegions":[0,1]}"#;
        let before = called(&livekit);
        let (status, _) = answer(&client, twirp(&livekit.origin(0), ROOMS, mock)).await;
        assert_eq!(status, 200);
        let path = format!("/twirp/{ROOMS}");
        let of_call: Vec<_> = (0..3)
            .map(|n| livekit.region(n).requests_at(&path)[before[n]].headers[ID].clone())
            .collect();
        assert!(of_call.iter().all(|id| *id == of_call[0]), "{of_call:?}");
        let id = of_call[0].to_str().unwrap().parse::<uuid::Uuid>().unwrap();
        assert_eq!(id.get_version_num(), 4);
        ids.push(id);
    }
    assert_ne!(ids[0], ids[1]);
    for list in livekit.region(0).requests_at(PATH) {
        assert!(!list.headers.contains_key(ID), "it names another request");
    }
}

#[tokio::test]
async fn i1_hosts_that_are_not_served_get_no_id() {
    let livekit = LiveKit::start(1).await;
    let client = client(&FailoverLayer::livekit());
    answer(&client, twirp(&livekit.origin(0), ROOMS, "{}")).await;
    let request = livekit.region(0).requests().remove(0);
    assert!(!request.headers.contains_key(ID));
}

#[tokio::test]
async fn i2_an_id_of_the_callers_is_kept_however_it_is_written() {
    let livekit = LiveKit::start(4).await;
    let client = client(&FailoverLayer::livekit_on_loopback());
    let mut request = twirp(&livekit.origin(0), ROOMS, r#"{"failRegions":[0]}"#);
    let name = http::HeaderName::from_bytes(b"X-LiveKit-Request-ID").unwrap();
    request.headers_mut().insert(name, "mine".parse().unwrap());
    answer(&client, request).await;
    for region in [0, 1] {
        let path = format!("/twirp/{ROOMS}");
        let request = livekit.region(region).requests_at(&path).remove(0);
        let ids: Vec<_> = request.headers.get_all(ID).iter().collect();
        assert_eq!(ids, ["mine"]);
    }
}

#[tokio::test]
async fn d19_discovery_carries_the_bearer_and_the_callers_headers_but_not_those_of_the_body() {
    let livekit = LiveKit::start(4).await;
    let client = client(&FailoverLayer::livekit_on_loopback());
    let mut request = twirp(&livekit.origin(0), ROOMS, r#"{"failRegions":[0]}"#);
    let headers = request.headers_mut();
    headers.insert("x-project", "stage".parse().unwrap());
    headers.insert("user-agent", "tests".parse().unwrap());
    answer(&client, request).await;
    let list = livekit.region(0).requests_at(PATH).remove(0);
    assert_eq!(list.method, "GET");
    let bearer = format!("Bearer {}", LiveKit::SECRET);
    assert_eq!(list.headers["authorization"], bearer);
    assert_eq!(list.headers["x-project"], "stage");
    assert_eq!(list.headers["user-agent"], "tests");
    for name in ["content-type", "content-length", "transfer-encoding"] {
        assert!(!list.headers.contains_key(name), "{name}");
    }
    assert!(list.body.is_empty());
}

#[tokio::test]
async fn f5_errors_of_sip_carriers_are_answers_with_their_meta_and_are_not_replayed() {
    for (sip, status, code) in [
        (486, 429, "resource_exhausted"),
        (603, 403, "permission_denied"),
        (408, 408, "deadline_exceeded"),
        (503, 412, "failed_precondition"),
    ] {
        let mock = format!(r#"{{"sipStatus":{{"code":{sip},"status":"as sent"}}}}"#);
        let layer = FailoverLayer::livekit_on_loopback();
        let outcome = outcome(&layer, SIP, &mock, None).await;
        assert_eq!(outcome.brief(), (status, "0", HOME, NOBODY), "{sip}");
        assert_eq!(outcome.json()["code"], code);
        assert_eq!(outcome.json()["meta"]["sip_status_code"], sip.to_string());
        assert_eq!(outcome.json()["meta"]["sip_status"], "as sent");
    }
}

#[tokio::test]
async fn s1_every_service_is_called_with_and_without_failover() {
    let livekit = LiveKit::start(4).await;
    livekit.cache_control("max-age=60");
    let methods = [
        ROOMS,
        SIP,
        "livekit.RoomService/ListRooms",
        "livekit.RoomService/DeleteRoom",
        "livekit.Egress/StartRoomCompositeEgress",
        "livekit.Ingress/CreateIngress",
        "livekit.SIP/TransferSIPParticipant",
        "livekit.AgentDispatchService/CreateDispatch",
        "livekit.Connector/DialWhatsAppCall",
    ];
    for method in methods {
        let client = client(&FailoverLayer::livekit_on_loopback());
        for (mock, region) in [("{}", "region-0"), (r#"{"failRegions":[0]}"#, "region-1")] {
            let request = twirp(&livekit.origin(0), method, mock);
            let (status, answered) = answer(&client, request).await;
            assert_eq!((status, answered.as_str()), (200, region), "{method}");
        }
    }
    assert_eq!(called(&livekit), [2 * methods.len(), methods.len(), 0, 0]);
}

#[tokio::test]
async fn p5_the_same_host_is_asked_again_only_where_that_is_set() {
    let mut statuses = Vec::new();
    for again in [false, true] {
        let livekit = LiveKit::start(1).await;
        livekit.list(&[]);
        let lost = Fault::First(1, Box::new(Fault::Close));
        let path = format!("/twirp/{ROOMS}");
        livekit.region(0).set_at(&path, lost).await;
        let layer = FailoverLayer::livekit_on_loopback().retry_same_region(again);
        let request = twirp(&livekit.origin(0), ROOMS, "{}");
        statuses.push(match send(&client(&layer), request).await {
            Ok(response) => response.status().as_u16(),
            Err(error) => {
                assert_eq!(error.stop(), Some(Stop::Regions));
                0
            }
        });
        assert_eq!(called(&livekit), [1 + usize::from(again)]);
    }
    assert_eq!(statuses, [0, 200]);
}

#[tokio::test]
async fn beyond_the_sdks_a_dead_home_does_not_keep_the_list_away() {
    let livekit = LiveKit::start(4).await;
    let client = client(&FailoverLayer::livekit_on_loopback());
    let request = |mock| twirp(&livekit.origin(0), ROOMS, mock);
    answer(&client, request(r#"{"failRegions":[0]}"#)).await;
    assert_eq!(asked(&livekit), HOME);
    livekit.region(0).set(Fault::Refuse).await;
    livekit.list(&[3]);
    // The list was not to be kept, and home cannot give another: one of the others does.
    let (status, region) = answer(&client, request("{}")).await;
    assert_eq!((status, region.as_str()), (200, "region-3"));
    assert_eq!(asked(&livekit), [1, 1, 0, 0]);
}
