//! tower's contract: who is polled ready, when, and for how long.

use std::{
    cell::Cell,
    convert::Infallible,
    error::Error as _,
    io::{
        self,
        ErrorKind::{ConnectionRefused, NotConnected},
    },
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full};
use tokio::time::{Instant, sleep, timeout};
use tower::{
    Layer, Service, ServiceExt, buffer::Buffer, limit::ConcurrencyLimit, load_shed::LoadShed,
    service_fn, util::MapErr,
};
use tower_failover::{
    BoxError, Discovery, Error, ErrorKind, FailoverLayer, Health, Query, Region, RegionList,
    Regions, Replay, Stop, classify::Reason, replay::ReplayBody,
};
use tower_test::mock;

use crate::support::{Act, Gate, Readiness, Script, layer, no_wait, request, timed, wait_of};

const S: Duration = Duration::from_secs(1);

type Call = Request<Empty<Bytes>>;

fn status(result: Result<Response<Empty<Bytes>>, Error>) -> StatusCode {
    result.unwrap().status()
}

fn reasons(error: &Error) -> Vec<Reason> {
    error
        .attempts()
        .iter()
        .map(|attempt| attempt.reason())
        .collect()
}

fn unready(error: &Error) -> Option<io::ErrorKind> {
    Some(error.source()?.downcast_ref::<io::Error>()?.kind())
}

#[tokio::test(start_paused = true)]
async fn the_instance_that_was_polled_ready_makes_the_first_attempt() {
    let script = Script::default();
    let gate = Gate::new(script.clone(), []);
    let mut client = layer(2).layer(gate.clone());
    for n in 1..4 {
        let ready = ServiceExt::<Call>::ready(&mut client).await.unwrap();
        assert_eq!((gate.polled(), gate.reserved()), (n, 1));
        let response = ready.call(request(Method::GET)).await;
        assert_eq!(status(response), StatusCode::OK);
        assert_eq!(
            (gate.polled(), gate.reserved()),
            (n, 0),
            "nothing else was polled"
        );
        assert_eq!(script.asked().len(), n);
    }
}

