//! What callers and other middleware see of the middleware.

use std::{
    error::Error as StdError,
    fmt, io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ::reqwest::{Body, Request, Response};
use bytes::Bytes;
use failover_cluster::{Fault, Server};
use futures_util::{future, stream};
use http::Extensions;
use reqwest_middleware::{
    ClientBuilder, ClientWithMiddleware, Error as MiddlewareError, Middleware, Next, Result,
};
use tower_failover::{
    Attempt, Error, ErrorKind, FailoverLayer, Hedge, Override, Replay, Served,
    reqwest::FailoverMiddleware,
};

use super::support::*;
use crate::support::{PAYLOAD, ejected, layer, within};

struct Scene {
    home: Server,
    other: Server,
}

impl Scene {
    async fn new(home: Fault, other: Fault) -> Self {
        let scene = Self {
            home: Server::http1("home").await,
            other: Server::http1("other").await,
        };
        scene.home.set(home).await;
        scene.other.set(other).await;
        scene
    }

    fn layer(&self) -> FailoverLayer {
        layer([self.home.origin(), self.other.origin()])
    }

    fn url(&self) -> String {
        format!("{}/path", self.home.origin())
    }

    fn hits(&self) -> (usize, usize) {
        (self.home.hits(), self.other.hits())
    }
}

fn client(layer: FailoverLayer) -> ClientWithMiddleware {
    client_over(layer, Tracker::default())
}

/// The layer, and this inside of it.
fn client_over(layer: FailoverLayer, inner: impl Middleware) -> ClientWithMiddleware {
    ClientBuilder::new(http1())
        .with(FailoverMiddleware::new(layer, http1()))
        .with(inner)
        .build()
}

/// Which attempt left it.
#[derive(Clone, Debug, PartialEq)]
struct Left(usize);

/// Keeps the numbers of the attempts that it saw, and counts those that are under way.
#[derive(Clone, Default)]
struct Tracker {
    attempts: Arc<Mutex<Vec<Option<u32>>>>,
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl Middleware for Tracker {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let number = extensions.get().map(Attempt::number);
        let count = {
            let mut attempts = self.attempts.lock().unwrap();
            attempts.push(number);
            attempts.len()
        };
        assert!(extensions.insert(Left(count)).is_none());
        let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let _running = Running(self.running.clone());
        next.run(request, extensions).await
    }
}

#[tokio::test]
async fn an_override_is_heeded_that_a_request_was_built_with() {
    let scene = Scene::new(Fault::Status(503), Fault::None).await;
    let request = client(scene.layer()).post(scene.url()).body(PAYLOAD);
    let request = request.with_extension(Override::new().replay(Replay::Always));
    let response = within(request.send()).await.unwrap();
    assert_eq!(region(&response), "other");
    let served = response.extensions().get::<Served>().unwrap();
    assert_eq!(served.attempts().len(), 2);
    assert_eq!(scene.other.requests()[0].body, PAYLOAD);

    let request = client(scene.layer()).post(scene.url()).body(PAYLOAD);
    let response = within(request.send()).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), region(&response)),
        (503, "home")
    );
}

#[tokio::test]
async fn inner_middleware_sees_each_attempt_and_the_caller_what_the_last_one_left() {
    let scene = Scene::new(Fault::Status(503), Fault::None).await;
    let tracker = Tracker::default();
    let client = client_over(scene.layer(), tracker.clone());
    let request = client.get(scene.url()).build().unwrap();
    let mut extensions = Extensions::new();
    extensions.insert("the caller's");
    let call = client.execute_with_extensions(request, &mut extensions);
    assert_eq!(region(&within(call).await.unwrap()), "other");
    assert_eq!(*tracker.attempts.lock().unwrap(), [None, Some(2)]);
    assert_eq!(extensions.get(), Some(&Left(2)));
    assert_eq!(extensions.get(), Some(&"the caller's"));
    assert!(extensions.get::<Attempt>().is_none());
}

