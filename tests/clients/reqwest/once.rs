//! Requests that may be processed once only: who sends them again, and what proves that nobody
//! processed them.

use std::future::{Ready, ready};

use ::reqwest::{
    Body, Client, Method, Request, Response, header::LOCATION, redirect::Policy, retry,
};
use failover_cluster::{Fault, Server};
use futures_util::stream;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_failover::{ErrorKind, FailoverLayer};

use super::support::*;
use crate::support::{PAYLOAD, layer};

struct Scene {
    home: Server,
    other: Server,
    /// A host that is no region.
    dead: Server,
    layer: FailoverLayer,
}

impl Scene {
    async fn http1() -> Self {
        let start = Server::http1;
        Self::new(
            start("home").await,
            start("other").await,
            start("dead").await,
        )
        .await
    }

    async fn h2c() -> Self {
        let start = Server::h2c;
        Self::new(
            start("home").await,
            start("other").await,
            start("dead").await,
        )
        .await
    }

    async fn new(home: Server, other: Server, dead: Server) -> Self {
        dead.set(Fault::Refuse).await;
        let layer = layer([home.origin(), other.origin()]);
        Self {
            home,
            other,
            dead,
            layer,
        }
    }

    /// Lets home send every request to the dead host.
    async fn redirect(&self, status: u16) {
        let location = vec![("location", self.dead.origin())];
        self.home.set(Fault::StatusWith(status, location)).await;
    }

    fn request(&self, method: Method) -> Request {
        let mut request = Request::new(method, self.home.origin().parse().unwrap());
        *request.body_mut() = Some(PAYLOAD.into());
        request
    }

    fn post(&self) -> Request {
        self.request(Method::POST)
    }

    fn hits(&self) -> (usize, usize) {
        (self.home.hits(), self.other.hits())
    }
}

#[tokio::test]
async fn reqwest_tries_a_post_again_that_a_server_did_not_take() {
    for fault in [Fault::RefusedStream, Fault::GoAway] {
        let scene = Scene::h2c().await;
        scene.home.set(Fault::First(1, Box::new(fault))).await;
        let client = scene.layer.clone().layer(h2c());
        let response = send(&client, scene.post()).await.unwrap();
        assert_eq!(region(&response), "home");
        assert_eq!(attempts(&Ok(response)), [""; 0]);
        assert_eq!(scene.hits(), (2, 0));
        assert_eq!(scene.home.requests()[1].body, PAYLOAD);
    }
}

#[tokio::test]
async fn a_post_whose_stream_is_always_refused_goes_to_the_next_region_whole() {
    let never = || builder().http2_prior_knowledge().retry(retry::never());
    for (client, tries) in [(h2c(), 3), (never().build().unwrap(), 1)] {
        let scene = Scene::h2c().await;
        scene.home.set(Fault::RefusedStream).await;
        let client = scene.layer.clone().layer(client);
        let outcome = send(&client, scene.post()).await;
        assert_eq!(
            attempts(&outcome),
            ["Some(NeverSent) (not processed)", "None (200)"]
        );
        assert_eq!(scene.hits(), (tries, 1));
        assert_eq!(scene.other.requests()[0].body, PAYLOAD);
    }
}

