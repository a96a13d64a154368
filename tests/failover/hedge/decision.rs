//! Which calls are hedged, and where to.

use bytes::Bytes;
use http::{HeaderName, Method, Request};
use http_body_util::{Empty, channel::Channel};
use tower::{Layer, ServiceExt};
use tower_failover::{
    Discovery, FailoverLayer, Hedge, Override, Region, RegionList, Regions, Replay,
};

use super::{DELAY, S, asked, hedged, late, told};
use crate::support::{Act, Script, get, layer, put, request};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Who is asked by a call of this request that home answers late.
async fn asked_by(layer: FailoverLayer, request: Request<Empty<Bytes>>) -> String {
    let script = Script::new([late(S), late(S)]);
    let client = layer.layer(script.clone());
    assert_eq!(client.oneshot(request).await.unwrap().status(), 200);
    asked(&script)
}

fn with(method: Method, own: Override) -> Request<Empty<Bytes>> {
    let mut request = request(method);
    request.extensions_mut().insert(own);
    request
}

#[tokio::test(start_paused = true)]
async fn only_what_may_be_replayed_is_hedged() {
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
        assert_eq!(
            asked_by(hedged(2), request(method.clone())).await,
            "ab",
            "{method}"
        );
        let layer = hedged(2).replay(Replay::Never);
        assert_eq!(
            asked_by(layer, request(method.clone())).await,
            "a",
            "{method}"
        );
    }
    for method in [Method::POST, Method::PATCH] {
        assert_eq!(
            asked_by(hedged(2), request(method.clone())).await,
            "a",
            "{method}"
        );
        let layer = hedged(2).replay(Replay::Always);
        assert_eq!(
            asked_by(layer, request(method.clone())).await,
            "ab",
            "{method}"
        );
        let mut request = request(method.clone());
        request.headers_mut().insert(KEY, "1".parse().unwrap());
        assert_eq!(asked_by(hedged(2), request).await, "ab", "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_request_says_itself_counts() {
    let own = Override::new();
    for (method, own, expected) in [
        (Method::GET, own.enabled(false), "a"),
        (Method::GET, own.replay(Replay::Never), "a"),
        (Method::GET, own.max_attempts(1), "a"),
        (Method::GET, own.max_attempts(2), "ab"),
        (Method::GET, own.attempt_timeout(DELAY / 2), "ab"),
        (Method::POST, own.replay(Replay::Always), "ab"),
    ] {
        let request = with(method, own);
        assert_eq!(asked_by(hedged(2), request).await, expected, "{own:?}");
    }
    assert_eq!(
        asked_by(hedged(2).max_attempts(1), request(Method::GET)).await,
        "a"
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_hedge_nothing_is_hedged() {
    assert_eq!(asked_by(layer(2), request(Method::GET)).await, "a");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_none_of_the_layers_business_is_not_hedged() {
    assert_eq!(asked_by(hedged(2), get("http://z/x")).await, "z");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_at_hand_goes_out_whole_in_both_requests() {
    let read = |then| Act::AfterBody(Box::new(then));
    for size in [0, 1, 4096] {
        let body = Bytes::from(vec![7; size]);
        let script = Script::new([read(Act::Hang), read(late(DELAY))]);
        let client = hedged(2).max_replay_body(4096).layer(script.clone());
        let outcome = client.oneshot(put(body.clone())).await;
        assert_eq!(told(&outcome), ["a (overtaken by a hedge)", "b (200)"]);
        for seen in script.seen() {
            assert_eq!((seen.body, seen.complete), (body.clone(), true));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_at_hand_is_not_hedged() {
    let script = Script::new([late(S)]);
    let client = hedged(2).max_replay_body(3).layer(script.clone());
    client.oneshot(put("four")).await.unwrap();
    assert_eq!(asked(&script), "a", "more than is kept");

    let (mut sender, stream) = Channel::<Bytes>::new(2);
    for data in ["one", "two"] {
        sender.send_data(data.into()).await.unwrap();
    }
    drop(sender);
    let request = Request::put("http://a/x").body(stream).unwrap();
    let script = Script::new([late(S)]);
    let client = hedged(2).layer(script.clone());
    client.oneshot(request).await.unwrap();
    assert_eq!(asked(&script), "a", "a stream");
    assert_eq!(&script.seen()[0].body[..], b"onetwo");
}

#[tokio::test(start_paused = true)]
async fn a_hedge_goes_to_another_region_or_nowhere() {
    let get = || request(Method::GET);
    assert_eq!(asked_by(hedged(1), get()).await, "a");
    assert_eq!(
        asked_by(hedged(1).retry_same_region(true), get()).await,
        "a"
    );
    assert_eq!(
        asked_by(hedged(2).retry_same_region(true), get()).await,
        "ab"
    );
}

fn region(name: &str) -> Region {
    let origin = format!("http://{name}");
    Region::new(&origin, &origin).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_hedge_passes_over_regions_that_are_out() {
    for (regions, out, expected) in [
        (2, &["b"][..], "a"),
        (3, &["b"], "ac"),
        (3, &["b", "c"], "a"),
        (2, &["a"], "b"),
        (3, &["a"], "bc"),
        (3, &["a", "b"], "c"),
        (3, &["a", "b", "c"], "a"),
    ] {
        let layer = hedged(regions);
        for name in out {
            assert!(layer.handle().eject(&region(name), 60 * S));
        }
        assert_eq!(
            asked_by(layer, request(Method::GET)).await,
            expected,
            "{out:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_began_at_a_fallback_says_who_answered() {
    for (acts, expected) in [
        (
            [Act::Hang, Act::Status(200)],
            ["b (overtaken by a hedge)", "c (200)"],
        ),
        (
            [late(S), Act::Hang],
            ["c (overtaken by a hedge)", "b (200)"],
        ),
    ] {
        let layer = hedged(3);
        assert!(layer.handle().eject(&region("a"), 60 * S));
        let script = Script::new(acts);
        let client = layer.layer(script.clone());
        let outcome = client.oneshot(request(Method::GET)).await;
        assert_eq!(told(&outcome), expected);
        let served = outcome.unwrap();
        let served = served.extensions().get::<tower_failover::Served>().unwrap();
        assert!(served.attempts().iter().all(|a| a.failure().is_none()));
    }
}

#[tokio::test(start_paused = true)]
async fn regions_that_are_not_known_are_not_asked_for_to_hedge() {
    const HOME: &str = "http://home.example.com";
    let discovery = Discovery::http("/regions").hosts(["*.example.com"]);
    let layer = FailoverLayer::new(Regions::discover(discovery)).hedge(Hedge::after(DELAY));
    let script = Script::default();
    let late_home = || script.always("home.example.com", late(S));
    late_home();
    let client = layer.layer(script.clone());
    let call = || client.clone().oneshot(get("http://home.example.com/x"));
    call().await.unwrap();
    assert_eq!(script.asked(), ["home.example.com"]);

    let other = Region::new("eu", "http://eu.example.com").unwrap();
    let home = Region::new("home", HOME).unwrap();
    let list = RegionList::new(vec![home, other]);
    layer.handle().set_regions(HOME, list).unwrap();
    let outcome = call().await;
    assert_eq!(script.asked()[1..], ["home.example.com", "eu.example.com"]);
    assert_eq!(told(&outcome)[1], "eu (200)");
}
