//! A discovery service of the user's own.

use std::{
    future::{Ready, ready},
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use http::HeaderValue;
use tokio::time::{Instant, sleep};
use tower::Service;
use tower_failover::{BoxError, Budget, Discovery, FailoverLayer, Query, Region, RegionList, Stop};

use crate::support::*;

const S: Duration = Duration::from_secs(1);

/// Answers with a list, or an error, and remembers what it was asked.
#[derive(Clone)]
struct Source {
    answer: Result<RegionList, &'static str>,
    queries: Arc<Mutex<Vec<Query>>>,
    /// Whether it is ever ready; not the first time that anybody wants to know.
    willing: bool,
    polled: bool,
}

impl Source {
    fn new(answer: Result<RegionList, &'static str>) -> Self {
        Self {
            answer,
            queries: Arc::default(),
            willing: true,
            polled: false,
        }
    }

    fn layer(&self) -> FailoverLayer {
        layer_of(Discovery::service(self.clone()))
    }

    fn asked(&self) -> Vec<Query> {
        self.queries.lock().unwrap().clone()
    }
}

impl Service<Query> for Source {
    type Response = RegionList;
    type Error = BoxError;
    type Future = Ready<Result<RegionList, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match (self.willing, self.polled) {
            (false, _) => Poll::Pending,
            (true, true) => Poll::Ready(Ok(())),
            (true, false) => {
                self.polled = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn call(&mut self, query: Query) -> Self::Future {
        assert!(self.willing && self.polled, "called before it was ready");
        self.queries.lock().unwrap().push(query);
        ready(self.answer.clone().map_err(Into::into))
    }
}

/// `a` fails.
fn world() -> World {
    let world = World::default();
    world.on("a", Act::Status(503));
    world
}

async fn status_of(world: &World, layer: &FailoverLayer) -> u16 {
    let response = head_of(&world.client(layer), get_of("a")).await;
    response.unwrap().status().as_u16()
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_in_place_of_home() {
    let (world, source) = (world(), Source::new(Ok(regions_of(&["a", "b"]))));
    assert_eq!(status_of(&world, &source.layer()).await, 200);
    assert_eq!(world.log(), ["a", "b"], "and nobody for a document");
    assert_eq!(source.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn it_is_not_asked_while_all_is_well() {
    let (world, source) = (World::default(), Source::new(Ok(regions_of(&["a", "b"]))));
    assert_eq!(status_of(&world, &source.layer()).await, 200);
    assert!(source.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn it_is_told_of_the_call_that_needs_it() {
    let (world, source) = (world(), Source::new(Ok(regions_of(&["a", "b"]))));
    let mut request = get_of("a");
    for name in [
        "authorization",
        "x-project",
        "content-type",
        "idempotency-key",
    ] {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static("v"));
    }
    let client = world.client(&source.layer());
    assert_eq!(head_of(&client, request).await.unwrap().status(), 200);
    let query = source.asked().remove(0);
    assert_eq!(query.home().to_string(), origin("a"));
    let names: Vec<_> = query.headers().keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["authorization", "x-project"]);
    let excluded: Vec<_> = query.excluded().iter().map(Region::to_string).collect();
    assert_eq!(excluded, [origin("a")]);
    assert_eq!(query.migrating_from().unwrap().to_string(), origin("a"));
    let shown = format!("{query:?}");
    assert!(
        !shown.contains("authorization") && !shown.contains("x-project"),
        "{shown}"
    );
}

#[tokio::test(start_paused = true)]
async fn it_is_told_all_regions_that_the_call_has_tried() {
    let (world, source) = (world(), Source::new(Ok(regions_of(&["a", "b", "c"]))));
    // The list is good for leaving `a`, and has expired when `b` fails.
    world.on("b", after(2 * S, Act::Status(503)));
    let layer = source.layer();
    let known = regions_of(&["a", "b"]).ttl(S);
    layer.handle().set_regions(origin("a"), known).unwrap();
    assert_eq!(status_of(&world, &layer).await, 200);
    assert_eq!(world.log(), ["a", "b", "c"]);
    let query = source.asked().remove(0);
    // As the list named them.
    let excluded: Vec<_> = query.excluded().iter().map(Region::name).collect();
    assert_eq!(excluded, ["a", "b"]);
    assert_eq!(query.migrating_from().unwrap().name(), "b");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_tells_it_of_no_call() {
    let source = Source::new(Ok(regions_of(&["a", "b"])));
    let layer = source.layer();
    // No client has called yet, and none is needed.
    layer.handle().refresh(origin("a")).await.unwrap();
    let query = source.asked().remove(0);
    assert_eq!(query.home().to_string(), origin("a"));
    assert!(query.headers().is_empty() && query.excluded().is_empty());
    assert!(query.migrating_from().is_none());
    let world = world();
    assert_eq!(status_of(&world, &layer).await, 200);
    assert_eq!(source.asked().len(), 1, "the list is known");
}

/// Its list is used for 100 s, or less by a tenth at most.
async fn is_used_for_100_s(source: &Source, layer: FailoverLayer) {
    let (world, layer) = (world(), layer.budget(Budget::unlimited()));
    layer.handle().refresh(origin("a")).await.unwrap();
    for (pause, asked) in [(89, 1), (12, 2)] {
        sleep(pause * S).await;
        assert_eq!(status_of(&world, &layer).await, 200);
        assert_eq!(source.asked().len(), asked);
    }
}

#[tokio::test(start_paused = true)]
async fn its_list_is_used_for_as_long_as_it_says() {
    let source = Source::new(Ok(regions_of(&["a", "b"]).ttl(100 * S)));
    is_used_for_100_s(&source, source.layer()).await;
}

#[tokio::test(start_paused = true)]
async fn its_list_is_used_for_the_default_time_if_it_does_not_say() {
    let source = Source::new(Ok(regions_of(&["a", "b"])));
    let discovery = Discovery::service(source.clone()).default_ttl(100 * S);
    is_used_for_100_s(&source, layer_of(discovery)).await;
}

#[tokio::test(start_paused = true)]
async fn its_error_ends_no_call_with_another_error_and_is_kept_for_a_while() {
    let (world, source) = (world(), Source::new(Err("token secret")));
    let layer = source.layer();
    for _ in 0..5 {
        assert_eq!(status_of(&world, &layer).await, 503);
    }
    assert_eq!(source.asked().len(), 1, "it is left alone");
    world.on("a", Act::Reset);
    let error = head_of(&world.client(&layer), get_of("a"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.stop(), error.attempts().len()),
        (Some(Stop::Discovery), 1)
    );

    let error = layer.handle().refresh(origin("a")).await.unwrap_err();
    assert_eq!(source.asked().len(), 2);
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "token secret");
    assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_never_ready_is_not_called() {
    let (world, mut source) = (world(), Source::new(Ok(regions_of(&["a", "b"]))));
    source.willing = false;
    let begin = Instant::now();
    assert_eq!(status_of(&world, &source.layer()).await, 503);
    assert_eq!(begin.elapsed(), 2 * S, "the discovery timeout");
    assert!(source.asked().is_empty());
    let error = source.layer().handle().refresh(origin("a")).await;
    let shown = error.unwrap_err().to_string();
    assert!(shown.ends_with("no answer in time"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn what_it_names_is_trusted_no_more_than_any_list() {
    let elsewhere = |_: ()| Region::new("x", "https://x.example.org").unwrap();
    let answer = || RegionList::new(vec![elsewhere(())]);
    let refused = world();
    let source = Source::new(Ok(answer()));
    assert_eq!(status_of(&refused, &source.layer()).await, 503);
    assert_eq!(refused.log(), ["a"], "the stranger is not called");
    assert_eq!(source.asked().len(), 1);

    for allowed in ["x.example.org", "*.example.org"] {
        let world = world();
        let source = Source::new(Ok(answer()));
        let layer = layer_of(Discovery::service(source.clone()).allow([allowed]));
        assert_eq!(status_of(&world, &layer).await, 200, "{allowed}");
        assert_eq!(world.log(), ["a", "x.example.org"], "{allowed}");
    }
}
