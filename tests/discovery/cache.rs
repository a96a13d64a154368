//! How long a list is used, of which homes, and what is kept when another one comes.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use failover_cluster::{Fault, LiveKit, Server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::{AcquireError, Semaphore},
    time::advance,
};
use tower::service_fn;
use tower_failover::{
    Budget, Discovery, Failover, FailoverLayer, Health, Order, Query, Region, RegionList, Regions,
    Stop,
};

use crate::support::*;

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
const LONG: Duration = Duration::from_secs(1_000_000);

/// Ejected at the first failure, and for longer than any test.
fn strict() -> Health {
    Health::default().consecutive(1).probe_every(LONG, LONG)
}

/// Every call begins at home.
fn forgetful(layer: FailoverLayer) -> FailoverLayer {
    layer.health(Health::off())
}

// Over sockets: what the answer says.

/// The failure of region 0, and where it led.
async fn failed_over(client: &FailoverClient, livekit: &LiveKit) -> (u16, String) {
    let call = call(&livekit.origin(0), r#"{"failRegions":[0]}"#);
    answer(client, call).await
}

#[tokio::test]
async fn within_max_age_a_second_failure_asks_nothing() {
    let livekit = LiveKit::start(3).await;
    livekit.cache_control("max-age=60");
    let client = client(&forgetful(layer()));
    for _ in 0..3 {
        let served = failed_over(&client, &livekit).await;
        assert_eq!(served, (200, "region-1".to_owned()));
    }
    assert_eq!(asked(&livekit), [1, 0, 0]);
    assert_eq!(livekit.region(0).hits(), 4, "three calls and a question");
    assert_eq!(livekit.region(1).hits(), 3);
}

#[tokio::test]
async fn at_a_max_age_of_zero_each_failure_asks() {
    let livekit = LiveKit::start(3).await;
    livekit.cache_control("max-age=0");
    let client = client(&forgetful(layer()));
    for n in 1..=3 {
        let served = failed_over(&client, &livekit).await;
        assert_eq!(served, (200, "region-1".to_owned()));
        assert_eq!(asked(&livekit), [n, 0, 0]);
    }
}

#[tokio::test]
async fn at_a_max_age_of_zero_failures_ask_until_home_is_ejected() {
    let livekit = LiveKit::start(3).await;
    livekit.cache_control("max-age=0");
    let client = client(&layer().health(Health::default().probe_every(LONG, LONG)));
    for asked_by_now in [1, 2, 2, 2] {
        let served = failed_over(&client, &livekit).await;
        assert_eq!(served, (200, "region-1".to_owned()));
        assert_eq!(asked(&livekit), [asked_by_now, 0, 0]);
    }
}

#[tokio::test]
async fn a_list_that_is_not_to_be_kept_serves_those_who_wait_for_it_and_nobody_later() {
    for value in [
        "no-store",
        "no-cache",
        "max-age=60, No-Store",
        "private ,NO-CACHE , max-age=60",
    ] {
        let livekit = LiveKit::start(2).await;
        livekit.cache_control(value);
        let client = client(&forgetful(layer()));
        for n in 1..=2 {
            let served = failed_over(&client, &livekit).await;
            assert_eq!(served, (200, "region-1".to_owned()), "{value}");
            assert_eq!(asked(&livekit), [n, 0], "{value}");
        }
        let call = call(
            &livekit.origin(0),
            r#"{"failRegions":[0],"regionsStatus":500}"#,
        );
        let served = answer(&client, call).await;
        assert_eq!(served, (503, "region-0".to_owned()), "{value}");
        assert_eq!(asked(&livekit), [3, 0], "region-1 is not known: {value}");
    }
}

#[tokio::test]
async fn a_list_for_no_time_is_kept_for_when_no_other_can_be_had() {
    let livekit = LiveKit::start(2).await;
    let client = client(&forgetful(layer()));
    failed_over(&client, &livekit).await;
    let call = call(
        &livekit.origin(0),
        r#"{"failRegions":[0],"regionsStatus":500}"#,
    );
    let served = answer(&client, call).await;
    assert_eq!(served, (200, "region-1".to_owned()));
    assert_eq!(asked(&livekit), [2, 1]);
}

#[tokio::test]
async fn a_list_that_may_not_be_kept_takes_the_one_before_it_along() {
    let livekit = LiveKit::start(2).await;
    let client = client(&forgetful(layer()));
    failed_over(&client, &livekit).await;
    livekit.cache_control("no-store");
    failed_over(&client, &livekit).await;
    let call = call(
        &livekit.origin(0),
        r#"{"failRegions":[0],"regionsStatus":500}"#,
    );
    let served = answer(&client, call).await;
    assert_eq!(served, (503, "region-0".to_owned()));
    assert_eq!(asked(&livekit), [3, 0]);
}

#[tokio::test]
async fn the_time_that_a_list_spent_on_its_way_counts() {
    for (age, questions) in [("60", 2), ("3600", 2), ("0", 1), ("nonsense", 1)] {
        let livekit = LiveKit::start(2).await;
        let document = serde_json::json!({ "regions": [{ "url": livekit.origin(1) }] });
        let headers = vec![
            ("Cache-Control", "max-age=60".to_owned()),
            ("Age", age.to_owned()),
        ];
        let list = Fault::Answer(200, headers, Bytes::from(document.to_string()));
        livekit.region(0).set_at(PATH, list).await;
        let client = client(&forgetful(layer()));
        for _ in 0..2 {
            let served = failed_over(&client, &livekit).await;
            assert_eq!(served, (200, "region-1".to_owned()));
        }
        assert_eq!(asked(&livekit), [questions, 0], "Age: {age}");
    }
}

/// A home that answers calls with 503, and discovery with these header lines as they are written;
/// its origin, and how often it was asked for the list.
async fn written_by_hand(lines: &str, region: &str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let document = serde_json::json!({ "regions": [{ "url": region }] }).to_string();
    let length = document.len();
    let list = format!(
        "HTTP/1.1 200 OK\r\n{lines}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{document}"
    );
    let failure =
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            let is_question = head.starts_with(format!("GET {PATH} ").as_bytes());
            count.fetch_add(usize::from(is_question), Ordering::Relaxed);
            let answer = if is_question { &list } else { failure };
            // The client may be gone.
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (origin, asked)
}

#[tokio::test]
async fn cache_control_is_understood_however_it_is_written() {
    for (lines, questions) in [
        ("Cache-Control: max-age=60", 1),
        ("CACHE-CONTROL:max-age=60", 1),
        ("cache-control: \t max-age=60 \t ", 1),
        ("cAcHe-cOnTrOl: public ,\tMax-Age = 60 , immutable", 1),
        ("cache-control: max-age=\"60\"", 1),
        ("Cache-Control: public\r\nCACHE-CONTROL: max-age=60", 1),
        ("Cache-Control: max-age=60\r\nAGE:\t10", 1),
        ("Cache-Control: max-age=60\r\naGe: 60 ", 2),
        ("Cache-Control: max-age=60\r\nCACHE-CONTROL: NO-STORE", 2),
        ("Cache-Control: max-age=60, max-age=0", 2),
        ("Cache-Control: max-age", 2),
        ("Cache-Control: max-age=-60", 2),
    ] {
        let eu = Server::http1("eu").await;
        let (home, asked) = written_by_hand(lines, &eu.origin()).await;
        // A silence says as much as `max-age=60`, so that what says less is seen to be read.
        let layer = layer_with(|discovery| discovery.default_ttl(HOUR));
        let client = client(&forgetful(layer));
        for _ in 0..2 {
            let (status, region) = answer(&client, get(&home)).await;
            assert_eq!((status, region.as_str()), (200, "eu"), "{lines}");
        }
        assert_eq!(asked.load(Ordering::Relaxed), questions, "{lines}");
    }
}

// By the paused clock: exactly how long.

/// A client of a dead home, and all that it meets. Every call begins at home.
fn dead_home(set: impl FnOnce(Discovery) -> Discovery) -> (World, Failover<World>) {
    let hosts = World::listing(&[EU]);
    hosts.at(HOME, Act::Status(503));
    let client = hosts.client(&forgetful(free_layer(set)));
    (hosts, client)
}

/// Whether a call has to ask for the list now. It fails at home, and is served elsewhere.
async fn asks(hosts: &World, client: &Failover<World>) -> bool {
    hosts.take();
    assert_eq!(call_at(client, HOME).await, Ok(200));
    hosts.questions() > 0
}

/// How many of `seeds` have to ask again once that much time has passed since the list came.
async fn asking_after(
    seeds: u64,
    time: Duration,
    control: Option<&'static str>,
    set: impl Fn(Discovery) -> Discovery,
) -> u64 {
    let mut asking = 0;
    for seed in 0..seeds {
        fastrand::seed(seed);
        let (hosts, client) = dead_home(&set);
        if let Some(control) = control {
            hosts.on("?", listing(control, &[EU]));
        }
        assert!(asks(&hosts, &client).await);
        assert!(!asks(&hosts, &client).await);
        advance(time).await;
        asking += u64::from(asks(&hosts, &client).await);
    }
    asking
}

#[tokio::test(start_paused = true)]
async fn the_default_time_is_shortened_by_a_tenth_at_most() {
    let set = |discovery: Discovery| discovery.default_ttl(10 * SECOND);
    assert_eq!(asking_after(200, 9 * SECOND - MOMENT, None, set).await, 0);
    assert_eq!(asking_after(200, 10 * SECOND, None, set).await, 200);
    let half_way = asking_after(200, 19 * SECOND / 2, None, set).await;
    assert!((50..150).contains(&half_way), "{half_way} of 200");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_wants_to_be_kept_for_ten_years_is_kept_for_the_longest_time() {
    let control = Some("max-age=315360000");
    let set = |discovery: Discovery| discovery.max_ttl(100 * SECOND);
    let late = asking_after(50, 90 * SECOND - MOMENT, control, set).await;
    assert_eq!(late, 0);
    let over = asking_after(50, 100 * SECOND, control, set).await;
    assert_eq!(over, 50);
    let half_way = asking_after(200, 95 * SECOND, control, set).await;
    assert!(
        (50..150).contains(&half_way),
        "shortened too: {half_way} of 200"
    );
}

#[tokio::test(start_paused = true)]
async fn the_longest_time_is_an_hour_unless_it_is_set() {
    let control = Some("max-age=315360000");
    let all = |discovery| discovery;
    assert_eq!(asking_after(20, HOUR, control, all).await, 20);
    let late = asking_after(20, HOUR * 9 / 10 - MOMENT, control, all).await;
    assert_eq!(late, 0);
}

#[tokio::test(start_paused = true)]
async fn the_longest_time_lengthens_nothing_and_bounds_the_default_time_too() {
    let longer = |discovery: Discovery| discovery.max_ttl(HOUR).default_ttl(10 * SECOND);
    let control = Some("max-age=20");
    assert_eq!(asking_after(20, 20 * SECOND, control, longer).await, 20);
    assert_eq!(asking_after(20, 10 * SECOND, None, longer).await, 20);
    let shorter = |discovery: Discovery| discovery.max_ttl(10 * SECOND).default_ttl(HOUR);
    assert_eq!(asking_after(20, 10 * SECOND, None, shorter).await, 20);
}

#[tokio::test(start_paused = true)]
async fn a_list_for_ever_is_kept() {
    let set = |discovery: Discovery| {
        let discovery = discovery.max_ttl(Duration::MAX).default_ttl(Duration::MAX);
        discovery.max_stale(Duration::MAX)
    };
    assert_eq!(asking_after(20, 1000 * HOUR, None, set).await, 0);
}

// When no other list can be had.

#[tokio::test(start_paused = true)]
async fn a_list_out_of_date_serves_until_it_is_too_stale_and_not_longer() {
    let (hosts, client) = dead_home(|discovery| {
        let discovery = discovery.max_stale(100 * SECOND);
        discovery.negative_ttl(Duration::ZERO)
    });
    // No time, hence none that is shortened.
    hosts.on("?", listing("max-age=0", &[EU]));
    assert!(asks(&hosts, &client).await);
    hosts.on("?", Act::Status(500));
    advance(100 * SECOND - MOMENT).await;
    hosts.take();
    assert_eq!(call_at(&client, HOME).await, Ok(200));
    assert_eq!(hosts.take(), ["home", "home?", "eu?", "eu"]);
    advance(MOMENT).await;
    hosts.at(HOME, Act::Refuse);
    assert_eq!(call_at(&client, HOME).await, Err(Some(Stop::Discovery)));
    assert_eq!(hosts.take(), ["home", "home?"], "eu is not known any more");
}

#[tokio::test(start_paused = true)]
async fn a_stale_list_serves_too_while_discovery_is_left_alone() {
    let (hosts, client) = dead_home(|discovery| {
        let discovery = discovery.max_stale(100 * SECOND);
        discovery.negative_ttl(LONG)
    });
    hosts.on("?", listing("max-age=0", &[EU]));
    assert!(asks(&hosts, &client).await);
    hosts.on("?", Act::Status(500));
    assert!(asks(&hosts, &client).await);
    advance(100 * SECOND - MOMENT).await;
    assert!(!asks(&hosts, &client).await);
    advance(MOMENT).await;
    hosts.at(HOME, Act::Refuse);
    hosts.take();
    assert_eq!(call_at(&client, HOME).await, Err(Some(Stop::Discovery)));
    assert_eq!(hosts.take(), ["home"]);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_too_stale_leads_no_first_attempt_away_from_an_ejected_home() {
    let hosts = World::default();
    hosts.on("?", listing("max-age=0", &[EU]));
    hosts.at(HOME, Act::Status(503));
    let layer = free_layer(|discovery| discovery.max_stale(100 * SECOND));
    let client = hosts.client(&layer.health(strict()));
    assert_eq!(call_at(&client, HOME).await, Ok(200));
    hosts.on("?", Act::Status(500));
    advance(100 * SECOND - MOMENT).await;
    hosts.take();
    assert_eq!(call_at(&client, HOME).await, Ok(200));
    assert_eq!(hosts.take(), ["eu"]);
    advance(MOMENT).await;
    assert_eq!(call_at(&client, HOME).await, Ok(503));
    assert_eq!(hosts.take(), ["home", "home?"]);
}

#[tokio::test(start_paused = true)]
async fn a_list_serves_for_a_day_after_its_time_unless_it_is_set() {
    let (hosts, client) = dead_home(|discovery| discovery.negative_ttl(Duration::ZERO));
    hosts.on("?", listing("max-age=0", &[EU]));
    assert!(asks(&hosts, &client).await);
    hosts.on("?", Act::Status(500));
    advance(24 * HOUR - MOMENT).await;
    assert!(asks(&hosts, &client).await);
    advance(MOMENT).await;
    assert_eq!(call_at(&client, HOME).await, Ok(503));
}

#[tokio::test(start_paused = true)]
async fn without_a_stale_time_a_list_serves_for_its_own_and_for_those_who_wait() {
    let (hosts, client) = dead_home(|discovery| {
        let discovery = discovery.max_stale(Duration::ZERO);
        let discovery = discovery.negative_ttl(Duration::ZERO);
        discovery.default_ttl(10 * SECOND)
    });
    assert!(asks(&hosts, &client).await);
    hosts.on("?", Act::Status(500));
    advance(9 * SECOND - MOMENT).await;
    assert!(!asks(&hosts, &client).await);
    advance(SECOND + MOMENT).await;
    assert_eq!(call_at(&client, HOME).await, Ok(503));
    hosts.on("?", listing("max-age=0", &[EU]));
    assert!(asks(&hosts, &client).await);
    assert!(asks(&hosts, &client).await);
}

#[tokio::test(start_paused = true)]
async fn a_fresh_list_starts_a_new_time() {
    let (hosts, client) = dead_home(|discovery| discovery.max_stale(100 * SECOND));
    hosts.on("?", listing("max-age=0", &[EU]));
    assert!(asks(&hosts, &client).await);
    advance(99 * SECOND).await;
    assert!(asks(&hosts, &client).await);
    hosts.on("?", Act::Status(500));
    advance(99 * SECOND).await;
    assert!(asks(&hosts, &client).await);
}

// After a failure.

/// How many of `seeds` try discovery again once that much time has passed since it failed.
async fn trying_after(seeds: u64, time: Duration, set: impl Fn(Discovery) -> Discovery) -> u64 {
    let mut trying = 0;
    for seed in 0..seeds {
        fastrand::seed(seed);
        let hosts = World::default();
        hosts.at(HOME, Act::Refuse);
        let client = hosts.client(&forgetful(free_layer(&set)));
        let fails = async || {
            let end = call_at(&client, HOME).await;
            assert_eq!(end, Err(Some(Stop::Discovery)));
            hosts.questions() as u64
        };
        assert_eq!(fails().await, 1);
        assert_eq!(fails().await, 0);
        advance(time).await;
        trying += fails().await;
    }
    trying
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_discovery_is_left_alone_for_half_to_one_and_a_half_of_its_time() {
    let set = |discovery: Discovery| discovery.negative_ttl(100 * SECOND);
    assert_eq!(trying_after(300, 50 * SECOND - MOMENT, set).await, 0);
    assert_eq!(trying_after(300, 150 * SECOND, set).await, 300);
    let in_time = trying_after(300, 100 * SECOND, set).await;
    assert!((100..200).contains(&in_time), "{in_time} of 300");
}

#[tokio::test(start_paused = true)]
async fn the_time_after_a_failure_is_ten_seconds_unless_it_is_set() {
    let all = |discovery| discovery;
    assert_eq!(trying_after(50, 5 * SECOND - MOMENT, all).await, 0);
    assert_eq!(trying_after(50, 15 * SECOND, all).await, 50);
}

#[tokio::test(start_paused = true)]
async fn a_discovery_that_failed_can_be_left_alone_for_ever() {
    let set = |discovery: Discovery| discovery.negative_ttl(Duration::MAX);
    assert_eq!(trying_after(50, 1000 * HOUR, set).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_ends_the_time_after_a_failure() {
    let hosts = World::default();
    hosts.at(HOME, Act::Refuse);
    let layer = forgetful(free_layer(|discovery| discovery.negative_ttl(LONG)));
    let client = hosts.client(&layer);
    for questions in [1, 0] {
        assert!(call_at(&client, HOME).await.is_err());
        assert_eq!(hosts.questions(), questions);
    }
    drop(layer.handle().refresh(HOME));
    assert_eq!(hosts.questions(), 0);
    for questions in [1, 0] {
        assert!(call_at(&client, HOME).await.is_err());
        assert_eq!(hosts.questions(), questions);
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_after_a_failure_is_that_of_one_home() {
    let hosts = World::default();
    hosts.at(HOME, Act::Refuse);
    hosts.at(US, Act::Refuse);
    let client = hosts.client(&forgetful(free_layer(|discovery| discovery)));
    for home in [HOME, US] {
        assert!(call_at(&client, home).await.is_err());
        assert_eq!(hosts.questions(), 1);
    }
}

// Of which homes.

/// Keeps lists for long.
fn keeping() -> FailoverLayer {
    forgetful(free_layer(|discovery| discovery.default_ttl(HOUR)))
}

#[tokio::test(start_paused = true)]
async fn a_home_is_the_same_however_it_is_written() {
    let hosts = World::listing(&[EU]);
    hosts.at(HOME, Act::Status(503));
    let client = hosts.client(&keeping());
    for (origin, questions) in [
        (HOME, 1),
        ("https://HOME.Example.com", 0),
        ("HTTPS://home.example.com:443", 0),
        ("https://user:secret@home.example.com", 0),
        ("https://user@Home.example.com:443", 0),
    ] {
        assert_eq!(call_at(&client, origin).await, Ok(200), "{origin}");
        assert_eq!(hosts.questions(), questions, "{origin}");
    }
}

#[tokio::test(start_paused = true)]
async fn schemes_and_ports_make_other_homes() {
    let hosts = World::listing(&[EU]);
    let client = hosts.client(&keeping());
    for origin in [
        HOME,
        "http://home.example.com",
        "https://home.example.com:8443",
        "https://home.example.com:8444",
        "http://home.example.com:443",
    ] {
        hosts.at(origin, Act::Status(503));
        for questions in [1, 0] {
            assert_eq!(call_at(&client, origin).await, Ok(200), "{origin}");
            assert_eq!(hosts.questions(), questions, "{origin}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_home_that_was_not_used_for_longest_makes_room_for_the_hundred_and_twenty_ninth() {
    let hosts = World::listing(&[EU]);
    let layer = keeping();
    let client = hosts.client(&layer);
    let home = |n: usize| format!("https://h{n}.example.com");
    let questions = async |n: usize| {
        assert_eq!(call_at(&client, &home(n)).await, Ok(200), "{n}");
        hosts.questions()
    };
    for n in 0..=130 {
        hosts.at(&home(n), Act::Status(503));
    }
    for n in 0..128 {
        assert_eq!(questions(n).await, 1, "{n} is new");
    }
    for n in 0..128 {
        assert_eq!(questions(n).await, 0, "{n} is kept");
    }
    // Used again, so that it is the turn of 1 and then of 2.
    assert_eq!(questions(0).await, 0);
    assert_eq!(questions(128).await, 1);
    assert_eq!(questions(129).await, 1);
    for n in (3..130).chain([0]) {
        assert_eq!(questions(n).await, 0, "{n} is kept");
    }
    assert_eq!(questions(1).await, 1, "it made room");
    assert_eq!(questions(2).await, 1, "it made room");
    let known = serde_json::to_value(layer.handle().snapshot()).unwrap();
    assert_eq!(known["homes"].as_array().unwrap().len(), 128);
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_home_makes_room_goes_on() {
    let hosts = World::default();
    let gate = Arc::new(Semaphore::new(0));
    let (waiting, opened) = (Arc::new(AtomicUsize::new(0)), gate.clone());
    let source = {
        let waiting = waiting.clone();
        service_fn(move |query: Query| {
            let (waiting, gate) = (waiting.clone(), gate.clone());
            async move {
                if query.home().host() == "home.example.com" {
                    waiting.fetch_add(1, Ordering::Relaxed);
                    gate.acquire().await?.forget();
                }
                let regions = vec![Region::new("eu", EU).unwrap()];
                Ok::<_, AcquireError>(RegionList::new(regions))
            }
        })
    };
    let layer = FailoverLayer::new(Regions::discover(Discovery::service(source)));
    let layer = layer.budget(Budget::unlimited()).backoff(no_wait());
    let client = hosts.client(&forgetful(layer));
    hosts.at(HOME, Act::Status(503));
    let call = tokio::spawn({
        let client = client.clone();
        async move { call_at(&client, HOME).await }
    });
    while waiting.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    for n in 0..128 {
        let home = format!("https://h{n}.example.com");
        assert_eq!(call_at(&client, &home).await, Ok(200));
    }
    opened.add_permits(1);
    assert_eq!(call.await.unwrap(), Ok(200));
}

// What a list says.

#[tokio::test(start_paused = true)]
async fn an_empty_list_is_an_answer_that_is_kept_for_its_time() {
    for document in ["{}", r#"{"regions":[]}"#, r#"{"regions":null}"#] {
        let hosts = World::default();
        hosts.on("?", Act::Document(None, document.to_owned()));
        hosts.at(HOME, Act::Refuse);
        let seed = "https://seed.example.com";
        let client = hosts.client(&forgetful(free_layer(|discovery| {
            discovery
                .seeds([seed])
                .unwrap()
                .default_ttl(10 * SECOND)
                .negative_ttl(LONG)
        })));
        let end = call_at(&client, HOME).await;
        assert_eq!(end, Err(Some(Stop::Regions)), "{document}");
        assert_eq!(hosts.take(), ["home", "home?", "seed?"], "{document}");
        advance(9 * SECOND - MOMENT).await;
        assert_eq!(call_at(&client, HOME).await, Err(Some(Stop::Regions)));
        assert_eq!(hosts.take(), ["home"], "{document}");
        advance(SECOND + MOMENT).await;
        hosts.list(&[EU]);
        assert_eq!(call_at(&client, HOME).await, Ok(200));
        assert_eq!(hosts.take(), ["home", "home?", "seed?", "eu"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_takes_the_place_of_a_full_one() {
    let (hosts, client) = dead_home(|discovery| discovery.negative_ttl(Duration::ZERO));
    hosts.on("?", listing("max-age=0", &[EU]));
    assert!(asks(&hosts, &client).await);
    hosts.on("?", Act::Document(Some("max-age=0"), "{}".to_owned()));
    assert_eq!(call_at(&client, HOME).await, Ok(503));
    hosts.on("?", Act::Status(500));
    hosts.take();
    assert_eq!(call_at(&client, HOME).await, Ok(503));
    assert_eq!(hosts.take(), ["home", "home?"]);
}

#[tokio::test(start_paused = true)]
async fn an_ejected_region_stays_passed_over_when_the_list_comes_again() {
    let hosts = World::listing(&[EU, US]);
    hosts.at(HOME, Act::Status(503));
    hosts.at(EU, Act::Status(503));
    let layer = free_layer(|discovery| discovery).health(strict());
    let client = hosts.client(&layer);
    assert_eq!(call_at(&client, HOME).await, Ok(200));
    assert_eq!(hosts.take(), ["home", "home?", "eu", "us"]);

    layer.handle().refresh(HOME).await.unwrap();
    hosts.take();
    assert_eq!(call_at(&client, HOME).await, Ok(200));
    assert_eq!(hosts.take(), ["us"], "home and eu are out");

    hosts.list(&[EU, "https://ap.example.com", US]);
    layer.handle().refresh(HOME).await.unwrap();
    hosts.take();
    assert_eq!(call_at(&client, HOME).await, Ok(200));
    assert_eq!(hosts.take(), ["ap"], "a new one has nothing against it");
}

#[tokio::test(start_paused = true)]
async fn a_region_is_passed_over_though_its_list_may_not_be_kept() {
    for (cache_control, questions) in [("no-store", 4), ("no-cache", 4), ("max-age=60", 1)] {
        let hosts = World::default();
        hosts.on("?", listing(cache_control, &[HOME, EU, US]));
        hosts.at(HOME, Act::Status(503));
        hosts.at(EU, Act::Refuse);
        let layer = free_layer(|discovery| discovery.negative_ttl(LONG));
        let client = hosts.client(&layer);
        let mut seen = Vec::new();
        for _ in 0..4 {
            assert_eq!(call_at(&client, HOME).await, Ok(200), "{cache_control}");
            seen.extend(hosts.take());
        }
        let count = |whom| seen.iter().filter(|seen| *seen == whom).count();
        assert_eq!(count("eu"), 1, "{cache_control}: {seen:?}");
        assert_eq!(count("home?"), questions, "{cache_control}: {seen:?}");
        // And nothing else is kept of it.
        hosts.on("?", Act::Status(500));
        let end = call_at(&client, HOME).await;
        let is_kept = cache_control == "max-age=60";
        assert_eq!(end, Ok(if is_kept { 200 } else { 503 }), "{cache_control}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_counts_on_when_the_list_comes_again() {
    let hosts = World::listing(&[EU, US]);
    hosts.at(HOME, Act::Status(503));
    hosts.at(EU, Act::Status(503));
    let health = Health::default().consecutive(2).probe_every(LONG, LONG);
    let layer = free_layer(|discovery| discovery).health(health);
    let client = hosts.client(&layer);
    for n in 1..=2 {
        assert_eq!(call_at(&client, HOME).await, Ok(200));
        let seen = hosts.take();
        let calls: Vec<_> = seen.iter().filter(|seen| !seen.ends_with('?')).collect();
        assert_eq!(calls, ["home", "eu", "us"], "call {n}");
        layer.handle().refresh(HOME).await.unwrap();
        hosts.take();
    }
    assert_eq!(call_at(&client, HOME).await, Ok(200));
    assert_eq!(hosts.take(), ["us"]);
}

#[tokio::test(start_paused = true)]
async fn a_region_of_two_homes_is_passed_over_for_both() {
    const OTHER: &str = "https://other.example.com";
    let hosts = World::listing(&[EU, US]);
    for origin in [HOME, OTHER, EU] {
        hosts.at(origin, Act::Status(503));
    }
    let client = hosts.client(&free_layer(|discovery| discovery).health(strict()));
    assert_eq!(call_at(&client, HOME).await, Ok(200));
    assert_eq!(hosts.take(), ["home", "home?", "eu", "us"]);
    assert_eq!(call_at(&client, OTHER).await, Ok(200));
    assert_eq!(
        hosts.take(),
        ["other", "other?", "us"],
        "eu is known to be out, the home itself is not"
    );
    assert_eq!(call_at(&client, EU).await, Ok(200));
    assert_eq!(hosts.take(), ["eu", "eu?", "us"], "a home of its own");
    assert_eq!(call_at(&client, EU).await, Ok(200));
    assert_eq!(hosts.take(), ["us"]);
}

#[tokio::test(start_paused = true)]
async fn spread_gives_each_client_an_order_of_its_own_and_listed_all_the_same() {
    let regions: Vec<_> = (0..4)
        .map(|n| format!("https://r{n}.example.com"))
        .collect();
    let regions: Vec<&str> = regions.iter().map(String::as_str).collect();
    let first = async |order: Order, id: u64| {
        let hosts = World::listing(&regions);
        hosts.at(HOME, Act::Status(503));
        let discovered = Regions::discover(Discovery::http(PATH));
        let layer = FailoverLayer::new(discovered.order(order).client_id(id)).backoff(no_wait());
        let client = hosts.client(&forgetful(layer));
        assert_eq!(call_at(&client, HOME).await, Ok(200));
        hosts.take().pop().unwrap()
    };
    let mut firsts = HashSet::new();
    for id in 0..64 {
        let region = first(Order::Spread, id).await;
        assert_eq!(region, first(Order::Spread, id).await, "client {id}");
        firsts.insert(region);
        assert_eq!(first(Order::Listed, id).await, "r0");
    }
    assert_eq!(firsts.len(), 4, "{firsts:?}");
}

// While home is out.

/// Calls that go to region 1 at once, though home is back.
async fn goes_past_home(client: &FailoverClient, livekit: &LiveKit) {
    livekit.region(0).set(Fault::None).await;
    let (home, connections) = (livekit.region(0).hits(), livekit.region(0).connections());
    let questions = asked(livekit);
    let served = livekit.region(1).hits();
    for _ in 0..5 {
        let (status, region) = answer(client, get(&livekit.origin(0))).await;
        assert_eq!((status, region.as_str()), (200, "region-1"));
    }
    assert_eq!(livekit.region(0).hits(), home);
    assert_eq!(livekit.region(0).connections(), connections);
    assert_eq!(livekit.region(1).hits(), served + 5);
    assert_eq!(asked(livekit), questions);
}

#[tokio::test]
async fn after_two_503s_calls_go_past_home_and_ask_nothing() {
    let livekit = LiveKit::start(2).await;
    let health = Health::default().probe_every(LONG, LONG);
    let client = client(&layer().health(health));
    for _ in 0..2 {
        failed_over(&client, &livekit).await;
    }
    // Their list was of use for no time, so both asked.
    assert_eq!(asked(&livekit), [2, 0]);
    goes_past_home(&client, &livekit).await;
}

#[tokio::test]
async fn after_one_503_calls_go_home() {
    let livekit = LiveKit::start(2).await;
    let health = Health::default().probe_every(LONG, LONG);
    let client = client(&layer().health(health));
    failed_over(&client, &livekit).await;
    let (status, region) = answer(&client, get(&livekit.origin(0))).await;
    assert_eq!((status, region.as_str()), (200, "region-0"));
}

#[tokio::test]
async fn after_one_refusal_calls_go_past_home_and_ask_nothing() {
    let livekit = LiveKit::start(2).await;
    livekit.region(0).set(Fault::Refuse).await;
    let health = Health::default().probe_every(LONG, LONG);
    let seed = livekit.origin(1);
    let layer = layer_with(|discovery| discovery.seeds([seed]).unwrap());
    let client = client(&layer.health(health));
    let (status, region) = answer(&client, get(&livekit.origin(0))).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
    assert_eq!(asked(&livekit), [0, 1]);
    goes_past_home(&client, &livekit).await;
}
