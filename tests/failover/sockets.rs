//! Calls from end to end: hyper-util's client, the layer, and servers with faults on loopback.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use failover_cluster::{Fault, Server};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{sync::Barrier, task::JoinSet, time::Instant};
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt,
    util::{BoxCloneService, BoxCloneSyncService},
};
use tower_failover::{
    Backoff, BoxError, Budget, Error, ErrorKind, Failover, FailoverLayer, Health, Regions, Served,
    Stop, classify::Reason,
};

use crate::support::{Http, http1, http2, within};

const PAYLOAD: &[u8] = b"payload";

type Inner = Http<Full<Bytes>>;

/// What a server and its clients speak.
#[derive(Clone, Copy, Debug)]
enum Wire {
    Http1,
    H2c,
}

impl Wire {
    async fn server(self, name: &str) -> Server {
        match self {
            Self::Http1 => Server::http1(name).await,
            Self::H2c => Server::h2c(name).await,
        }
    }

    async fn pair(self) -> (Server, Server) {
        (self.server("home").await, self.server("other").await)
    }

    fn client(self) -> Inner {
        match self {
            Self::Http1 => http1(),
            Self::H2c => http2(),
        }
    }
}

/// A layer over the two regions with hardly any wait.
fn layer(home: &Server, other: &Server) -> FailoverLayer {
    let short = Duration::from_millis(1);
    FailoverLayer::new(Regions::fixed([home.origin(), other.origin()]).unwrap())
        .backoff(Backoff::exponential(short, short))
}

fn request(method: Method, home: &Server) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(format!("{}/path?query", home.origin()))
        .body(Full::new(Bytes::from_static(PAYLOAD)))
        .unwrap()
}

/// A call with its answer's body read: the status and the region that answered.
async fn get(client: &Failover<Inner>, home: &Server) -> Result<(StatusCode, String), BoxError> {
    let response = client.clone().oneshot(request(Method::GET, home)).await?;
    let status = response.status();
    let region = response.headers()["x-region"].to_str()?.to_owned();
    response.into_body().collect().await?;
    Ok((status, region))
}

// ---- One call

/// How a call ends.
#[derive(Debug)]
enum End {
    /// With home's answer, of this status, and nobody else is asked.
    Home(u16),
    /// With the other region's answer; home got that many requests.
    Other { home: usize },
    /// With an error of this kind after one attempt at home.
    Error(ErrorKind, Reason),
}

use End::{Home, Other};

async fn check(wire: Wire, fault: Fault, method: Method, end: End) {
    let what = format!("{wire:?}, {fault:?}, {method}");
    let (home, other) = wire.pair().await;
    // Short only where it is meant to pass, or a busy machine would fail the others.
    let attempt_timeout = match fault {
        Fault::BlackHole | Fault::Delay(_) => Duration::from_millis(100),
        _ => Duration::from_secs(10),
    };
    home.set(fault).await;
    let client = layer(&home, &other)
        .attempt_timeout(attempt_timeout)
        .layer(wire.client());
    let outcome = within(client.oneshot(request(method, &home))).await;
    let hits = (home.hits(), other.hits());
    match (end, outcome) {
        (Home(status), Ok(response)) => {
            assert_eq!(response.status(), status, "{what}");
            assert_eq!(response.headers()["x-region"], "home", "{what}");
            assert!(response.extensions().get::<Served>().is_none(), "{what}");
            assert_eq!(hits, (1, 0), "{what}");
            assert_eq!(home.requests()[0].body, PAYLOAD, "{what}");
        }
        (Other { home }, Ok(response)) => {
            assert_eq!(response.status(), StatusCode::OK, "{what}");
            let served = response.extensions().get::<Served>().unwrap();
            assert_eq!(served.region().origin().as_str(), other.origin(), "{what}");
            assert_eq!(served.attempts().len(), 2, "{what}");
            assert_eq!(hits, (home, 1), "{what}");
            let replay = &other.requests()[0];
            assert_eq!(replay.body, PAYLOAD, "{what}");
            assert_eq!(replay.uri.path_and_query().unwrap(), "/path?query");
            let text = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(text, "other\n", "{what}");
        }
        (End::Error(kind, reason), Err(error)) => {
            assert_eq!(error.kind(), kind, "{what}: {error:?}");
            assert_eq!(error.attempts().len(), 1, "{what}: {error:?}");
            assert_eq!(error.attempts()[0].reason(), reason, "{what}: {error:?}");
            assert_eq!(hits, (1, 0), "{what}");
        }
        (end, outcome) => panic!("{what}: {outcome:?}, not {end:?}"),
    }
}

