use std::{collections::HashSet, io, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::{Empty, channel::Channel};
use tokio::time::{sleep, timeout};
use tower::{Layer, Service, ServiceExt};
use tower_failover::{
    Budget, ErrorKind, Failover, FailoverLayer, Health, Order, Override, Regions,
    classify::{self, Classify, Failure, Http, Outcome, Reason, Verdict},
};

use crate::support::{Act, Script, get, no_wait};

const SECOND: Duration = Duration::from_secs(1);

/// So long that in a test no ejected region is probed.
fn away() -> Health {
    Health::default().probe_every(Duration::MAX, Duration::MAX)
}

/// Failures are replayed at once, as often as it takes.
fn layer(regions: u8, health: Health) -> FailoverLayer {
    crate::support::layer(regions)
        .backoff(no_wait())
        .budget(Budget::unlimited())
        .health(health)
}

fn refused() -> Act {
    Act::Fail(io::ErrorKind::ConnectionRefused)
}

async fn call(client: &Failover<Script>, uri: &str) {
    let _ = client.clone().oneshot(get(uri)).await;
}

/// Where calls for home went that were made one after the other.
async fn asked(health: Health, acts: impl IntoIterator<Item = Act>, calls: usize) -> String {
    let script = Script::new(acts);
    let client = layer(2, health).layer(script.clone());
    for _ in 0..calls {
        call(&client, "http://a/").await;
    }
    script.asked().concat()
}

/// The order in which the regions stand in for `a`.
async fn order(regions: Regions) -> String {
    let script = Script::new(vec![Act::Status(503); 9]);
    let layer = FailoverLayer::new(regions)
        .max_attempts(9)
        .backoff(no_wait());
    let client = layer.layer(script.clone());
    call(&client, "http://a/").await;
    script.asked().concat()
}

#[tokio::test(start_paused = true)]
async fn home_is_first_and_the_others_follow_as_listed() {
    for (home, expected) in [("a", "abcd"), ("b", "bacd"), ("d", "dabc")] {
        let script = Script::new(vec![Act::Status(503); 9]);
        let client = layer(4, Health::default())
            .max_attempts(9)
            .layer(script.clone());
        call(&client, &format!("http://{home}/")).await;
        assert_eq!(script.asked().concat(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn clients_spread_over_the_fallbacks_and_never_leave_home_for_it() {
    let regions = || Regions::fixed(["a", "b", "c", "d"].map(|name| format!("http://{name}")));
    let mut orders = HashSet::new();
    for id in 0..200 {
        let spread = regions().unwrap().order(Order::Spread).client_id(id);
        let asked = order(spread.clone()).await;
        assert_eq!(
            asked,
            order(spread).await,
            "a client's order does not change"
        );
        assert!(asked.starts_with('a'));
        assert_eq!(asked.chars().collect::<HashSet<_>>().len(), 4, "{asked}");
        orders.insert(asked);
    }
    assert_eq!(orders.len(), 6, "all orders of three: {orders:?}");
    for id in 0..9 {
        let listed = regions().unwrap().order(Order::Spread).order(Order::Listed);
        assert_eq!(order(listed.client_id(id)).await, "abcd");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_without_an_id_keeps_its_order() {
    let regions = Regions::fixed(["a", "b", "c", "d", "e"].map(|name| format!("http://{name}")));
    let regions = regions.unwrap().order(Order::Spread);
    let first = order(regions.clone()).await;
    for _ in 0..9 {
        assert_eq!(order(regions.clone()).await, first);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_ejects_at_once() {
    assert_eq!(asked(away(), [refused()], 4).await, "abbbb");
    assert_eq!(asked(away().consecutive(9), [refused()], 4).await, "abbbb");
}

#[tokio::test(start_paused = true)]
async fn two_failures_in_a_row_eject_and_one_does_not() {
    let acts = [502, 503, 504].map(Act::Status).into_iter().chain([
        Act::Fail(io::ErrorKind::ConnectionReset),
        Act::FailAfterBody(io::ErrorKind::UnexpectedEof),
        Act::Fail(io::ErrorKind::TimedOut),
    ]);
    for act in acts {
        let ok = Act::Status(200);
        assert_eq!(asked(away(), [act.clone()], 3).await, "abaa", "{act:?}");
        let twice = [act.clone(), ok, act.clone()];
        assert_eq!(asked(away(), twice, 4).await, "ababbb", "{act:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn failures_of_different_kinds_count_together() {
    let acts = [
        Act::Status(503),
        Act::Status(200),
        Act::Fail(io::ErrorKind::ConnectionReset),
    ];
    assert_eq!(asked(away(), acts, 3).await, "ababb");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_did_not_fail_resets_the_count() {
    for answer in [200, 302, 404] {
        let script = Script::default();
        let client = layer(2, away()).layer(script.clone());
        for status in [503, answer, 503, answer, 503, answer] {
            script.always("a", Act::Status(status));
            call(&client, "http://a/").await;
        }
        assert_eq!(script.asked().concat(), "abaabaaba");
    }
}

#[tokio::test(start_paused = true)]
async fn the_number_of_failures_that_eject_can_be_set() {
    for (set, expected) in [(0, 1), (1, 1), (3, 3), (5, 5)] {
        let script = Script::default();
        script.always("a", Act::Status(503));
        let client = layer(2, away().consecutive(set)).layer(script.clone());
        for _ in 0..9 {
            call(&client, "http://a/").await;
        }
        let home = script.asked().iter().filter(|asked| *asked == "a").count();
        assert_eq!(home, expected, "{set}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_always_fails_ejects_no_region() {
    for health in [away(), away().consecutive(1)] {
        let script = Script::default();
        script.always("a", Act::Status(500));
        let client = layer(2, health).layer(script.clone());
        for n in 0..5 {
            // The query does not make it another route.
            call(&client, &format!("http://a/poison?{n}")).await;
        }
        assert_eq!(script.asked().concat(), "ababababab");
    }
}

#[tokio::test(start_paused = true)]
async fn a_500_from_different_routes_ejects() {
    let script = Script::default();
    script.always("a", Act::Status(500));
    let client = layer(2, away()).layer(script.clone());
    for path in ["x", "y", "z"] {
        call(&client, &format!("http://a/{path}")).await;
    }
    assert_eq!(script.asked().concat(), "ababb");
}

#[tokio::test(start_paused = true)]
async fn an_error_of_unknown_type_ejects_only_if_requests_for_different_paths_fail() {
    for (paths, expected) in [
        (["x", "x", "x", "x"], "abababab"),
        (["x", "x", "y", "z"], "abababb"),
        (["x", "y", "x", "y"], "ababbb"),
    ] {
        let script = Script::default();
        script.always("a", Act::Fail(io::ErrorKind::Other));
        let client = layer(2, away()).layer(script.clone());
        for path in paths {
            call(&client, &format!("http://a/{path}")).await;
        }
        assert_eq!(script.asked().concat(), expected, "{paths:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_that_was_not_asked_or_wants_a_new_connection_is_not_blamed() {
    for (failure, blamed) in [
        (Failure::never_sent(Reason::NotProcessed), false),
        (Failure::never_sent(Reason::NotReady), false),
        (Failure::never_sent(Reason::GoAway), false),
        (Failure::unknown(Reason::GoAway), false),
        (Failure::never_sent(Reason::Reset), true),
        (Failure::unknown(Reason::NotProcessed), true),
    ] {
        let script = Script::default();
        script.always("a", Act::Fail(io::ErrorKind::Other));
        let classifier = classify::from_fn(move |outcome| match outcome {
            Outcome::Error(_) => Verdict::Failed(failure),
            other => Http.classify(other),
        });
        let layer = layer(2, away()).classifier(classifier);
        let client = layer.layer(script.clone());
        for n in 0..4 {
            call(&client, &format!("http://a/{n}")).await;
        }
        let expected = if blamed { "ababbb" } else { "abababab" };
        assert_eq!(script.asked().concat(), expected, "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_fault_of_the_region_blames_nobody() {
    for status in [
        400, 401, 403, 404, 408, 409, 413, 421, 422, 429, 451, 501, 505, 511,
    ] {
        let script = Script::default();
        script.always("a", Act::Status(status));
        let client = layer(2, away()).layer(script.clone());
        for n in 0..5 {
            call(&client, &format!("http://a/{n}")).await;
        }
        let home = script.asked().iter().filter(|asked| *asked == "a").count();
        assert_eq!(home, 5, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hint_with_too_many_requests_keeps_nobody_away() {
    let acts = vec![Act::StatusWith(429, "retry-after", "9".into()); 3];
    assert_eq!(asked(away(), acts, 5).await, "aaaaa");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_blames_nobody() {
    let script = Script::new(vec![Act::Hang; 9]);
    let client = layer(2, away()).layer(script.clone());
    for _ in 0..9 {
        let call = timeout(SECOND, call(&client, "http://a/"));
        call.await.unwrap_err();
    }
    call(&client, "http://a/").await;
    assert_eq!(script.asked().concat(), "aaaaaaaaaa");
    assert_eq!(script.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn two_attempt_timeouts_in_a_row_eject_and_one_does_not() {
    let slow = || Act::After(6 * SECOND, Act::Status(200).into());
    assert_eq!(asked(away(), [slow()], 3).await, "abaa");
    assert_eq!(
        asked(away(), [slow(), Act::Status(200), slow()], 4).await,
        "ababbb"
    );
}

/// Eight frames of so many bytes, one each second.
fn slow_upload(bytes: usize) -> Request<Channel<Bytes>> {
    let (mut sender, body) = Channel::new(1);
    tokio::spawn(async move {
        for _ in 0..8 {
            sleep(SECOND).await;
            let frame = Bytes::from(vec![0; bytes]);
            if sender.send_data(frame).await.is_err() {
                break;
            }
        }
    });
    Request::put("http://a/").body(body).unwrap()
}

/// Where the uploads of two callers go, and a call that comes when they are late.
async fn slow_uploads(bytes: usize, acts: impl IntoIterator<Item = Act>) -> (String, String) {
    let script = Script::new(acts);
    let layer = layer(2, away()).max_replay_body(100);
    let client = layer.layer(script.clone());
    let upload = || client.clone().oneshot(slow_upload(bytes));
    let late = async {
        sleep(SECOND * 11 / 2).await;
        let before = script.asked().concat();
        call(&client, "http://a/").await;
        (before, script.asked().last().unwrap().clone())
    };
    let (one, two, asked) = tokio::join!(upload(), upload(), late);
    for response in [one, two] {
        assert_eq!(response.unwrap().status(), 200);
    }
    let seen = script.seen();
    let whole = seen.iter().filter(|seen| seen.body.len() == 8 * bytes);
    assert_eq!(whole.count(), 2);
    asked
}

#[tokio::test(start_paused = true)]
async fn a_region_that_waits_for_the_callers_body_is_not_blamed() {
    let under = slow_uploads(10, []).await;
    assert_eq!(under, ("aabb".into(), "a".into()));
    let over = slow_uploads(100, []).await;
    assert_eq!(over, ("aa".into(), "a".into()));
}

#[tokio::test(start_paused = true)]
async fn a_region_that_does_not_read_the_callers_body_is_blamed() {
    let asked = slow_uploads(10, [Act::Hang, Act::Hang]).await;
    assert_eq!(asked, ("aabb".into(), "b".into()));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_lasts_the_total_time_of_the_layer_counts() {
    let script = Script::default();
    script.always("a", Act::Hang);
    let client = layer(2, away())
        .total_timeout(3 * SECOND)
        .layer(script.clone());
    for _ in 0..2 {
        let error = client.clone().oneshot(get("http://a/")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
    }
    let response = client.clone().oneshot(get("http://a/")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(script.asked().concat(), "aab");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_lasts_as_long_as_a_hurried_caller_waits_does_not_count() {
    let grpc = || {
        let mut request = get("http://a/");
        let headers = request.headers_mut();
        headers.insert("grpc-timeout", "3S".parse().unwrap());
        request
    };
    let own = || {
        let mut request = get("http://a/");
        let own = Override::new().total_timeout(3 * SECOND);
        request.extensions_mut().insert(own);
        request
    };
    let none = layer(2, away());
    let longer = none.clone().total_timeout(4 * SECOND);
    for layer in [none, longer] {
        let script = Script::default();
        script.always("a", Act::Hang);
        let client = layer.layer(script.clone());
        for request in [grpc(), own(), grpc(), own()] {
            let error = client.clone().oneshot(request).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout);
        }
        assert_eq!(script.asked().concat(), "aaaa");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_late_and_then_fails_counts_once() {
    let late = Act::After(6 * SECOND, Act::Status(503).into());
    let script = Script::new([late]);
    // There is no token for another attempt, so the late one goes on.
    let layer = layer(2, away()).budget(Budget::default().cap(0));
    let client = layer.layer(script.clone());
    call(&client, "http://a/").await;
    assert_eq!(script.asked().concat(), "a");
    call(&client, "http://a/").await;
    assert_eq!(script.asked().concat(), "aa");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_late_and_then_refused_ejects() {
    let late = Act::After(6 * SECOND, refused().into());
    let script = Script::new([late]);
    let layer = layer(2, away()).budget(Budget::default().cap(0));
    let client = layer.layer(script.clone());
    call(&client, "http://a/").await;
    call(&client, "http://a/").await;
    assert_eq!(script.asked().concat(), "ab");
}

#[tokio::test(start_paused = true)]
async fn fallbacks_that_are_out_are_passed_over() {
    let script = Script::default();
    script.always("b", refused());
    let client = layer(3, away()).layer(script.clone());
    call(&client, "http://b/").await;
    assert_eq!(script.asked().concat(), "ba");
    script.always("a", Act::Status(503));
    call(&client, "http://a/").await;
    assert_eq!(script.asked().concat(), "baac");
    call(&client, "http://b/").await;
    assert_eq!(script.asked().concat(), "baacac", "a once more, then out");
    call(&client, "http://b/").await;
    assert_eq!(script.asked().concat(), "baacacc");
}

#[tokio::test(start_paused = true)]
async fn without_memory_every_call_starts_at_home() {
    let hint = Act::StatusWith(503, "retry-after", "9".into());
    for act in [
        refused(),
        Act::Status(503),
        hint,
        Act::Fail(io::ErrorKind::TimedOut),
    ] {
        let script = Script::default();
        script.always("a", act);
        let off = Health::off().consecutive(1).probe_every(SECOND, SECOND);
        let client = layer(2, off).layer(script.clone());
        for _ in 0..4 {
            call(&client, "http://a/").await;
        }
        assert_eq!(script.asked().concat(), "abababab");
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_clone_learns_all_clones_know_and_other_layers_do_not() {
    let script = Script::new([refused()]);
    let layer = layer(2, away());
    let client = layer.layer(script.clone());
    call(&client, "http://a/").await;
    call(&client.clone(), "http://a/").await;
    call(&layer.layer(script.clone()), "http://a/").await;
    call(&layer.clone().layer(script.clone()), "http://a/").await;
    assert_eq!(script.asked().concat(), "abbbb");
    let other = self::layer(2, away()).layer(script.clone());
    call(&other, "http://a/").await;
    assert_eq!(script.asked().concat(), "abbbba");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_under_way_does_not_bring_an_ejected_region_back() {
    let script = Script::new([Act::After(2 * SECOND, Act::Status(200).into()), refused()]);
    let client = layer(2, away()).layer(script.clone());
    let early = tokio::spawn(client.clone().oneshot(get("http://a/")));
    sleep(SECOND).await;
    call(&client, "http://a/").await;
    assert_eq!(script.asked().concat(), "aab");
    assert_eq!(early.await.unwrap().unwrap().status(), 200);
    call(&client, "http://a/").await;
    assert_eq!(script.asked().concat(), "aabb");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_under_way_but_not_waited_for_does_not_bring_an_ejected_region_back() {
    let script = Script::new([Act::Status(200), refused()]);
    let mut client = layer(2, away()).layer(script.clone());
    let ready = ServiceExt::<Request<Empty<Bytes>>>::ready(&mut client).await;
    let early = ready.unwrap().call(get("http://a/"));
    call(&client, "http://a/").await;
    assert_eq!(script.asked().concat(), "aab");
    // The answer is there when it is first asked for.
    assert_eq!(early.await.unwrap().status(), 200);
    call(&client, "http://a/").await;
    assert_eq!(script.asked().concat(), "aabb");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_under_way_keeps_a_region_in_that_is_not_out() {
    let script = Script::new([
        Act::After(2 * SECOND, Act::Status(200).into()),
        Act::Status(503),
    ]);
    let client = layer(2, away()).layer(script.clone());
    let early = tokio::spawn(client.clone().oneshot(get("http://a/")));
    sleep(SECOND).await;
    call(&client, "http://a/").await;
    assert_eq!(script.asked().concat(), "aab");
    assert_eq!(early.await.unwrap().unwrap().status(), 200);
    script.always("a", Act::Status(503));
    for _ in 0..3 {
        call(&client, "http://a/").await;
    }
    assert_eq!(script.asked().concat(), "aabababb");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_success_does_not_clear_a_record() {
    for status in [429, 421] {
        let script = Script::default();
        let client = layer(2, away()).layer(script.clone());
        for status in [503, status, 503] {
            script.always("a", Act::Status(status));
            call(&client, "http://a/").await;
        }
        script.always("a", Act::Status(200));
        let before = script.asked().len();
        call(&client, "http://a/").await;
        assert_eq!(script.asked()[before..], ["b"], "{status}");
    }
}
