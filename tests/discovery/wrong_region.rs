//! Regions that answer 421 or 451: they do not serve the request, and others do.

use std::time::Duration;

use bytes::Bytes;
use failover_cluster::{Fault, LiveKit, Server};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::time::Instant;
use tower_failover::{
    AttemptRecord, Backoff, Budget, FailoverLayer, Health, Jitter, Override, Region, RegionList,
    Regions, Replay, Served,
};

use crate::support::*;

const CALL: &str = "/twirp/livekit.RoomService/CreateRoom";
const HOUR: Duration = Duration::from_secs(3600);

/// How many calls each region saw.
fn called(livekit: &LiveKit) -> Vec<usize> {
    let called = |region: &Server| region.hits_at(CALL);
    livekit.regions().iter().map(called).collect()
}

/// A call for a project that is served in these regions only.
fn pinned(livekit: &LiveKit, regions: &[&str]) -> Request<Full<Bytes>> {
    let mock = format!(r#"{{"pinnedRegions":{regions:?}}}"#);
    call(&livekit.origin(0), &mock)
}

/// A call that home fails.
fn failing(livekit: &LiveKit) -> Request<Full<Bytes>> {
    call(&livekit.origin(0), r#"{"failRegions":[0]}"#)
}

/// Neither by its method nor by a key is it harmless to send it twice.
fn without_key(mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    request.headers_mut().remove("idempotency-key");
    request
}

fn with(mut request: Request<Full<Bytes>>, own: Override) -> Request<Full<Bytes>> {
    request.extensions_mut().insert(own);
    request
}

async fn text(response: Response<Incoming>) -> String {
    let body = response.into_body().collect().await.expect("a body");
    String::from_utf8(body.to_bytes().into()).expect("text")
}

async fn warm_up(client: &FailoverClient, livekit: &LiveKit) {
    let list = client.warm_up::<Full<Bytes>, _>(livekit.origin(0));
    list.await.expect("a list");
}

/// A wait that no test would survive.
fn backoff() -> Backoff {
    Backoff::exponential(HOUR, HOUR).jitter(Jitter::None)
}

#[tokio::test]
async fn a_fresh_list_does_for_a_failure_and_is_asked_for_again_after_a_451() {
    let livekit = LiveKit::start(3).await;
    livekit.cache_control("max-age=60");
    let client = client(&layer());
    warm_up(&client, &livekit).await;
    assert_eq!(asked(&livekit), [1, 0, 0]);

    let (status, region) = answer(&client, failing(&livekit)).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
    assert_eq!(asked(&livekit), [1, 0, 0]);

    let (status, region) = answer(&client, pinned(&livekit, &["region-2"])).await;
    assert_eq!((status, region.as_str()), (200, "region-2"));
    assert_eq!(asked(&livekit), [2, 0, 0]);
    assert_eq!(called(&livekit), [2, 1, 1]);
}

#[tokio::test]
async fn a_421_leads_to_the_next_region_of_a_new_list_as_a_451_does() {
    for status in [421, 451] {
        let livekit = LiveKit::start(3).await;
        livekit.cache_control("max-age=60");
        let client = client(&layer());
        warm_up(&client, &livekit).await;
        livekit.region(0).set_at(CALL, Fault::Status(status)).await;
        livekit.list(&[0, 2]);
        let (answered, region) = answer(&client, call(&livekit.origin(0), "{}")).await;
        assert_eq!((answered, region.as_str()), (200, "region-2"), "{status}");
        assert_eq!(asked(&livekit), [2, 0, 0]);
        assert_eq!(called(&livekit), [1, 0, 1]);
    }
}

#[tokio::test]
async fn other_statuses_below_500_lead_nowhere() {
    for status in [400, 403, 404, 408, 410, 429] {
        let livekit = LiveKit::start(2).await;
        livekit.region(0).set_at(CALL, Fault::Status(status)).await;
        let client = client(&layer());
        let (answered, region) = answer(&client, call(&livekit.origin(0), "{}")).await;
        assert_eq!((answered, region.as_str()), (status, "region-0"));
        assert_eq!(asked(&livekit), [0, 0]);
        assert_eq!(called(&livekit), [1, 0]);
    }
}

#[tokio::test]
async fn a_distant_pin_is_called_directly() {
    let livekit = LiveKit::start(4).await;
    let client = client(&layer());
    let request = pinned(&livekit, &["region-3"]);
    let response = send(&client, request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(called(&livekit), [1, 0, 0, 1]);
    assert_eq!(asked(&livekit), [1, 0, 0, 0]);

    let served = response.extensions().get::<Served>().unwrap();
    assert_eq!(served.region().name(), "region-3");
    let [first, second] = served.attempts() else {
        panic!("two attempts: {served:?}");
    };
    assert_eq!(first.reason().to_string(), "451");
    assert_eq!(first.failure(), None, "nothing failed");
    assert_eq!(second.region().name(), "region-3");
}

#[tokio::test]
async fn of_several_allowed_regions_the_first_is_called() {
    let livekit = LiveKit::start(4).await;
    let client = client(&layer());
    let request = pinned(&livekit, &["region-3", "region-2"]);
    let (status, region) = answer(&client, request).await;
    assert_eq!((status, region.as_str()), (200, "region-2"));
    assert_eq!(called(&livekit), [1, 0, 1, 0]);
}

#[tokio::test]
async fn a_backoff_of_an_hour_is_not_waited_for() {
    let livekit = LiveKit::start(3).await;
    let client = client(&layer().backoff(backoff()));
    let (status, region) = answer(&client, pinned(&livekit, &["region-2"])).await;
    assert_eq!((status, region.as_str()), (200, "region-2"));
}

/// `a` answers calls with this status, and `b` and `c` are well; their list is had after `slow`.
fn world(first: u16, slow: Duration) -> World {
    let world = World::default();
    let list = listing("max-age=0", &["a", "b", "c"].map(origin));
    world
        .on("a", Act::Status(first))
        .on("a?", after(slow, list));
    world
}

/// The status that a call of `a` ends with, and how long it takes.
async fn timed(layer: &FailoverLayer, world: &World) -> (u16, Duration) {
    let began = Instant::now();
    let answer = head_of(&world.client(layer), get_of("a")).await;
    (
        answer.expect("an answer").status().as_u16(),
        began.elapsed(),
    )
}

#[tokio::test(start_paused = true)]
async fn the_second_region_is_called_at_the_moment_that_the_list_comes() {
    for slow in [Duration::ZERO, Duration::from_millis(300)] {
        for status in [421, 451] {
            let world = world(status, slow);
            let layer = layer().backoff(backoff());
            assert_eq!(timed(&layer, &world).await, (200, slow), "{status}");
            assert_eq!(world.log(), ["a", "a?", "b"]);
        }
        // A failure waits.
        let world = world(503, slow);
        let layer = layer().backoff(backoff());
        assert_eq!(timed(&layer, &world).await, (200, slow + HOUR));
    }
}

#[tokio::test(start_paused = true)]
async fn a_discovery_that_hangs_gives_the_451_back_after_its_timeout_or_that_of_the_call() {
    for (layer, took) in [
        (layer(), Duration::from_secs(2)),
        (
            layer().total_timeout(Duration::from_secs(1)),
            Duration::from_secs(1),
        ),
    ] {
        let world = World::default();
        world.on("a", Act::Status(451)).on("a?", Act::Hang);
        assert_eq!(timed(&layer, &world).await, (451, took));
        assert_eq!(world.log(), ["a", "a?"]);
    }
}

#[tokio::test]
async fn ten_451s_eject_nobody_and_two_503s_do() {
    let livekit = LiveKit::start(2).await;
    livekit.cache_control("max-age=60");
    let client = client(&layer().health(Health::default().probe_every(HOUR, HOUR)));
    for _ in 0..10 {
        let (status, region) = answer(&client, pinned(&livekit, &["region-1"])).await;
        assert_eq!((status, region.as_str()), (200, "region-1"));
    }
    assert_eq!(called(&livekit), [10, 10]);
    let (status, region) = answer(&client, call(&livekit.origin(0), "{}")).await;
    assert_eq!((status, region.as_str()), (200, "region-0"));

    for _ in 0..10 {
        answer(&client, failing(&livekit)).await;
    }
    assert_eq!(called(&livekit), [13, 20]);
}

#[tokio::test]
async fn a_451_among_failures_is_no_success_that_resets_their_count() {
    let livekit = LiveKit::start(2).await;
    livekit.cache_control("max-age=60");
    let client = client(&layer().health(Health::default().probe_every(HOUR, HOUR)));
    answer(&client, failing(&livekit)).await;
    answer(&client, pinned(&livekit, &["region-1"])).await;
    answer(&client, failing(&livekit)).await;
    assert_eq!(called(&livekit), [3, 3]);
    let (_, region) = answer(&client, call(&livekit.origin(0), "{}")).await;
    assert_eq!(region, "region-1", "home is out");
}

#[tokio::test]
async fn no_token_is_needed() {
    let livekit = LiveKit::start(2).await;
    let budget = Budget::new(0.1).cap(0);
    let client = client(&layer().budget(budget.clone()));
    let (status, region) = answer(&client, pinned(&livekit, &["region-1"])).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
    assert_eq!(budget.available(), 0.0);
    // A failure needs one.
    let (status, region) = answer(&client, failing(&livekit)).await;
    assert_eq!((status, region.as_str()), (503, "region-0"));
    assert_eq!(called(&livekit), [2, 1]);
}

#[tokio::test]
async fn no_token_is_spent_even_if_the_second_region_fails() {
    let livekit = LiveKit::start(2).await;
    let budget = Budget::new(0.1).cap(4);
    let client = client(&layer().max_attempts(2).budget(budget.clone()));
    assert_eq!(budget.available(), 4.0);
    livekit.region(1).set_at(CALL, Fault::Status(503)).await;
    let (status, region) = answer(&client, pinned(&livekit, &["region-1"])).await;
    assert_eq!((status, region.as_str()), (503, "region-1"));
    assert_eq!(budget.available(), 4.0);
    // After a failure one is.
    let (status, region) = answer(&client, failing(&livekit)).await;
    assert_eq!((status, region.as_str()), (503, "region-1"));
    assert_eq!(budget.available(), 3.0);
}

#[tokio::test]
async fn a_call_with_failover_off_follows_a_451_and_stays_with_a_failure() {
    let livekit = LiveKit::start(3).await;
    let client = client(&layer());
    let off = Override::new().enabled(false);
    let (status, region) = answer(&client, with(failing(&livekit), off)).await;
    assert_eq!((status, region.as_str()), (503, "region-0"));
    assert_eq!(asked(&livekit), [0, 0, 0]);

    let request = pinned(&livekit, &["region-2"]);
    let (status, region) = answer(&client, with(request, off)).await;
    assert_eq!((status, region.as_str()), (200, "region-2"));
    assert_eq!(asked(&livekit), [1, 0, 0]);
    assert_eq!(called(&livekit), [2, 0, 1]);

    // And there it stays.
    livekit.region(1).set_at(CALL, Fault::Status(503)).await;
    let request = pinned(&livekit, &["region-1", "region-2"]);
    let (status, region) = answer(&client, with(request, off)).await;
    assert_eq!((status, region.as_str()), (503, "region-1"));
    assert_eq!(called(&livekit), [3, 1, 1]);
}

#[tokio::test]
async fn a_post_that_is_not_replayable_follows_a_451_with_its_body() {
    for replay in [Replay::Safe, Replay::Never] {
        let livekit = LiveKit::start(3).await;
        let client = client(&layer().replay(replay));
        let request = without_key(failing(&livekit));
        let (status, region) = answer(&client, request).await;
        assert_eq!((status, region.as_str()), (503, "region-0"), "{replay:?}");

        let request = without_key(pinned(&livekit, &["region-2"]));
        let (status, region) = answer(&client, request).await;
        assert_eq!((status, region.as_str()), (200, "region-2"), "{replay:?}");
        assert_eq!(called(&livekit), [2, 0, 1]);
        let arrived = livekit.region(2).requests_at(CALL).remove(0);
        assert_eq!(arrived.body, r#"{"name":"stage"}"#);
        assert!(arrived.complete);
    }
}

#[tokio::test]
async fn a_451_is_followed_in_the_last_moment_and_a_failure_is_not() {
    let livekit = LiveKit::start(3).await;
    let layer = layer().total_timeout(PATIENCE).min_attempt_time(HOUR);
    let client = client(&layer);
    let (status, region) = answer(&client, failing(&livekit)).await;
    assert_eq!((status, region.as_str()), (503, "region-0"));
    assert_eq!(asked(&livekit), [0, 0, 0]);

    let (status, region) = answer(&client, pinned(&livekit, &["region-2"])).await;
    assert_eq!((status, region.as_str()), (200, "region-2"));
    assert_eq!(asked(&livekit), [1, 0, 0]);
}

#[tokio::test]
async fn a_451_that_nothing_matches_comes_back_as_it_came() {
    let livekit = LiveKit::start(3).await;
    let client = client(&layer());
    let request = pinned(&livekit, &["region-99"]);
    let response = send(&client, request).await.unwrap();
    assert_eq!(response.status(), 451);
    assert_eq!(response.headers()["x-region"], "region-0");
    let plain = "text/plain; charset=utf-8";
    assert_eq!(response.headers()["content-type"], plain);
    assert!(response.extensions().get::<Served>().is_none());
    assert_eq!(text(response).await, "project not allowed in this region.");
    assert_eq!(asked(&livekit), [1, 0, 0]);
    assert_eq!(called(&livekit), [1, 0, 0]);
}

#[tokio::test]
async fn a_list_of_home_alone_gives_its_451_back() {
    let livekit = LiveKit::start(3).await;
    livekit.region(0).set_at(CALL, Fault::Status(451)).await;
    livekit.list(&[0]);
    let client = client(&layer());
    let (status, region) = answer(&client, call(&livekit.origin(0), "{}")).await;
    assert_eq!((status, region.as_str()), (451, "region-0"));
    assert_eq!(called(&livekit), [1, 0, 0]);
}

/// Home and the first region send every call away, each with words of its own.
async fn two_wrong_regions() -> LiveKit {
    let livekit = LiveKit::start(3).await;
    livekit.cache_control("max-age=60");
    for (index, status) in [(0, 421), (1, 451)] {
        let text = format!("not in {index}");
        let fault = Fault::Answer(status, vec![("x-own", "1".into())], text.into());
        livekit.region(index).set_at(CALL, fault).await;
    }
    livekit
}

#[tokio::test]
async fn the_451_of_a_second_region_is_returned_and_the_next_call_asks_again() {
    let livekit = two_wrong_regions().await;
    let client = client(&layer().max_attempts(5));
    for calls in 1..=3 {
        let request = call(&livekit.origin(0), "{}");
        let response = send(&client, request).await.unwrap();
        assert_eq!(response.status(), 451);
        assert_eq!(response.headers()["x-own"], "1");
        let served = response.extensions().get::<Served>().unwrap();
        assert_eq!(served.region().name(), "region-1");
        assert_eq!(text(response).await, "not in 1");
        assert_eq!(called(&livekit), [calls, calls, 0]);
        assert_eq!(asked(&livekit), [calls, 0, 0]);
    }
    // And is led by what it is told then.
    livekit.list(&[2]);
    let (status, region) = answer(&client, call(&livekit.origin(0), "{}")).await;
    assert_eq!((status, region.as_str()), (200, "region-2"));
    assert_eq!(asked(&livekit), [4, 0, 0]);
}

#[tokio::test]
async fn a_pinned_client_asks_once_for_as_long_as_the_list_is_fresh() {
    let livekit = LiveKit::start(3).await;
    livekit.cache_control("max-age=60");
    let client = client(&layer());
    for _ in 0..5 {
        let (status, region) = answer(&client, pinned(&livekit, &["region-2"])).await;
        assert_eq!((status, region.as_str()), (200, "region-2"));
    }
    assert_eq!(asked(&livekit), [1, 0, 0]);
    assert_eq!(called(&livekit), [5, 0, 5]);
}

#[tokio::test]
async fn a_pinned_client_asks_on_each_call_where_lists_are_not_to_be_kept() {
    for cache_control in ["max-age=0", "no-store"] {
        let livekit = LiveKit::start(3).await;
        livekit.cache_control(cache_control);
        let client = client(&layer());
        for calls in 1..=4 {
            let (status, region) = answer(&client, pinned(&livekit, &["region-2"])).await;
            assert_eq!((status, region.as_str()), (200, "region-2"));
            let all: usize = asked(&livekit).iter().sum();
            assert_eq!((all, asked(&livekit)[0]), (calls, calls), "{cache_control}");
        }
    }
}

#[tokio::test]
async fn a_list_that_knows_of_a_pin_does_for_failures_too() {
    let livekit = LiveKit::start(3).await;
    livekit.cache_control("max-age=60");
    let client = client(&layer());
    answer(&client, pinned(&livekit, &["region-2"])).await;
    let (status, region) = answer(&client, failing(&livekit)).await;
    assert_eq!((status, region.as_str()), (200, "region-2"));
    assert_eq!(asked(&livekit), [1, 0, 0]);
}

#[tokio::test]
async fn a_list_knows_only_of_the_regions_that_sent_calls_away_before_it_came() {
    let livekit = LiveKit::start(3).await;
    livekit.cache_control("max-age=60");
    let client = client(&layer());
    let request = || call(&livekit.origin(0), "{}");
    livekit.region(0).set_at(CALL, Fault::Status(451)).await;
    let (_, region) = answer(&client, request()).await;
    assert_eq!((region.as_str(), asked(&livekit)[0]), ("region-1", 1));

    livekit.region(0).set_at(CALL, Fault::Status(503)).await;
    livekit.region(1).set_at(CALL, Fault::Status(451)).await;
    let (status, region) = answer(&client, request()).await;
    assert_eq!((status, region.as_str()), (200, "region-2"));
    assert_eq!(asked(&livekit), [2, 0, 0]);
    assert_eq!(called(&livekit), [2, 2, 1]);
}

#[tokio::test]
async fn a_pushed_list_is_not_taken_to_know_of_a_pin() {
    let livekit = LiveKit::start(3).await;
    livekit.cache_control("max-age=60");
    let layer = layer();
    let client = client(&layer);
    answer(&client, pinned(&livekit, &["region-2"])).await;
    assert_eq!(asked(&livekit), [1, 0, 0]);

    let pushed = Region::new("region-1", livekit.origin(1)).unwrap();
    let list = RegionList::new(vec![pushed]).ttl(HOUR);
    layer.handle().set_regions(livekit.origin(0), list).unwrap();
    let (status, region) = answer(&client, pinned(&livekit, &["region-2"])).await;
    assert_eq!((status, region.as_str()), (200, "region-2"));
    assert_eq!(asked(&livekit), [2, 0, 0]);
    assert_eq!(called(&livekit), [2, 0, 2]);
}

#[tokio::test]
async fn calls_that_are_sent_away_together_ask_once() {
    let livekit = LiveKit::start(3).await;
    livekit.cache_control("max-age=60");
    let client = client(&layer());
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let (client, request) = (client.clone(), pinned(&livekit, &["region-2"]));
            tokio::spawn(async move { answer(&client, request).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), (200, "region-2".to_owned()));
    }
    assert_eq!(asked(&livekit), [1, 0, 0]);
    assert_eq!(called(&livekit), [20, 0, 20]);
}

#[tokio::test]
async fn while_discovery_is_down_the_last_list_leads_on() {
    let livekit = LiveKit::start(3).await;
    let client = client(&layer());
    warm_up(&client, &livekit).await;
    let mock = r#"{"pinnedRegions":["region-1"],"regionsStatus":500}"#;
    for _ in 0..2 {
        let (status, region) = answer(&client, call(&livekit.origin(0), mock)).await;
        assert_eq!((status, region.as_str()), (200, "region-1"));
        // Everybody was asked, and after that nobody for a while.
        assert_eq!(asked(&livekit), [2, 1, 1]);
    }
    assert_eq!(called(&livekit), [2, 2, 0]);
}

#[tokio::test]
async fn while_discovery_is_down_and_no_list_is_known_the_451_comes_back() {
    let livekit = LiveKit::start(3).await;
    let client = client(&layer());
    let mock = r#"{"pinnedRegions":["region-1"],"regionsStatus":500}"#;
    for calls in 1..=2 {
        let request = call(&livekit.origin(0), mock);
        let response = send(&client, request).await.unwrap();
        assert_eq!(response.status(), 451);
        assert_eq!(text(response).await, "project not allowed in this region.");
        assert_eq!(asked(&livekit), [1, 0, 0]);
        assert_eq!(called(&livekit), [calls, 0, 0]);
    }
}

#[tokio::test]
async fn a_body_too_large_to_be_kept_brings_the_451_back_and_nobody_is_asked() {
    let livekit = LiveKit::start(3).await;
    let client = client(&layer().max_replay_body(15));
    let (status, region) = answer(&client, pinned(&livekit, &["region-1"])).await;
    assert_eq!((status, region.as_str()), (451, "region-0"));
    assert_eq!(asked(&livekit), [0, 0, 0]);
    assert_eq!(called(&livekit), [1, 0, 0]);
}

#[tokio::test]
async fn a_body_that_is_just_kept_follows_the_451() {
    let livekit = LiveKit::start(3).await;
    let client = client(&layer().max_replay_body(16));
    let (status, region) = answer(&client, pinned(&livekit, &["region-1"])).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
}

#[tokio::test]
async fn a_single_attempt_is_not_made_twice_for_a_451() {
    let livekit = LiveKit::start(3).await;
    let one = client(&layer().max_attempts(1));
    let (status, region) = answer(&one, pinned(&livekit, &["region-1"])).await;
    assert_eq!((status, region.as_str()), (451, "region-0"));

    let request = pinned(&livekit, &["region-1"]);
    let request = with(request, Override::new().max_attempts(1));
    let (status, region) = answer(&client(&layer()), request).await;
    assert_eq!((status, region.as_str()), (451, "region-0"));
    assert_eq!(asked(&livekit), [0, 0, 0]);
    assert_eq!(called(&livekit), [2, 0, 0]);
}

#[tokio::test]
async fn a_failure_and_then_a_451_lead_to_the_third_region_by_one_list() {
    let livekit = LiveKit::start(3).await;
    livekit.region(1).set_at(CALL, Fault::Status(451)).await;
    let client = client(&layer());
    let response = send(&client, failing(&livekit)).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(called(&livekit), [1, 1, 1]);
    assert_eq!(asked(&livekit), [1, 0, 0], "it was new already");
    let served = response.extensions().get::<Served>().unwrap();
    let reason = |attempt: &AttemptRecord| attempt.reason().to_string();
    let reasons: Vec<_> = served.attempts().iter().map(reason).collect();
    assert_eq!(reasons, ["503", "451", "200"]);
}

#[tokio::test]
async fn a_451_after_a_failure_asks_where_the_failure_had_no_need_to() {
    let livekit = LiveKit::start(3).await;
    livekit.cache_control("max-age=60");
    let client = client(&layer());
    warm_up(&client, &livekit).await;
    let mock = r#"{"failRegions":[0],"pinnedRegions":["region-0","region-2"]}"#;
    let (status, region) = answer(&client, call(&livekit.origin(0), mock)).await;
    assert_eq!((status, region.as_str()), (200, "region-2"));
    assert_eq!(called(&livekit), [1, 1, 1]);
    assert_eq!(asked(&livekit), [2, 0, 0]);
}

#[tokio::test]
async fn a_451_and_then_a_failure_lead_to_the_third_region() {
    let livekit = LiveKit::start(3).await;
    let client = client(&layer());
    let mock = r#"{"pinnedRegions":["region-1","region-2"],"failRegions":[1]}"#;
    let (status, region) = answer(&client, call(&livekit.origin(0), mock)).await;
    assert_eq!((status, region.as_str()), (200, "region-2"));
    assert_eq!(called(&livekit), [1, 1, 1]);
    assert_eq!(asked(&livekit), [1, 0, 0]);
}

#[tokio::test]
async fn what_follows_a_451_is_replayed_by_the_usual_rules() {
    let livekit = LiveKit::start(3).await;
    let client = client(&layer());
    let mock = r#"{"pinnedRegions":["region-1","region-2"],"failRegions":[1]}"#;
    let request = without_key(call(&livekit.origin(0), mock));
    let (status, region) = answer(&client, request).await;
    assert_eq!((status, region.as_str()), (503, "region-1"));
    assert_eq!(called(&livekit), [1, 1, 0]);
}

#[tokio::test]
async fn where_the_regions_are_fixed_nobody_is_asked() {
    let livekit = LiveKit::start(3).await;
    let origins = livekit.regions().iter().map(Server::origin);
    let regions = Regions::fixed(origins).unwrap();
    let client = client(&FailoverLayer::new(regions).backoff(backoff()));
    let (status, region) = answer(&client, pinned(&livekit, &["region-1"])).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
    let (status, region) = answer(&client, pinned(&livekit, &["region-2"])).await;
    assert_eq!((status, region.as_str()), (451, "region-1"));
    assert_eq!(asked(&livekit), [0, 0, 0]);
    assert_eq!(called(&livekit), [2, 2, 0]);
}