/// A failure that the request survives where it may be sent again, and else comes to the caller.
async fn check_both(wire: Wire, fault: Fault, post: End) {
    check(wire, fault.clone(), Method::GET, Other { home: 1 }).await;
    check(wire, fault.clone(), Method::PUT, Other { home: 1 }).await;
    check(wire, fault, Method::POST, post).await;
}

fn unknown(reason: Reason) -> End {
    End::Error(ErrorKind::Unknown, reason)
}

async fn every_wire_fares_alike(wire: Wire) {
    for status in [200, 404, 429, 501, 505, 511] {
        check(wire, Fault::Status(status), Method::GET, Home(status)).await;
        check(wire, Fault::Status(status), Method::POST, Home(status)).await;
    }
    for status in [500, 502, 503, 504, 599] {
        check_both(wire, Fault::Status(status), Home(status)).await;
    }
    let asks_to_wait = Fault::StatusWith(503, vec![("retry-after", "3600".to_owned())]);
    check_both(wire, asks_to_wait, Home(503)).await;
    for status in [421, 451] {
        check_both(wire, Fault::Status(status), Other { home: 1 }).await;
    }
    check(wire, Fault::Refuse, Method::GET, Other { home: 0 }).await;
    check(wire, Fault::Refuse, Method::POST, Other { home: 0 }).await;
    check_both(wire, Fault::Close, unknown(Reason::Reset)).await;
    check_both(wire, Fault::Reset, unknown(Reason::Reset)).await;
    check(wire, Fault::BlackHole, Method::GET, Other { home: 1 }).await;
    // Slower than the attempt timeout: a request that may not be sent again is waited for.
    let slow = Fault::Delay(Duration::from_millis(300));
    check(wire, slow, Method::POST, Home(200)).await;
}

#[tokio::test]
async fn http1_calls_end_as_their_fault_and_method_say() {
    every_wire_fares_alike(Wire::Http1).await;
    check_both(Wire::Http1, Fault::HalfHead, unknown(Reason::Reset)).await;
    check_both(Wire::Http1, Fault::Garbage, unknown(Reason::Protocol)).await;
}

#[tokio::test]
async fn h2c_calls_end_as_their_fault_and_method_say() {
    every_wire_fares_alike(Wire::H2c).await;
    check_both(Wire::H2c, Fault::GoAway, Other { home: 1 }).await;
    check_both(Wire::H2c, Fault::RefusedStream, Other { home: 1 }).await;
    // INTERNAL_ERROR and CANCEL.
    for code in [2, 8] {
        check_both(Wire::H2c, Fault::ResetStream(code), unknown(Reason::Reset)).await;
    }
}

