//! Uploads that home answers before they end: they are held while regions are asked for.

use std::time::Duration;

use bytes::Bytes;
use failover_cluster::{Fault, Server};
use http::{Request, Response};
use http_body_util::channel::{Channel, Sender};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::time::{sleep, timeout};
use tower::{Layer, ServiceExt, service_fn};
use tower_failover::{FailoverLayer, Regions, Replay, replay::ReplayBody};

use crate::support::*;

const MS: Duration = Duration::from_millis(1);
const PIECE: Bytes = Bytes::from_static(&[b'x'; 100]);
/// At most ten pieces are kept.
const KEPT: usize = 1000;

fn upload(home: &str) -> (Sender<Bytes>, Request<Channel<Bytes>>) {
    let (caller, body) = Channel::new(1);
    (caller, Request::put(format!("{home}/")).body(body).unwrap())
}

/// Sends fifty pieces within a second, far more than are kept, to a home that answers 503 at once.
async fn sent_slowly(world: &World, layer: FailoverLayer) -> Response<()> {
    world
        .on("a", Act::BeforeBody(503))
        .on("b", Act::AfterBody(200));
    let layer = layer.replay(Replay::Always).max_replay_body(KEPT);
    let client = layer.layer(service_fn({
        let world = world.clone();
        move |request: Request<ReplayBody<Channel<Bytes>>>| world.answer(request)
    }));
    let (mut caller, request) = upload(&origin("a"));
    let sending = tokio::spawn(async move {
        for _ in 0..50 {
            sleep(20 * MS).await;
            caller.send_data(PIECE).await.unwrap();
        }
    });
    let response = client.oneshot(request).await.unwrap().map(drop);
    if response.status() == 200 {
        sending.await.unwrap();
    }
    response
}

#[tokio::test(start_paused = true)]
async fn an_upload_does_not_outgrow_what_is_kept_while_regions_are_asked_for() {
    let world = World::default();
    let (discovery, asked) = source(|_| async {
        sleep(500 * MS).await;
        Ok(regions_of(&["a", "b"]))
    });
    let response = sent_slowly(&world, layer_of(discovery)).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-body-len"], "5000");
    assert_eq!(
        (world.log(), asked.count()),
        (vec!["a".into(), "b".into()], 1)
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_to_regions_that_are_known_is_not_held() {
    let world = World::default();
    let regions = Regions::fixed([origin("a"), origin("b")]).unwrap();
    let layer = FailoverLayer::new(regions).backoff(no_wait());
    let response = sent_slowly(&world, layer).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-body-len"], "5000");
    assert_eq!(world.log(), ["a", "b"]);
}

#[tokio::test]
async fn an_upload_that_was_held_goes_on_when_nothing_is_found() {
    for is_h2 in [false, true] {
        let home = match is_h2 {
            true => Server::h2c("home").await,
            false => Server::http1("home").await,
        };
        home.set(Fault::EarlyStatus(503)).await;
        home.set_at(PATH, Fault::BlackHole).await;
        let inner = Client::builder(TokioExecutor::new())
            .http2_only(is_h2)
            .build_http::<ReplayBody<Channel<Bytes>>>();
        let layer = layer_with(|discovery| discovery.timeout(500 * MS));
        let client = layer.replay(Replay::Always).layer(inner);
        let (mut caller, request) = upload(&home.origin());
        // Of a clone: hyper cuts an upload short when the last handle of its client goes.
        let call = tokio::spawn(client.clone().oneshot(request));
        let uploading = async {
            caller.send_data(PIECE).await.unwrap();
            home.wait_hits_at(PATH, 1).await;
            // More than the channel holds, so that somebody has to take it.
            for _ in 0..5 {
                caller.send_data(PIECE).await.unwrap();
            }
            let response = call.await.unwrap().unwrap();
            assert_eq!(response.status(), 503, "h2: {is_h2}");
            for _ in 0..5 {
                caller.send_data(PIECE).await.unwrap();
            }
            drop(caller);
            home.wait_no_open_uploads().await;
        };
        timeout(PATIENCE, uploading).await.expect("an end in time");
        assert_eq!((home.hits(), home.hits_at(PATH)), (2, 1));
        let requests = home.requests_at("/");
        assert_eq!(requests.len(), 1);
        assert!(requests[0].complete, "h2: {is_h2}");
        assert_eq!(requests[0].body, PIECE.repeat(11));
    }
}