#[tokio::test(start_paused = true)]
async fn each_later_attempt_is_made_by_an_instance_that_was_polled_ready_for_it() {
    let script = Script::new([Act::Status(503), Act::Fail(ConnectionRefused)]);
    let gate = Gate::new(script.clone(), []);
    let client = layer(3).layer(gate.clone());
    assert_eq!(
        status(client.oneshot(request(Method::GET)).await),
        StatusCode::OK
    );
    assert_eq!(script.asked(), ["a", "b", "c"]);
    assert_eq!((gate.polled(), gate.reserved()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_outside_of_the_regions_is_made_by_the_ready_instance_too() {
    let script = Script::default();
    let gate = Gate::new(script.clone(), []);
    let mut request = request(Method::GET);
    *request.uri_mut() = "http://elsewhere/".parse().unwrap();
    let response = layer(2).layer(gate.clone()).oneshot(request).await;
    assert_eq!(status(response), StatusCode::OK);
    assert_eq!((script.asked().len(), gate.polled()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn it_is_ready_when_the_inner_service_is() {
    let gate = Gate::new(Script::default(), [Readiness::After(3 * S)]);
    let mut client = layer(2).layer(gate.clone());
    let (ready, elapsed) = timed(ServiceExt::<Call>::ready(&mut client)).await;
    assert!(ready.is_ok());
    assert_eq!((gate.reserved(), elapsed), (1, 3 * S));
}

#[tokio::test(start_paused = true)]
async fn it_is_not_ready_as_long_as_the_inner_service_is_not() {
    let gate = Gate::new(Script::default(), [Readiness::Never]);
    // Timeouts are a matter of calls, and there is none yet.
    let mut client = layer(2).total_timeout(S).layer(gate.clone());
    let ready = timeout(3600 * S, ServiceExt::<Call>::ready(&mut client)).await;
    assert!(ready.is_err());
    assert_eq!(gate.polled(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_inner_service_that_fails_before_the_first_attempt_is_an_error_of_its_own_kind() {
    let script = Script::default();
    let gate = Gate::new(script.clone(), [Readiness::Fail]);
    let client = layer(2).layer(gate.clone());
    let error = client
        .clone()
        .oneshot(request(Method::GET))
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.stop()), (ErrorKind::NotReady, None));
    assert_eq!(unready(&error), Some(NotConnected));
    assert!(error.attempts().is_empty());
    assert_eq!((script.asked().len(), gate.polled()), (0, 1));
    // A clone is an instance of its own.
    assert_eq!(
        status(client.oneshot(request(Method::GET)).await),
        StatusCode::OK
    );
    assert_eq!(script.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_reserved_during_a_wait() {
    let script = Script::new([Act::Status(503)]);
    let gate = Gate::new(script.clone(), []);
    let client = layer(2).backoff(wait_of(10 * S)).layer(gate.clone());
    let call = tokio::spawn(client.oneshot(request(Method::GET)));
    sleep(9 * S).await;
    assert_eq!(
        (gate.polled(), gate.reserved(), script.in_flight()),
        (1, 0, 0)
    );
    assert_eq!(status(call.await.unwrap()), StatusCode::OK);
    assert_eq!((script.asked().len(), gate.polled()), (2, 2));
}

/// The body of a response, which notes when it is dropped.
struct Noted(Arc<Mutex<Vec<Instant>>>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(Instant::now());
    }
}

impl Body for Noted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_response_is_dropped_before_the_wait() {
    let dropped = Arc::<Mutex<Vec<Instant>>>::default();
    let notes = dropped.clone();
    let inner = service_fn(move |request: Request<ReplayBody<Empty<Bytes>>>| {
        let status = if request.uri().host() == Some("a") {
            503
        } else {
            200
        };
        let response = Response::builder().status(status);
        let response = response.body(Noted(notes.clone())).unwrap();
        async { Ok::<_, Infallible>(response) }
    });
    let client = layer(2).backoff(wait_of(10 * S)).layer(inner);
    let start = Instant::now();
    let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(response.unwrap().status(), StatusCode::OK);
    assert_eq!(elapsed, 10 * S);
    let end = Instant::now();
    assert_eq!(*dropped.lock().unwrap(), [start, end]);
}

#[tokio::test(start_paused = true)]
async fn with_one_permit_inside_another_call_proceeds_while_one_waits() {
    let script = Script::new([Act::Status(503)]);
    let limited = ConcurrencyLimit::new(script.clone(), 1);
    let client = layer(2).backoff(wait_of(10 * S)).layer(limited);
    let waiting = tokio::spawn(client.clone().oneshot(request(Method::GET)));
    sleep(S).await;
    let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(status(response), StatusCode::OK);
    assert_eq!(elapsed, Duration::ZERO);
    assert!(!waiting.is_finished());
    assert_eq!(status(waiting.await.unwrap()), StatusCode::OK);
    assert_eq!(script.asked(), ["a", "a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn with_one_permit_inside_calls_that_fail_together_all_end() {
    let script = Script::default();
    script.always("a", Act::After(S, Box::new(Act::Status(503))));
    script.always("b", Act::After(S, Box::new(Act::Status(200))));
    let limited = ConcurrencyLimit::new(script.clone(), 1);
    let client = layer(2)
        .attempt_timeout(60 * S)
        .health(Health::off())
        .layer(limited);
    let calls: Vec<_> = (0..5)
        .map(|_| tokio::spawn(client.clone().oneshot(request(Method::GET))))
        .collect();
    for call in calls {
        assert_eq!(status(call.await.unwrap()), StatusCode::OK);
    }
    assert_eq!(script.asked().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn with_one_permit_inside_a_silent_attempt_gives_it_to_the_next() {
    let script = Script::new([Act::Hang]);
    let limited = ConcurrencyLimit::new(script.clone(), 1);
    let client = layer(2).backoff(no_wait()).layer(limited);
    let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(status(response), StatusCode::OK);
    assert_eq!((script.asked().len(), elapsed), (2, 5 * S));
}

#[tokio::test(start_paused = true)]
async fn with_one_permit_outside_another_call_does_not_proceed_while_one_waits() {
    let script = Script::new([Act::Status(503)]);
    let client = layer(2).backoff(wait_of(10 * S)).layer(script.clone());
    let client = ConcurrencyLimit::new(client, 1);
    let waiting = tokio::spawn(client.clone().oneshot(request(Method::GET)));
    sleep(S).await;
    let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(status(response), StatusCode::OK);
    assert_eq!(elapsed, 9 * S);
    assert_eq!(status(waiting.await.unwrap()), StatusCode::OK);
    assert_eq!(script.asked(), ["a", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_buffer_inside_takes_replays_too() {
    let script = Script::new([Act::Status(503)]);
    let client = layer(2).layer(Buffer::new(script.clone(), 1));
    for _ in 0..3 {
        let response = client.clone().oneshot(request(Method::GET)).await;
        assert_eq!(status(response), StatusCode::OK);
    }
    assert_eq!(script.asked(), ["a", "b", "a", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_buffer_inside_whose_worker_is_gone_is_an_error_and_no_endless_loop() {
    let script = Script::default();
    let gate = Gate::new(script.clone(), [Readiness::Fail]);
    let client = layer(3).layer(Buffer::new(gate, 1));
    let error = client
        .clone()
        .oneshot(request(Method::POST))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.stop()),
        (ErrorKind::NeverSent, Some(Stop::Attempts))
    );
    assert_eq!(reasons(&error), [Reason::NotReady; 3]);
    let error = client.oneshot(request(Method::POST)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotReady);
    assert_eq!(script.asked().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_replay_is_sent_when_the_mock_allows_it_and_not_before() {
    type Inner = Request<ReplayBody<Empty<Bytes>>>;
    let (mock, mut handle) = mock::pair::<Inner, Response<Empty<Bytes>>>();
    let answer = |status: u16| {
        Response::builder()
            .status(status)
            .body(Empty::new())
            .unwrap()
    };
    let client = layer(2).backoff(no_wait()).layer(mock);
    handle.allow(1);
    let call = tokio::spawn(client.oneshot(request(Method::GET)));
    let (first, reply) = handle.next_request().await.unwrap();
    assert_eq!(first.uri(), "http://a/x?y");
    reply.send_response(answer(503));
    assert!(timeout(4 * S, handle.next_request()).await.is_err());
    handle.allow(1);
    let (second, reply) = handle.next_request().await.unwrap();
    assert_eq!(second.uri(), "http://b/x?y");
    reply.send_response(answer(201));
    assert_eq!(status(call.await.unwrap()), 201);
    assert!(
        handle.next_request().await.is_none(),
        "nobody is left to ask for more"
    );
}

#[tokio::test(start_paused = true)]
async fn an_inner_service_that_fails_before_a_later_attempt_costs_that_attempt_alone() {
    let script = Script::new([Act::Fail(ConnectionRefused)]);
    let gate = Gate::new(script.clone(), [Readiness::Now, Readiness::Fail]);
    // A probe would take an instance too.
    let health = Health::default().probe_every(60 * S, 60 * S);
    let layer = layer(3).backoff(wait_of(S)).health(health);
    let client = layer.layer(gate.clone());
    // Nothing was sent so far, so that even a POST goes on.
    let (response, elapsed) = timed(client.oneshot(request(Method::POST))).await;
    assert_eq!(status(response), StatusCode::OK);
    assert_eq!(script.asked(), ["a", "c"]);
    assert_eq!(script.seen()[1].attempt, Some(3));
    assert_eq!((gate.polled(), elapsed), (3, 2 * S));
}

#[tokio::test(start_paused = true)]
async fn an_inner_service_that_fails_before_all_later_attempts_is_the_last_error() {
    for (first, kind, replay) in [
        (
            Act::Fail(ConnectionRefused),
            ErrorKind::NeverSent,
            Replay::Safe,
        ),
        (Act::Status(503), ErrorKind::Unknown, Replay::Always),
    ] {
        let script = Script::new([first]);
        let gate = Gate::new(
            script.clone(),
            [Readiness::Now, Readiness::Fail, Readiness::Fail],
        );
        let client = layer(3).replay(replay).layer(gate.clone());
        let error = client.oneshot(request(Method::POST)).await.unwrap_err();
        assert_eq!((error.kind(), error.stop()), (kind, Some(Stop::Attempts)));
        assert_eq!(reasons(&error)[1..], [Reason::NotReady; 2]);
        assert_eq!(unready(&error), Some(NotConnected));
        assert_eq!((script.asked().len(), gate.polled()), (1, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn an_inner_service_that_is_never_ready_again_is_given_up() {
    let impatient = || layer(3).backoff(no_wait());
    for (layer, bound) in [
        (impatient(), 10 * S),
        (impatient().attempt_timeout(2 * S), 4 * S),
        // Without an attempt timeout there is a bound all the same.
        (impatient().attempt_timeout(None), 10 * S),
    ] {
        let script = Script::new([Act::Status(503)]);
        let gate = Gate::new(
            script.clone(),
            [Readiness::Now, Readiness::Never, Readiness::Never],
        );
        let client = layer.layer(gate.clone());
        let (result, elapsed) = timed(client.oneshot(request(Method::GET))).await;
        let error = result.unwrap_err();
        assert_eq!(reasons(&error)[1..], [Reason::NotReady; 2]);
        assert_eq!(
            (script.asked().len(), gate.polled(), elapsed),
            (1, 3, bound)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_inner_service_that_is_not_ready_in_time_is_tried_for_the_next_region() {
    let script = Script::new([Act::Status(503)]);
    let gate = Gate::new(script.clone(), [Readiness::Now, Readiness::After(6 * S)]);
    let client = layer(3).backoff(no_wait()).layer(gate.clone());
    let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(status(response), StatusCode::OK);
    assert_eq!(script.asked(), ["a", "c"]);
    assert_eq!((gate.polled(), gate.reserved(), elapsed), (3, 0, 5 * S));
}

#[tokio::test(start_paused = true)]
async fn the_attempt_timeout_begins_anew_once_the_inner_service_is_ready() {
    let late = Act::After(4 * S, Box::new(Act::Status(200)));
    let script = Script::new([Act::Status(503), late]);
    let gate = Gate::new(script.clone(), [Readiness::Now, Readiness::After(4 * S)]);
    let client = layer(3).backoff(no_wait()).layer(gate.clone());
    let (response, elapsed) = timed(client.oneshot(request(Method::GET))).await;
    assert_eq!(status(response), StatusCode::OK);
    assert_eq!((script.asked().len(), elapsed), (2, 8 * S));
}

#[tokio::test(start_paused = true)]
async fn the_total_time_bounds_readiness() {
    for (min, end) in [(Duration::ZERO, 3 * S), (2 * S, S)] {
        for readiness in [Readiness::Never, Readiness::After(4 * S)] {
            let script = Script::new([Act::Status(503)]);
            let gate = Gate::new(script.clone(), [Readiness::Now, readiness]);
            let client = layer(2)
                .total_timeout(3 * S)
                .min_attempt_time(min)
                .attempt_timeout(Duration::MAX)
                .backoff(no_wait())
                .layer(gate.clone());
            let (result, elapsed) = timed(client.oneshot(request(Method::GET))).await;
            let error = result.unwrap_err();
            assert_eq!(
                (error.kind(), error.stop()),
                (ErrorKind::Timeout, Some(Stop::Deadline))
            );
            assert_eq!(
                (script.asked().len(), gate.reserved(), elapsed),
                (1, 0, end)
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn readiness_that_comes_as_the_minimal_time_begins_comes_too_late() {
    const MS: Duration = Duration::from_millis(1);
    for (readiness, end) in [(S, None), (S - MS, Some(StatusCode::OK))] {
        let script = Script::new([Act::Status(503)]);
        let readiness = [Readiness::Now, Readiness::After(readiness)];
        let gate = Gate::new(script.clone(), readiness);
        let client = layer(2)
            .total_timeout(3 * S)
            .min_attempt_time(2 * S)
            .backoff(no_wait())
            .layer(gate.clone());
        let result = client.oneshot(request(Method::GET)).await;
        match (result, end) {
            (Ok(response), Some(expected)) => assert_eq!(response.status(), expected),
            (Err(error), None) => assert_eq!(error.kind(), ErrorKind::Timeout),
            (result, _) => panic!("{result:?}"),
        }
        assert_eq!(script.asked().len(), if end.is_some() { 2 } else { 1 });
        assert_eq!(gate.reserved(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_blamed_for_an_inner_service_that_is_not_ready() {
    let layer = layer(2).backoff(no_wait());
    let call = async |script: &Script, readiness: Vec<Readiness>| {
        let client = layer.layer(Gate::new(script.clone(), readiness));
        client.oneshot(request(Method::GET)).await
    };
    for _ in 0..5 {
        let script = Script::new([Act::Status(503)]);
        call(&script, vec![Readiness::Now, Readiness::Fail])
            .await
            .unwrap_err();
        // Home succeeds in between, so that it is not ejected for its own failures.
        call(&script, vec![]).await.unwrap();
        assert_eq!(script.asked(), ["a", "a"]);
    }
    let script = Script::new([Act::Status(503)]);
    assert_eq!(status(call(&script, vec![]).await), StatusCode::OK);
    assert_eq!(script.asked(), ["a", "b"], "b was not ejected");
}

/// A client inside of which there is one permit and no queue, and a call that holds the permit.
async fn overloaded(
    script: &Script,
) -> (
    tower_failover::Failover<LoadShed<ConcurrencyLimit<Script>>>,
    tokio::task::JoinHandle<Result<Response<Empty<Bytes>>, Error>>,
) {
    let shed = LoadShed::new(ConcurrencyLimit::new(script.clone(), 1));
    let client = layer(2).backoff(wait_of(S)).layer(shed);
    let busy = tokio::spawn(client.clone().oneshot(request(Method::POST)));
    while script.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    (client, busy)
}

#[tokio::test(start_paused = true)]
async fn what_is_shed_inside_was_never_sent_and_is_tried_again() {
    let half = Act::After(S / 2, Box::new(Act::Status(200)));
    let script = Script::new([half]);
    let (client, busy) = overloaded(&script).await;
    let (response, elapsed) = timed(client.oneshot(request(Method::POST))).await;
    assert_eq!(status(response), StatusCode::OK);
    assert_eq!(script.asked(), ["a", "b"]);
    assert_eq!(elapsed, S);
    assert_eq!(status(busy.await.unwrap()), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn what_is_always_shed_inside_is_an_error_and_blames_nobody() {
    let script = Script::new([Act::Hang]);
    let (client, busy) = overloaded(&script).await;
    for _ in 0..2 {
        let error = client
            .clone()
            .oneshot(request(Method::POST))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.stop()),
            (ErrorKind::NeverSent, Some(Stop::Regions))
        );
        assert_eq!(reasons(&error), [Reason::NotReady; 2]);
    }
    assert_eq!(script.asked().len(), 1);
    busy.abort();
    assert!(busy.await.unwrap_err().is_cancelled());
    assert_eq!(
        status(client.oneshot(request(Method::POST)).await),
        StatusCode::OK
    );
    assert_eq!(script.asked(), ["a", "a"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_shed_inside_without_a_proof_ejects_nobody_for_requests_of_one_path() {
    let slow = Act::After(S, Box::new(Act::Status(200)));
    let script = Script::new([slow]);
    let shed = LoadShed::new(ConcurrencyLimit::new(script.clone(), 1));
    // An error that says nothing of what became of the request.
    let shed = MapErr::new(shed, |error: BoxError| BoxError::from(error.to_string()));
    let client = layer(2).backoff(no_wait()).layer(shed);
    let busy = tokio::spawn(client.clone().oneshot(request(Method::POST)));
    while script.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    for _ in 0..5 {
        let error = client.clone().oneshot(request(Method::POST)).await;
        let error = error.unwrap_err();
        assert_eq!(
            (error.kind(), error.stop()),
            (ErrorKind::Unknown, Some(Stop::NotReplayable))
        );
        assert_eq!(reasons(&error), [Reason::Other]);
        assert_eq!(error.attempts()[0].region().name(), "http://a:80");
    }
    assert_eq!(status(busy.await.unwrap()), StatusCode::OK);
    assert_eq!(
        status(client.oneshot(request(Method::POST)).await),
        StatusCode::OK
    );
    assert_eq!(script.asked(), ["a", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_sync_can_be_wrapped() {
    let asked = Arc::new(Mutex::new(0));
    let inner = service_fn({
        let asked = asked.clone();
        // A cell may be sent to another thread, but not be shared with it.
        let cell = Cell::new(503);
        move |_: Request<ReplayBody<Empty<Bytes>>>| {
            let mut asked = asked.lock().unwrap();
            *asked += 1;
            let status = if *asked == 1 { cell.get() } else { 200 };
            let response = Response::builder()
                .status(status)
                .body(Empty::<Bytes>::new());
            std::future::ready(Ok::<_, Infallible>(response.unwrap()))
        }
    });
    let response = layer(2).layer(inner).oneshot(request(Method::GET)).await;
    assert_eq!(
        (status(response), *asked.lock().unwrap()),
        (StatusCode::OK, 2)
    );
}

/// Lists `b` and `c` for as long as five seconds.
async fn b_and_c(_: Query) -> Result<RegionList, Infallible> {
    let region = |name: &str| Region::new(name, format!("http://{name}")).unwrap();
    Ok(RegionList::new(vec![region("b"), region("c")]).ttl(5 * S))
}

#[tokio::test(start_paused = true)]
async fn the_body_of_an_attempt_that_was_not_begun_is_sent_after_a_second_search() {
    let script = Script::new([Act::Status(503)]);
    // When the second attempt is given up, the list has expired.
    let gate = Gate::new(script.clone(), [Readiness::Now, Readiness::Never]);
    let discovery = Discovery::service(service_fn(b_and_c)).allow_any();
    let layer = FailoverLayer::new(Regions::discover(discovery))
        .backoff(no_wait())
        .attempt_timeout(6 * S);
    layer.handle().refresh("http://a").await.unwrap();
    // Not one frame that is there at once, so that attempts share it.
    let body = Full::new(Bytes::from("all of it")).with_trailers(async { None });
    let request = Request::put("http://a/").body(Box::pin(body)).unwrap();
    let response = timeout(60 * S, layer.layer(gate).oneshot(request)).await;
    assert_eq!(response.unwrap().unwrap().status(), StatusCode::OK);
    let last = script.seen().pop().unwrap();
    assert_eq!(
        (last.body.as_ref(), last.complete),
        (&b"all of it"[..], true)
    );
}