#[tokio::test]
async fn a_post_with_an_idempotency_key_is_replayed_after_a_503_and_a_reset() {
    for fault in [Fault::Status(503), Fault::Reset] {
        let (home, other) = Wire::Http1.pair().await;
        home.set(fault).await;
        let mut request = request(Method::POST, &home);
        let key = http::HeaderValue::from_static("k1");
        request.headers_mut().insert("idempotency-key", key);
        let response = within(layer(&home, &other).layer(http1()).oneshot(request)).await;
        assert_eq!(response.unwrap().headers()["x-region"], "other");
        for server in [&home, &other] {
            assert_eq!(server.hits(), 1);
            assert_eq!(server.requests()[0].headers["idempotency-key"], "k1");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_the_callers_to_see_and_not_replayed() {
    for wire in [Wire::Http1, Wire::H2c] {
        let (home, other) = wire.pair().await;
        home.set(Fault::CutBody).await;
        let client = layer(&home, &other).layer(wire.client());
        let response = within(client.oneshot(request(Method::GET, &home))).await;
        let response = response.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.extensions().get::<Served>().is_none());
        assert!(within(response.into_body().collect()).await.is_err());
        assert_eq!((home.hits(), other.hits()), (1, 0));
    }
}

#[tokio::test]
async fn the_last_outcome_is_returned_when_both_regions_fail() {
    for wire in [Wire::Http1, Wire::H2c] {
        let (home, other) = wire.pair().await;
        home.set(Fault::Refuse).await;
        other.set(Fault::Status(503)).await;
        let client = layer(&home, &other).layer(wire.client());
        let response = within(client.clone().oneshot(request(Method::GET, &home))).await;
        let response = response.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let served = response.extensions().get::<Served>().unwrap();
        assert_eq!(served.attempts().len(), 2);
        let text = within(response.into_body().collect()).await.unwrap();
        assert_eq!(text.to_bytes(), "other 503\n");

        other.set(Fault::Refuse).await;
        let error = within(client.oneshot(request(Method::GET, &home)))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NeverSent);
        assert_eq!((home.hits(), other.hits()), (0, 1));
    }
}

// ---- Time

#[tokio::test]
async fn the_total_timeout_bounds_a_black_hole() {
    for wire in [Wire::Http1, Wire::H2c] {
        // The attempts at which the time ends: the second, or the only one.
        for (method, hits) in [(Method::GET, (1, 1)), (Method::POST, (1, 0))] {
            let (home, other) = wire.pair().await;
            home.set(Fault::BlackHole).await;
            other.set(Fault::BlackHole).await;
            let client = layer(&home, &other)
                .attempt_timeout(Duration::from_millis(100))
                .total_timeout(Duration::from_secs(1))
                .layer(wire.client());
            let start = Instant::now();
            let error = within(client.oneshot(request(method, &home)))
                .await
                .unwrap_err();
            let elapsed = start.elapsed();
            assert_eq!(error.kind(), ErrorKind::Timeout);
            assert!(elapsed >= Duration::from_secs(1), "{elapsed:?}");
            assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
            assert_eq!((home.hits(), other.hits()), hits);
        }
    }
}

// ---- Many calls

/// The requests of callers so far, and the layer's own probes.
fn calls_and_probes(server: &Server) -> (usize, usize) {
    let requests = server.requests();
    let (calls, probes): (Vec<_>, Vec<_>) = requests
        .iter()
        .partition(|request| request.uri.path() == "/path");
    for probe in &probes {
        assert_eq!((&probe.method, probe.uri.path()), (&Method::HEAD, "/"));
        let headers: Vec<_> = probe.headers.keys().map(|name| name.as_str()).collect();
        assert!(headers.is_empty() || headers == ["host"], "{headers:?}");
        assert!(probe.body.is_empty());
    }
    (calls.len(), probes.len())
}

/// Home is passed over while it is out, probed now and then, and used again once it is well; no
/// caller notices any of it.
async fn home_is_used_again(wire: Wire, fault: Fault) {
    let (home, other) = wire.pair().await;
    // Each wait before a probe is up to a third shorter or longer.
    let wait = Duration::from_millis(1000);
    let health = Health::default()
        .consecutive(1)
        .probe_every(wait, wait)
        .ramp(Duration::ZERO);
    let client = layer(&home, &other).health(health).layer(wire.client());
    let other_answers = (StatusCode::OK, "other".to_owned());
    let home_answers = (StatusCode::OK, "home".to_owned());

    assert_eq!(get(&client, &home).await.unwrap(), home_answers);
    home.set(fault).await;
    let before = Instant::now();
    assert_eq!(get(&client, &home).await.unwrap(), other_answers);
    let (calls, _) = calls_and_probes(&home);
    assert_eq!(get(&client, &home).await.unwrap(), other_answers);
    home.set(Fault::None).await;
    loop {
        match get(&client, &home).await.unwrap() {
            answer if answer == home_answers => break,
            answer => assert_eq!(answer, other_answers),
        }
        assert_eq!(calls_and_probes(&home).0, calls, "no call looks for it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(before.elapsed() >= wait * 2 / 3);
    assert!(calls_and_probes(&home).1 >= 1);
    let hits = other.hits();
    for _ in 0..5 {
        assert_eq!(get(&client, &home).await.unwrap(), home_answers);
    }
    assert_eq!(other.hits(), hits, "all traffic is home");
    assert_eq!(calls_and_probes(&other).1, 0, "it was never out");
}

#[tokio::test]
async fn home_is_used_again_after_a_503() {
    within(home_is_used_again(Wire::Http1, Fault::Status(503))).await;
    within(home_is_used_again(Wire::H2c, Fault::Status(503))).await;
}

#[tokio::test]
async fn home_is_used_again_after_it_refused() {
    within(home_is_used_again(Wire::Http1, Fault::Refuse)).await;
    within(home_is_used_again(Wire::H2c, Fault::Refuse)).await;
}

#[tokio::test]
async fn a_probe_that_fails_is_not_noticed() {
    for wire in [Wire::Http1, Wire::H2c] {
        let (home, other) = wire.pair().await;
        let wait = Duration::from_millis(200);
        let health = Health::default().consecutive(1).probe_every(wait, wait);
        let client = layer(&home, &other).health(health).layer(wire.client());
        home.set(Fault::Status(503)).await;
        within(async {
            while calls_and_probes(&home).1 < 3 {
                let (status, region) = get(&client, &home).await.unwrap();
                assert_eq!((status, &*region), (StatusCode::OK, "other"));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        assert_eq!(calls_and_probes(&home).0, 1, "{wire:?}");
    }
}

const BURST: usize = 50;

/// Fifty calls at once, half of which are under way and half about to be when home dies.
async fn burst(client: &Failover<Inner>, home: &Server) -> Vec<Result<Response<Incoming>, Error>> {
    let earlier = home.hits();
    home.set(Fault::BlackHole).await;
    let start = Arc::new(Barrier::new(BURST));
    let mut calls = JoinSet::new();
    for _ in 0..BURST {
        let (client, request, start) = (client.clone(), request(Method::GET, home), start.clone());
        calls.spawn(async move {
            start.wait().await;
            client.oneshot(request).await
        });
    }
    home.wait_hits(earlier + BURST / 2).await;
    home.set(Fault::Refuse).await;
    within(calls.join_all()).await
}

fn all_served_by_the_other(outcomes: Vec<Result<Response<Incoming>, Error>>) {
    for outcome in outcomes {
        let response = outcome.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["x-region"], "other");
    }
}

#[tokio::test]
async fn no_call_of_a_burst_is_lost_when_home_dies() {
    for wire in [Wire::Http1, Wire::H2c] {
        let (home, other) = wire.pair().await;
        let client = layer(&home, &other)
            .budget(Budget::unlimited())
            .layer(wire.client());
        all_served_by_the_other(burst(&client, &home).await);
        assert_eq!(other.hits(), BURST);
    }
}

#[tokio::test]
async fn no_call_of_a_burst_is_lost_within_the_budget_of_a_busy_client() {
    let (home, other) = Wire::Http1.pair().await;
    let budget = Budget::default();
    let client = layer(&home, &other).budget(budget.clone()).layer(http1());
    // A tenth of a token for each answer, and the rate is measured over a second at least.
    let start = Instant::now();
    let mut calls = 0;
    while calls < 10 * BURST || start.elapsed() < Duration::from_millis(1100) {
        get(&client, &home).await.unwrap();
        calls += 1;
    }
    all_served_by_the_other(burst(&client, &home).await);
    assert_eq!(other.hits(), BURST);
    assert!(budget.available() >= BURST as f64 / 2.0, "{budget:?}");
}

/// What the default budget says: five tokens, and each is back only when its replay succeeded.
#[tokio::test]
async fn a_client_without_a_past_replays_five_calls_of_a_burst_at_once() {
    let (home, other) = Wire::Http1.pair().await;
    let client = layer(&home, &other).layer(http1());
    let mut replayed = 0;
    for outcome in burst(&client, &home).await {
        match outcome {
            Ok(_) => replayed += 1,
            Err(error) => assert_eq!(error.stop(), Some(Stop::Budget)),
        }
    }
    assert!(replayed >= 5, "{replayed}");
    assert_eq!(other.hits(), replayed);
}

#[tokio::test]
async fn connections_are_reused() {
    for wire in [Wire::Http1, Wire::H2c] {
        let (home, other) = wire.pair().await;
        let client = layer(&home, &other).layer(wire.client());
        for _ in 0..50 {
            within(get(&client, &home)).await.unwrap();
        }
        assert_eq!((home.hits(), home.connections()), (50, 1));
        assert_eq!(other.connections(), 0);

        home.set(Fault::Refuse).await;
        for _ in 0..50 {
            assert_eq!(within(get(&client, &home)).await.unwrap().1, "other");
        }
        assert_eq!((other.hits(), other.connections()), (50, 1));
    }
}

// ---- What compiles

/// As a user writes it: no type is named, and none has to be.
macro_rules! client_of {
    ($home:expr, $other:expr) => {{
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        ServiceBuilder::new()
            .layer(layer($home, $other))
            .service(client)
    }};
}

#[tokio::test]
async fn a_client_of_any_body_needs_no_type_annotation() {
    let (home, other) = Wire::Http1.pair().await;
    let uri = home.origin();

    let full = Request::get(&uri).body(Full::new(Bytes::new())).unwrap();
    client_of!(&home, &other).oneshot(full).await.unwrap();

    let empty = Request::get(&uri).body(Empty::<Bytes>::new()).unwrap();
    client_of!(&home, &other).oneshot(empty).await.unwrap();

    let boxed = Request::get(&uri).body(Full::new(Bytes::new()).boxed());
    client_of!(&home, &other)
        .oneshot(boxed.unwrap())
        .await
        .unwrap();

    assert_eq!((home.hits(), other.connections()), (3, 0));
}

#[tokio::test]
async fn the_service_can_be_boxed_and_its_future_spawned() {
    let (home, other) = Wire::Http1.pair().await;
    home.set(Fault::Status(503)).await;

    let client = BoxCloneService::new(client_of!(&home, &other));
    let call = client.clone().oneshot(request(Method::GET, &home));
    assert_eq!(tokio::spawn(call).await.unwrap().unwrap().status(), 200);

    let client = BoxCloneSyncService::new(client_of!(&home, &other));
    let call = client.clone().oneshot(request(Method::GET, &home));
    assert_eq!(tokio::spawn(call).await.unwrap().unwrap().status(), 200);

    // Unboxed, with a body that may fail.
    let mut client = client_of!(&home, &other);
    let body: BoxBody<Bytes, BoxError> = Empty::new().map_err(|never| match never {}).boxed();
    let request = Request::get(home.origin()).body(body).unwrap();
    let call = client.ready().await.unwrap().call(request);
    assert_eq!(tokio::spawn(call).await.unwrap().unwrap().status(), 200);
    assert_eq!((home.hits(), other.hits()), (3, 3));
}
