use std::{error::Error as _, io, time::Duration};

use bytes::Bytes;
use http::{HeaderName, Method, Request};
use http_body_util::{Full, LengthLimitError, Limited};
use tower::{Layer, Service, ServiceExt};
use tower_failover::{
    Budget, Error, ErrorKind, FailoverLayer, Health, Override, Replay, Served, Stop,
    classify::{FailureKind, Reason},
};
use tracing::Level;

use crate::support::{Act, Events, Script, get, layer, named, no_wait, request, wait_of};

const SECOND: Duration = Duration::from_secs(1);

/// The home is eu.
fn eu_us() -> FailoverLayer {
    FailoverLayer::new(named(["eu", "us"])).backoff(no_wait())
}

fn refused() -> Act {
    Act::Fail(io::ErrorKind::ConnectionRefused)
}

fn slow(time: Duration, act: Act) -> Act {
    Act::After(time, act.into())
}

async fn served(
    layer: FailoverLayer,
    acts: impl IntoIterator<Item = Act>,
    method: Method,
) -> Option<Served> {
    let script = Script::new(acts);
    let response = layer.layer(script).oneshot(request(method)).await.unwrap();
    response.extensions().get().cloned()
}

async fn failed(layer: FailoverLayer, acts: impl IntoIterator<Item = Act>) -> Error {
    let script = Script::new(acts);
    let response = layer.layer(script).oneshot(request(Method::GET)).await;
    response.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_home_to_the_first_attempt_says_nothing_of_regions() {
    for status in [200, 304, 404, 421, 429, 500, 501, 503] {
        let layer = layer(2).max_attempts(1);
        let served = served(layer, [Act::Status(status)], Method::GET).await;
        assert!(served.is_none(), "{status}");
    }
    for status in [200, 404, 429, 500, 501, 503] {
        let served = served(layer(2), [Act::Status(status)], Method::POST).await;
        assert!(served.is_none(), "{status}");
    }
    assert!(
        served(layer(1), [Act::Status(503)], Method::GET)
            .await
            .is_none()
    );
    let acts = [slow(60 * SECOND, Act::Status(200))];
    assert!(served(layer(2), acts, Method::POST).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_a_failure_says_where_all_attempts_went_and_how_they_ended() {
    let layer = FailoverLayer::new(named(["a", "b", "c", "d"]))
        .max_attempts(4)
        .backoff(wait_of(10 * SECOND));
    let script = Script::new([
        slow(SECOND, Act::Status(503)),
        slow(2 * SECOND, Act::Fail(io::ErrorKind::ConnectionReset)),
        Act::Hang,
        slow(3 * SECOND, Act::Status(404)),
    ]);
    let response = layer.layer(script.clone()).oneshot(get("https://a/")).await;
    let response = response.unwrap();
    let served: &Served = response.extensions().get().unwrap();
    assert_eq!(served.region().name(), "d");
    assert_eq!(served.region().origin().as_str(), "https://d:443");
    let told: Vec<_> = served
        .attempts()
        .iter()
        .map(|a| {
            (
                a.region().name(),
                a.reason().to_string(),
                a.elapsed(),
                a.failure(),
            )
        })
        .collect();
    let text = String::from;
    assert_eq!(
        told,
        [
            ("a", text("503"), SECOND, Some(FailureKind::Answered)),
            (
                "b",
                text("connection reset"),
                2 * SECOND,
                Some(FailureKind::Unknown)
            ),
            (
                "c",
                text("attempt timeout"),
                5 * SECOND,
                Some(FailureKind::Unknown)
            ),
            ("d", text("404"), 3 * SECOND, None),
        ]
    );
    assert_eq!(script.asked().concat(), "abcd");
}

#[tokio::test(start_paused = true)]
async fn the_story_of_a_call_can_be_told_in_a_sentence() {
    let script = Script::new([Act::Status(503)]);
    let request = Request::put("https://eu/CreateRoom").body(Full::<Bytes>::from("{}"));
    let response = eu_us()
        .layer(script)
        .oneshot(request.unwrap())
        .await
        .unwrap();
    let served: &Served = response.extensions().get().unwrap();
    let attempts = served.attempts();
    let sentence = format!(
        "CreateRoom moved from {} to {} after {}, {} attempts",
        attempts[0].region(),
        served.region(),
        attempts[0].reason(),
        attempts.len(),
    );
    assert_eq!(
        sentence,
        "CreateRoom moved from eu to us after 503, 2 attempts"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_first_attempt_away_from_home_says_where_it_came_from() {
    let script = Script::new([refused()]);
    let client = eu_us().layer(script.clone());
    client.clone().oneshot(get("https://eu/")).await.unwrap();
    let response = client.oneshot(get("https://eu/")).await.unwrap();
    assert_eq!(script.asked(), ["eu", "us", "us"]);
    let served: &Served = response.extensions().get().unwrap();
    assert_eq!(served.region().name(), "us");
    assert_eq!(served.attempts().len(), 1);
    assert_eq!(served.attempts()[0].region().name(), "us");
    assert_eq!(served.attempts()[0].failure(), None);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_home_to_a_later_attempt_says_so() {
    let layer = layer(1).retry_same_region(true);
    let served = served(layer, [Act::Status(503)], Method::GET)
        .await
        .unwrap();
    assert_eq!(served.region().name(), "http://a:80");
    assert_eq!(served.attempts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_last_answer_of_a_call_that_failed_everywhere_says_where_it_came_from() {
    let served = served(eu_us(), [], Method::GET).await;
    assert!(served.is_none(), "http://a is no home");
    let script = Script::new([Act::Status(503), Act::Status(502)]);
    let response = eu_us()
        .layer(script)
        .oneshot(get("https://eu/"))
        .await
        .unwrap();
    let served: &Served = response.extensions().get().unwrap();
    assert_eq!(served.region().name(), "us");
    let last = served.attempts().last().unwrap();
    assert_eq!(last.reason(), Reason::Status(http::StatusCode::BAD_GATEWAY));
    assert_eq!(last.failure(), Some(FailureKind::Answered));
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_a_wrong_region_tells_of_it_without_calling_it_a_failure() {
    let served = served(layer(2), [Act::Status(421)], Method::POST)
        .await
        .unwrap();
    let [first, second] = served.attempts() else {
        panic!("{served:?}");
    };
    assert_eq!(first.to_string(), "http://a:80 (421)");
    assert_eq!(second.to_string(), "http://b:80 (200)");
    assert_eq!((first.failure(), second.failure()), (None, None));
}

#[tokio::test(start_paused = true)]
async fn an_error_names_its_kind_and_every_attempt_and_keeps_the_source() {
    let layer = |n| layer(n).backoff(no_wait());
    let error = failed(layer(2), [refused(), refused()]).await;
    assert_eq!(error.kind(), ErrorKind::NeverSent);
    assert_eq!(error.stop(), Some(Stop::Regions));
    assert_eq!(
        error.to_string(),
        "request not sent: http://a:80 (connection refused), http://b:80 (connection refused); \
         no region left"
    );

    let reset = Act::FailAfterBody(io::ErrorKind::ConnectionReset);
    let error = failed(layer(3), [refused(), Act::Status(503), reset]).await;
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert_eq!(error.stop(), Some(Stop::Attempts));
    assert_eq!(
        error.to_string(),
        "call failed: http://a:80 (connection refused), http://b:80 (503), \
         http://c:80 (connection reset); all attempts used"
    );
    let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::ConnectionReset);

    let layer = layer(2).total_timeout(7 * SECOND);
    let error = failed(layer, [Act::Hang, Act::Hang]).await;
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        error.to_string(),
        "call ran out of time: http://a:80 (attempt timeout), http://b:80 (total timeout); \
         no time left"
    );
    assert!(error.source().is_none());
    let elapsed: Vec<_> = error.attempts().iter().map(|a| a.elapsed()).collect();
    assert_eq!(elapsed, [5 * SECOND, 2 * SECOND]);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_single_attempt_names_it() {
    let error = failed(layer(1), [refused()]).await;
    assert_eq!(error.kind(), ErrorKind::NeverSent);
    let [attempt] = error.attempts() else {
        panic!("{error}");
    };
    assert_eq!(attempt.reason(), Reason::Refused);
    assert_eq!(attempt.failure(), Some(FailureKind::NeverSent));
    assert!(error.source().unwrap().is::<io::Error>());
}

/// A request in which everything that must not be shown says so.
fn secret() -> Request<Full<Bytes>> {
    Request::put("https://user:secret@eu/secret-path?secret-query")
        .header("authorization", "secret-credential")
        .header("secret-header", "secret-value")
        .body(Full::from("secret-body"))
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn nothing_that_is_shown_tells_the_request() {
    let key = HeaderName::from_static("x-key");
    let reset = || Act::FailAfterBody(io::ErrorKind::ConnectionReset);
    let events = Events::capture();
    let mut shown = Vec::new();
    for acts in [
        vec![refused(), refused()],
        vec![Act::Status(503), reset()],
        vec![Act::Status(421)],
        vec![Act::StatusWith(503, "retry-after", "7".into())],
        vec![Act::Hang],
        vec![Act::Hang, Act::Hang],
        vec![
            Act::Status(503),
            Act::StatusWith(503, "secret-header", "secret".into()),
        ],
    ] {
        let layer = eu_us()
            .total_timeout(7 * SECOND)
            .idempotency_key(key.clone());
        let mut client = layer.layer(Script::new(acts));
        shown.push(format!("{layer:?}"));
        for _ in 0..3 {
            let future = client.call(secret());
            shown.push(format!("{future:?}"));
            match future.await {
                Ok(response) => shown.push(format!("{:?}", response.extensions().get::<Served>())),
                Err(error) => shown.extend([format!("{error:?}"), error.to_string()]),
            }
        }
    }
    let lines = events.take();
    assert!(lines.len() > 20, "{lines:?}");
    shown.extend(lines.iter().map(|line| format!("{line:?}")));
    for text in shown {
        assert!(!text.contains("secret"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failover_is_told_in_events() {
    let layer = FailoverLayer::new(named(["eu", "us"])).backoff(wait_of(2 * SECOND));
    let client = layer.layer(Script::new([slow(SECOND, Act::Status(503))]));
    let events = Events::capture();
    client.oneshot(get("https://eu/")).await.unwrap();
    let [failed, over] = &events.take()[..] else {
        panic!("two events");
    };
    for event in [failed, over] {
        assert_eq!(event.level, Level::DEBUG);
        assert_eq!(event.target, "tower_failover");
    }
    assert_eq!(failed.message, "attempt failed");
    let fields = [
        ("attempt", "1"),
        ("region", "eu"),
        ("reason", "503"),
        ("elapsed_ms", "1000"),
    ];
    for (name, value) in fields {
        assert_eq!(failed.field(name), value, "{name}");
    }
    assert_eq!(failed.fields.len(), fields.len());
    assert_eq!(over.message, "failing over");
    let fields = [
        ("attempt", "1"),
        ("from", "eu"),
        ("to", "us"),
        ("reason", "503"),
        ("delay_ms", "2000"),
    ];
    for (name, value) in fields {
        assert_eq!(over.field(name), value, "{name}");
    }
    assert_eq!(over.fields.len(), fields.len());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_the_layers_business_is_no_event() {
    let events = Events::capture();
    for status in [200, 404, 429, 501] {
        let client = eu_us().layer(Script::new([Act::Status(status)]));
        client.oneshot(get("https://eu/")).await.unwrap();
    }
    for act in [Act::Status(503), refused()] {
        let client = eu_us().layer(Script::new([act]));
        let _ = client.oneshot(get("https://elsewhere/")).await;
    }
    assert!(events.messages().is_empty());
}

#[tokio::test(start_paused = true)]
async fn every_reason_not_to_replay_is_told() {
    let call = || get("https://eu/").map(|_| Full::<Bytes>::default());
    let post = || Request::post("https://eu/").body(Full::default()).unwrap();
    let big = || {
        Request::put("https://eu/")
            .body(Full::from("too big"))
            .unwrap()
    };
    let off = || {
        let mut request = call();
        request
            .extensions_mut()
            .insert(Override::new().enabled(false));
        request
    };
    let no_more = Act::StatusWith(503, "grpc-retry-pushback-ms", "-1".into());
    for (stop, layer, request, act) in [
        (Stop::Disabled, eu_us(), off(), Act::Status(503)),
        (
            Stop::Attempts,
            eu_us().max_attempts(1),
            call(),
            Act::Status(503),
        ),
        (
            Stop::Regions,
            FailoverLayer::new(named(["eu"])),
            call(),
            Act::Status(503),
        ),
        (Stop::NotReplayable, eu_us(), post(), Act::Status(503)),
        (
            Stop::NotReplayable,
            eu_us().replay(Replay::Never),
            call(),
            Act::Status(503),
        ),
        (
            Stop::Body,
            eu_us().max_replay_body(6),
            big(),
            Act::Status(503),
        ),
        (Stop::Pushback, eu_us(), call(), no_more),
        (
            Stop::Deadline,
            eu_us().total_timeout(SECOND).backoff(wait_of(SECOND)),
            call(),
            Act::Status(503),
        ),
        (
            Stop::Budget,
            eu_us().budget(Budget::default().cap(0)),
            call(),
            Act::Status(503),
        ),
    ] {
        let events = Events::capture();
        let script = Script::new([act]);
        let response = layer.layer(script.clone()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(script.seen().len(), 1, "{stop}");
        let lines = events.take();
        let told: Vec<_> = lines
            .iter()
            .filter(|e| e.message == "not replayed")
            .collect();
        let [event] = told[..] else {
            panic!("{stop}: {lines:?}");
        };
        assert_eq!(
            (event.level, event.target),
            (Level::DEBUG, "tower_failover")
        );
        assert_eq!(
            (event.field("region"), event.field("why")),
            ("eu", &*stop.to_string())
        );
        assert_eq!(event.fields.len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_an_event_whether_or_not_it_is_replayed() {
    for act in [Act::Status(503), Act::Fail(io::ErrorKind::ConnectionReset)] {
        for (method, attempts) in [("GET", 2), ("POST", 1)] {
            let events = Events::capture();
            let script = Script::new([act.clone()]);
            let mut request = get("https://eu/");
            *request.method_mut() = method.parse().unwrap();
            let _ = eu_us().layer(script.clone()).oneshot(request).await;
            assert_eq!(script.seen().len(), attempts);
            let told = events.messages();
            let failed = told
                .iter()
                .filter(|message| *message == "attempt failed")
                .count();
            assert_eq!(failed, 1, "{method} {act:?}: {told:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_that_goes_and_one_that_comes_back_are_told() {
    let health = Health::default().probe_every(4 * SECOND, 4 * SECOND);
    let script = Script::new([refused()]);
    let client = eu_us().health(health).layer(script.clone());
    let events = Events::capture();
    client.clone().oneshot(get("https://eu/")).await.unwrap();
    let lines = events.take();
    let told: Vec<_> = lines
        .iter()
        .filter(|e| e.message == "region ejected")
        .collect();
    let [event] = told[..] else {
        panic!("{lines:?}");
    };
    assert_eq!((event.level, event.target), (Level::INFO, "tower_failover"));
    assert_eq!(event.field("region"), "eu");
    assert_eq!(event.field("reason"), "connection refused");
    let wait: u64 = event.field("retry_ms").parse().unwrap();
    assert!((2666..=5334).contains(&wait), "{wait}");
    assert_eq!(event.fields.len(), 3);

    script.on_probe("eu", Act::Status(503));
    client.clone().oneshot(get("https://eu/")).await.unwrap();
    assert!(events.take().is_empty(), "nothing new");

    // The timer counts in whole milliseconds.
    let wait = Duration::from_millis(wait + 2);
    tokio::time::sleep(wait).await;
    assert_eq!(script.probes().len(), 1);
    let [event] = &events.take()[..] else {
        panic!("one event");
    };
    assert_eq!(event.message, "region probed");
    assert_eq!(
        (event.level, event.target),
        (Level::DEBUG, "tower_failover")
    );
    let fields = ["eu", "503"].map(str::to_owned);
    assert_eq!(
        event.fields,
        ["region", "status"]
            .into_iter()
            .zip(fields)
            .collect::<Vec<_>>()
    );

    script.on_probe("eu", Act::Status(404));
    tokio::time::sleep(7 * SECOND).await;
    assert_eq!(script.probes().len(), 2);
    let [probed, event] = &events.take()[..] else {
        panic!("two events");
    };
    assert_eq!(
        (&*probed.message, probed.field("status")),
        ("region probed", "404")
    );
    assert_eq!(event.message, "region restored");
    assert_eq!((event.level, event.target), (Level::INFO, "tower_failover"));
    assert_eq!(event.fields, [("region", "eu".to_owned())]);

    client.oneshot(get("https://eu/")).await.unwrap();
    assert!(events.take().is_empty(), "nothing new");
}

#[tokio::test(start_paused = true)]
async fn a_rest_that_a_region_asked_for_is_told_as_its_ejection() {
    let script = Script::new([Act::StatusWith(503, "retry-after", "3".into())]);
    let events = Events::capture();
    let client = eu_us().layer(script.clone());
    client.oneshot(get("https://eu/")).await.unwrap();
    let lines = events.take();
    let event = lines
        .iter()
        .find(|event| event.message == "region ejected")
        .unwrap();
    assert_eq!(
        (event.field("region"), event.field("reason")),
        ("eu", "503")
    );
    // Made longer by up to a third.
    let wait: u64 = event.field("retry_ms").parse().unwrap();
    assert!((3000..=4000).contains(&wait), "{wait}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_is_told_as_the_callers() {
    let script = Script::default();
    let request = Request::put("https://eu/").body(Limited::new(Full::<Bytes>::from("long"), 1));
    let client = eu_us().layer(script.clone());
    let error = client.oneshot(request.unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    assert_eq!(
        error.to_string(),
        "request failed on this side: eu (request body failed)"
    );
    assert!(error.source().unwrap().is::<LengthLimitError>());
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_goes_on_for_want_of_another_is_no_failure() {
    let events = Events::capture();
    let script = Script::new([slow(60 * SECOND, Act::Status(200))]);
    let layer = eu_us().budget(Budget::default().cap(0));
    let client = layer.layer(script.clone());
    let response = client.oneshot(get("https://eu/")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.extensions().get::<Served>().is_none());
    assert_eq!(script.seen().len(), 1);
    let lines = events.take();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0].message, "not replayed");
    assert_eq!(lines[0].field("why"), Stop::Budget.to_string());
}

#[tokio::test(start_paused = true)]
async fn events_tell_the_cause_before_the_consequence() {
    let events = Events::capture();
    let script = Script::new([refused()]);
    let client = eu_us().layer(script);
    client.clone().oneshot(get("https://eu/")).await.unwrap();
    let expected = ["attempt failed", "region ejected", "failing over"];
    assert_eq!(events.messages(), expected);

    let script = Script::new([refused()]);
    let client = eu_us().max_attempts(1).layer(script);
    client.oneshot(get("https://eu/")).await.unwrap_err();
    let expected = ["attempt failed", "region ejected", "not replayed"];
    assert_eq!(events.messages(), expected);
}

#[tokio::test(start_paused = true)]
async fn an_errors_debug_form_leaves_the_clients_error_to_source() {
    let inner = tower::service_fn(async |_: Request<_>| {
        let error = io::Error::other("GET http://eu/secret?token=hunter2");
        Err::<http::Response<Full<Bytes>>, _>(error)
    });
    let client = eu_us().max_attempts(1).layer(inner);
    let request = Request::get("https://eu/").body(Full::<Bytes>::default());
    let error = client.oneshot(request.unwrap()).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    assert!(error.source().unwrap().to_string().contains("hunter2"));
}