#[tokio::test]
async fn a_post_whose_connections_always_go_away_was_perhaps_sent() {
    let scene = Scene::h2c().await;
    scene.home.set(Fault::GoAway).await;
    let client = scene.layer.clone().layer(h2c());
    let error = send(&client, scene.post()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert_eq!(scene.hits(), (3, 0));
}

fn policies() -> [Policy; 3] {
    [
        Policy::default(),
        Policy::limited(1),
        Policy::custom(|attempt| attempt.follow()),
    ]
}

#[tokio::test]
async fn a_post_that_became_a_get_is_not_sent_again_whatever_the_policy() {
    for status in [301, 302, 303] {
        for policy in policies() {
            let scene = Scene::http1().await;
            scene.redirect(status).await;
            let client = builder().redirect(policy).build().unwrap();
            let client = scene.layer.clone().layer(client);
            let outcome = send(&client, scene.post()).await;
            assert_eq!(attempts(&outcome), ["Some(Unknown) (connection refused)"]);
            assert_eq!(scene.hits(), (1, 0));
        }
    }
}

#[tokio::test]
async fn a_post_that_no_redirect_was_to_follow_is_sent_again_if_it_was_never_sent() {
    let scene = Scene::http1().await;
    scene.home.set(Fault::Refuse).await;
    let client = builder().redirect(Policy::none()).build().unwrap();
    let outcome = send(&scene.layer.clone().layer(client), scene.post()).await;
    assert_eq!(
        attempts(&outcome),
        ["Some(NeverSent) (connection refused)", "None (200)"]
    );
    assert_eq!(scene.hits(), (0, 1));
}

#[tokio::test]
async fn a_post_that_was_led_to_a_dead_host_as_a_post_goes_to_the_next_region() {
    // These say that nothing was done with it.
    for status in [307, 308] {
        for (scene, client) in [(Scene::http1().await, http1()), (Scene::h2c().await, h2c())] {
            scene.redirect(status).await;
            let outcome = send(&scene.layer.clone().layer(client), scene.post()).await;
            assert_eq!(
                attempts(&outcome),
                ["Some(NeverSent) (connection refused)", "None (200)"]
            );
            assert_eq!(scene.hits(), (1, 1));
            assert_eq!(scene.other.requests()[0].body, PAYLOAD);
        }
    }
}

#[tokio::test]
async fn a_post_that_was_led_on_as_a_post_and_then_became_a_get_is_not_sent_again() {
    let scene = Scene::http1().await;
    let on = Fault::StatusWith(307, vec![("location", "/on".to_owned())]);
    scene.home.set(on).await;
    let to_dead = Fault::StatusWith(303, vec![("location", scene.dead.origin())]);
    scene.home.set_at("/on", to_dead).await;
    let client = scene.layer.clone().layer(http1());
    let outcome = send(&client, scene.post()).await;
    assert_eq!(attempts(&outcome), ["Some(Unknown) (connection refused)"]);
    assert_eq!(scene.hits(), (2, 0));
}

/// Answers each request by sending it elsewhere, and reads no body. Tells how many there were.
async fn hasty(listener: TcpListener, location: String) -> usize {
    let mut open = Vec::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            let mut bytes = [0];
            stream.read_exact(&mut bytes).await.unwrap();
            head.extend(bytes);
        }
        let answer = format!("HTTP/1.1 303 See Other\r\nlocation: {location}\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        open.push(stream);
    }
    open.len()
}

#[tokio::test]
async fn a_post_that_is_still_being_written_when_its_redirect_fails_is_not_sent_again() {
    let (dead, other) = (Server::http1("dead").await, Server::http1("other").await);
    dead.set(Fault::Refuse).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let home = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(hasty(listener, dead.origin()));
    // More than a connection holds.
    const LENGTH: usize = 32 << 20;
    let layer = layer([home.clone(), other.origin()]).max_replay_body(LENGTH);
    let mut post = Request::new(Method::POST, home.parse().unwrap());
    *post.body_mut() = Some(vec![0; LENGTH].into());
    let outcome = send(&layer.layer(http1()), post).await;
    assert_eq!(attempts(&outcome), ["Some(Unknown) (connection refused)"]);
    assert_eq!(other.hits(), 0);
    task.abort();
}

#[tokio::test]
async fn what_keeps_its_method_where_a_post_does_not_is_not_followed() {
    // reqwest would send a PATCH on to where a 302 leads, which may come after the work was done.
    let scene = Scene::http1().await;
    scene.redirect(302).await;
    let client = scene.layer.clone().layer(http1());
    let response = send(&client, scene.request(Method::PATCH)).await.unwrap();
    assert_eq!(response.status(), 302);
    assert!(response.headers().contains_key(LOCATION));
    assert_eq!(scene.hits(), (1, 0));
}

