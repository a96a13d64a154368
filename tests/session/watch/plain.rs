//! A protocol that leaves all to the watch: it takes leases as they come, and sets `Accept` itself.

use std::time::Duration;

use bytes::Bytes;
use http::{
    Request, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING},
};
use tokio::time::{Instant, advance};
use tower::Service;
use tower_failover::{
    BoxError,
    session::{
        Attempt, Directive, Outcome,
        watch::{
            ConnectErrorKind, Event, Exit, Hello, Lease, Lost, Policy, Protocol, Watch, Watching,
        },
    },
};

use super::{
    Call, MS,
    memory::{attempt, exit, is_pending, memory, send},
};

#[derive(Clone)]
struct Plain {
    interval: Duration,
}

impl Protocol for Plain {
    type Done = Call;

    fn open(&self, attempt: &Attempt<Lease>) -> http::Result<Request<()>> {
        let lease = attempt.resume.as_ref().map_or("", Lease::as_str);
        let request = Request::get(format!("/start?lease={lease}"));
        request
            .header(ACCEPT, "*/*")
            .header(ACCEPT_ENCODING, "gzip")
            .body(())
    }

    fn hello(&mut self, event: &Event) -> Result<Option<Hello>, BoxError> {
        Ok(Some(Hello::new(event.data.as_str(), self.interval)))
    }

    fn heartbeat(&self, lease: &Lease) -> http::Result<Request<Bytes>> {
        Request::post("/beat").body(lease.as_str().to_owned().into())
    }

    fn done(&mut self, _: &Event) -> Result<Option<Call>, BoxError> {
        Ok(None)
    }
}

const PLAIN: Plain = Plain {
    interval: Duration::from_secs(1),
};

#[tokio::test(start_paused = true)]
async fn what_the_watch_sets_is_there_once() {
    let (client, mut peer) = memory();
    let _connecting = tokio::spawn(Watch::new(client, PLAIN).call(attempt()));
    let asked = peer.next().await;
    let headers = asked.request.headers();
    let all = |name| headers.get_all(name).iter().collect::<Vec<_>>();
    assert_eq!(all(ACCEPT), ["text/event-stream"]);
    assert_eq!(all(ACCEPT_ENCODING), ["identity"]);
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_which_no_request_can_be_made_is_left() {
    let (client, mut peer) = memory();
    let mut attempt = attempt();
    attempt.resume = Some(Lease::new("no uri"));
    let connected = tokio::spawn(Watch::new(client, PLAIN).call(attempt));
    let asked = peer.next().await;
    assert_eq!(asked.request.uri().query(), Some("lease="));
    let mut stream = asked.answer(200, "text/event-stream");
    send(&mut stream, "data: one that is\n\n").await;
    assert!(connected.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_forbids_to_ask_again_names_no_wait() {
    let (client, mut peer) = memory();
    let connected = tokio::spawn(Watch::new(client, PLAIN).call(attempt()));
    let asked = peer.next().await;
    asked.answer_with(503, &[("grpc-retry-pushback-ms", "-1")]);
    let error = connected.await.unwrap().expect_err("no session");
    let status = StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(*error.kind(), ConnectErrorKind::Status(status));
    assert_eq!(error.retry_after(), None);
    let directive = Policy::default().classify::<()>(Outcome::ConnectFailed(&error));
    assert_eq!(directive, Directive::retry());
}

#[tokio::test(start_paused = true)]
async fn an_interval_of_nothing_or_for_ever_is_one() {
    let connect = async |interval| {
        let (client, mut peer) = memory();
        let mut watch = Watch::new(client, Plain { interval })
            .heartbeat_intervals(Duration::ZERO..=Duration::MAX);
        let connected = tokio::spawn(watch.call(attempt()));
        let mut stream = peer.next().await.answer(200, "text/event-stream");
        send(&mut stream, "data: lease\n\n").await;
        let session: Watching<Call> = connected.await.unwrap().expect("a session");
        (Box::pin(session), stream, peer)
    };
    let (mut session, _stream, mut peer) = connect(Duration::ZERO).await;
    let started = Instant::now();
    let beat = tokio::spawn(async move {
        let asked = peer.next().await;
        let at = asked.at;
        asked.status(410);
        at
    });
    let exit = exit(&mut session).await;
    assert!(matches!(exit, Exit::Heartbeat(Lost::Gone)), "{exit:?}");
    assert_eq!(beat.await.unwrap() - started, MS);

    let (mut session, _stream, mut peer) = connect(Duration::MAX).await;
    assert!(is_pending(&mut session));
    advance(Duration::from_secs(365 * 86_400)).await;
    assert!(is_pending(&mut session));
    assert!(peer.is_idle());
}