#[tokio::test]
async fn an_attempt_that_is_given_up_ends_before_the_next_one_begins() {
    let scene = Scene::new(Fault::BlackHole, Fault::None).await;
    let tracker = Tracker::default();
    let layer = scene.layer().attempt_timeout(Duration::from_millis(100));
    let client = client_over(layer, tracker.clone());
    let response = within(client.get(scene.url()).send()).await.unwrap();
    assert_eq!(region(&response), "other");
    assert_eq!(tracker.attempts.lock().unwrap().len(), 2);
    assert_eq!(tracker.most.load(Ordering::SeqCst), 1);
    assert_eq!(tracker.running.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_hedge_runs_beside_the_attempt_and_ends_with_the_call() {
    let scene = Scene::new(Fault::BlackHole, Fault::None).await;
    let tracker = Tracker::default();
    let layer = scene.layer().hedge(Hedge::after(Duration::from_millis(50)));
    let client = client_over(layer, tracker.clone());
    let response = within(client.get(scene.url()).send()).await.unwrap();
    assert_eq!(region(&response), "other");
    assert_eq!(tracker.most.load(Ordering::SeqCst), 2);
    assert_eq!(tracker.running.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_call_that_is_dropped_takes_its_attempt_along() {
    let scene = Scene::new(Fault::BlackHole, Fault::None).await;
    let tracker = Tracker::default();
    let client = client_over(scene.layer(), tracker.clone());
    let endless = stream::pending::<std::result::Result<Bytes, io::Error>>();
    let request = client
        .put(scene.url())
        .body(Body::wrap_stream(endless))
        .send();
    let call = tokio::spawn(request);
    scene.home.wait_hits(1).await;
    assert_eq!(tracker.running.load(Ordering::SeqCst), 1);
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert_eq!(tracker.running.load(Ordering::SeqCst), 0);
    scene.home.wait_no_open_uploads().await;
    assert_eq!(scene.hits(), (1, 0));
}

#[tokio::test]
async fn an_error_of_reqwests_can_be_asked_as_before_and_the_attempts_are_told_beside_it() {
    let scene = Scene::new(Fault::Refuse, Fault::Refuse).await;
    let client = client(scene.layer());
    let request = client.post(scene.url()).body(PAYLOAD).build().unwrap();
    let mut extensions = Extensions::new();
    let call = client.execute_with_extensions(request, &mut extensions);
    let error = within(call).await.unwrap_err();
    assert!(error.is_connect() && error.is_request() && !error.is_timeout());
    let error = extensions.get::<Arc<Error>>().unwrap();
    assert_eq!(error.kind(), ErrorKind::NeverSent);
    assert_eq!(error.attempts().len(), 2);
}

#[tokio::test]
async fn the_requests_timeout_ends_with_reqwests_error() {
    let scene = Scene::new(Fault::BlackHole, Fault::BlackHole).await;
    let layer = scene.layer().attempt_timeout(Duration::from_millis(100));
    let request = client(layer).get(scene.url());
    let request = request.timeout(Duration::from_millis(200));
    let error = within(request.send()).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(scene.hits(), (1, 1));
}

#[tokio::test]
async fn the_requests_timeout_ends_with_reqwests_error_though_it_is_noticed_late() {
    let scene = Scene::new(Fault::BlackHole, Fault::None).await;
    let request = client(scene.layer()).get(scene.url());
    let call = request.timeout(Duration::from_millis(100)).send();
    let busy = async {
        scene.home.wait_hits(1).await;
        // Whatever else runs on this thread finds all timers at their end.
        let began = tokio::time::Instant::now();
        while began.elapsed() < Duration::from_millis(300) {}
    };
    let (outcome, ()) = within(future::join(call, busy)).await;
    let error = outcome.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
}

#[tokio::test]
async fn the_layers_timeout_ends_with_its_own_error() {
    let scene = Scene::new(Fault::BlackHole, Fault::None).await;
    let layer = scene.layer().total_timeout(Duration::from_millis(50));
    let error = within(client(layer).get(scene.url()).send())
        .await
        .unwrap_err();
    let MiddlewareError::Middleware(error) = error else {
        panic!("{error:?}");
    };
    let error: Error = error.downcast().unwrap();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.attempts().len(), 1);
}

/// An error that is of inner middleware, with another one below.
#[derive(Debug)]
struct Broken(io::Error);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken")
    }
}

impl StdError for Broken {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

/// Does not let a request through.
struct Breaker(io::ErrorKind);

#[async_trait::async_trait]
impl Middleware for Breaker {
    async fn handle(&self, _: Request, _: &mut Extensions, _: Next<'_>) -> Result<Response> {
        Err(MiddlewareError::middleware(Broken(self.0.into())))
    }
}

#[tokio::test]
async fn an_error_of_inner_middleware_is_understood_and_given_back_as_it_was() {
    for (kind, expected) in [
        (io::ErrorKind::ConnectionRefused, ErrorKind::NeverSent),
        (io::ErrorKind::ConnectionReset, ErrorKind::Unknown),
    ] {
        let scene = Scene::new(Fault::None, Fault::None).await;
        let layer = scene.layer();
        let handle = layer.handle();
        let client = client_over(layer, Breaker(kind));
        let request = client.post(scene.url()).body(PAYLOAD).build().unwrap();
        let mut extensions = Extensions::new();
        let call = client.execute_with_extensions(request, &mut extensions);
        let MiddlewareError::Middleware(error) = within(call).await.unwrap_err() else {
            panic!("the error is none of the client's");
        };
        assert_eq!(error.downcast_ref::<Broken>().unwrap().0.kind(), kind);
        assert_eq!(extensions.get::<Arc<Error>>().unwrap().kind(), expected);
        let attempts = extensions.get::<Arc<Error>>().unwrap().attempts().len();
        let is_unsent = expected == ErrorKind::NeverSent;
        assert_eq!(attempts, if is_unsent { 2 } else { 1 });
        let out = ejected(&handle, &scene.home.origin()).len();
        assert_eq!(out, if is_unsent { 2 } else { 0 });
    }
}

#[tokio::test]
async fn a_request_for_another_host_passes_with_its_extensions() {
    let scene = Scene::new(Fault::None, Fault::None).await;
    let host = Server::http1("host").await;
    host.set(Fault::Status(503)).await;
    let tracker = Tracker::default();
    let client = client_over(scene.layer(), tracker.clone());
    let request = client.get(host.origin()).build().unwrap();
    let mut extensions = Extensions::new();
    let call = client.execute_with_extensions(request, &mut extensions);
    assert_eq!(region(&within(call).await.unwrap()), "host");
    assert_eq!(extensions.get(), Some(&Left(1)));
    assert_eq!((host.hits(), scene.hits()), (1, (0, 0)));
}

#[tokio::test]
async fn what_is_no_url_for_http_gets_the_clients_own_error() {
    let scene = Scene::new(Fault::None, Fault::None).await;
    for url in ["ftp://127.0.0.1/", "https://{{hostname}}/"] {
        let error = within(client(scene.layer()).get(url).send())
            .await
            .unwrap_err();
        assert!(error.is_builder(), "{error:?}");
    }
}

#[tokio::test]
async fn a_redirect_that_wants_the_body_again_is_followed_through_the_middleware() {
    let scene = Scene::new(Fault::None, Fault::None).await;
    let redirect = Fault::StatusWith(307, vec![("location", "/to".to_owned())]);
    scene.home.set_at("/path", redirect).await;
    let client = client(scene.layer());
    let request = client.post(scene.url()).body(PAYLOAD).build().unwrap();
    let mut extensions = Extensions::new();
    let call = client.execute_with_extensions(request, &mut extensions);
    assert_eq!(within(call).await.unwrap().status(), 200);
    assert_eq!(scene.home.requests_at("/to")[0].body, PAYLOAD);
    assert_eq!(extensions.get(), Some(&Left(2)));
}

/// Runs what comes next once more after an error.
struct Again;

#[async_trait::async_trait]
impl Middleware for Again {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let again = request.try_clone().unwrap();
        let outcome = next.clone().run(request, extensions).await;
        assert!(outcome.is_err());
        assert!(extensions.get::<Arc<Error>>().is_some());
        next.run(again, extensions).await
    }
}

/// Fails the first two runs.
#[derive(Default)]
struct Flaky(AtomicUsize);

#[async_trait::async_trait]
impl Middleware for Flaky {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        if self.0.fetch_add(1, Ordering::SeqCst) < 2 {
            let refused = http1().get("http://127.0.0.1:1/").send().await;
            return refused.map_err(Into::into);
        }
        next.run(request, extensions).await
    }
}

#[tokio::test]
async fn an_answered_call_leaves_no_error_of_an_earlier_run() {
    let scene = Scene::new(Fault::None, Fault::None).await;
    let client = ClientBuilder::new(http1())
        .with(Again)
        .with(FailoverMiddleware::new(scene.layer(), http1()))
        .with(Flaky::default())
        .build();
    let mut extensions = Extensions::new();
    let request = client.get(scene.url()).build().unwrap();
    let call = client.execute_with_extensions(request, &mut extensions);
    let response = within(call).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(extensions.get::<Arc<Error>>().is_none());
}

#[tokio::test]
async fn debug_shows_no_header_that_a_client_adds() {
    let mut headers = http::HeaderMap::new();
    headers.insert("x-api-key", "TOPSECRET".parse().unwrap());
    let client = builder().default_headers(headers).build().unwrap();
    let layer = layer(["http://a".to_owned(), "http://b".to_owned()]);
    let service = tower::Layer::layer(&layer, client.clone());
    let shown = format!("{service:?} {:?}", FailoverMiddleware::new(layer, client));
    assert!(shown.contains("http://a"), "{shown}");
    assert!(!shown.contains("TOPSECRET"), "{shown}");
}