#[tokio::test]
async fn a_patch_that_was_led_to_a_dead_host_is_not_sent_to_the_next_region() {
    let scene = Scene::http1().await;
    scene.redirect(307).await;
    let client = scene.layer.clone().layer(http1());
    let outcome = send(&client, scene.request(Method::PATCH)).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unknown);
    // Once with a body that tells whether it is sent, once with one that reqwest can send again.
    assert_eq!(scene.hits(), (2, 0));
}

/// Tries nothing again, but keeps a copy of each request as if it might.
#[derive(Clone)]
struct Copies;

impl<E> tower::retry::Policy<Request, Response, E> for Copies {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request, result: &mut Result<Response, E>) -> Option<Self::Future> {
        let is_busy = |response: &Response| response.status() == 429;
        result.as_ref().is_ok_and(is_busy).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request) -> Option<Request> {
        request.try_clone()
    }
}

/// The services that people put between the layer and the client: one keeps requests, one lets go of
/// calls before they are over for the layer.
fn wrapped(
    client: Client,
) -> [tower::util::BoxCloneSyncService<Request, Response, ::reqwest::Error>; 2] {
    let copying = ServiceBuilder::new().retry(Copies).service(client.clone());
    let dropping = tower::service_fn(move |request| {
        let mut client = client.clone();
        async move { client.call(request).await }
    });
    [
        ServiceBuilder::new().boxed_clone_sync().service(copying),
        ServiceBuilder::new().boxed_clone_sync().service(dropping),
    ]
}

#[tokio::test]
async fn a_post_that_became_a_get_is_not_sent_again_below_other_services() {
    for client in wrapped(http1()) {
        let scene = Scene::http1().await;
        scene.redirect(303).await;
        let outcome = scene.layer.clone().layer(client).oneshot(scene.post());
        let error = outcome.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown);
        assert_eq!(scene.hits(), (1, 0));
    }
}

#[tokio::test]
async fn a_post_that_was_never_sent_is_sent_again_below_other_services() {
    for client in wrapped(http1()) {
        let scene = Scene::http1().await;
        scene.home.set(Fault::Refuse).await;
        let response = scene.layer.clone().layer(client).oneshot(scene.post());
        assert_eq!(region(&response.await.unwrap()), "other");
        assert_eq!(scene.hits(), (0, 1));
    }
}

#[tokio::test]
async fn a_redirect_that_wants_the_body_again_is_followed_below_other_services() {
    for client in wrapped(http1()) {
        let scene = Scene::http1().await;
        let redirect = Fault::StatusWith(308, vec![("location", "/to".to_owned())]);
        scene.home.set_at("/", redirect).await;
        let response = scene.layer.clone().layer(client).oneshot(scene.post());
        assert_eq!(response.await.unwrap().status(), 200);
        assert_eq!(scene.home.requests_at("/to")[0].body, PAYLOAD);
        assert_eq!((scene.home.hits_at("/"), scene.hits()), (2, (3, 0)));
    }
}

#[tokio::test]
async fn a_refused_stream_is_tried_once_where_nothing_tells_that_it_was_the_requests() {
    let scene = Scene::h2c().await;
    scene.home.set(Fault::RefusedStream).await;
    let client = scene.layer.clone().layer(h2c());
    let pieces = Body::wrap_stream(stream::iter([Ok::<_, std::io::Error>("pay"), Ok("load")]));
    for (method, body) in [
        (Method::POST, None),
        (Method::POST, Some(pieces)),
        (Method::PATCH, Some(PAYLOAD.into())),
    ] {
        let before = scene.home.hits();
        let mut request = scene.request(method);
        *request.body_mut() = body;
        let error = send(&client, request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown);
        assert_eq!((scene.home.hits() - before, scene.other.hits()), (1, 0));
    }
}
