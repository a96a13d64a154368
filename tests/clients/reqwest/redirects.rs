//! What a redirect that reqwest follows makes of an outcome.

use ::reqwest::{Body, Client, Method, Request, StatusCode, redirect::Policy};
use failover_cluster::{Fault, Server};
use futures_util::stream;
use tokio::net::TcpListener;
use tower::Layer;
use tower_failover::{ErrorKind, Failover, Handle, Replay, Stop};

use super::support::*;
use crate::support::{PAYLOAD, ejected, layer};

/// Two regions, and a host that is none of them.
struct Scene {
    home: Server,
    other: Server,
    host: Server,
    client: Failover<Client>,
    handle: Handle,
}

impl Scene {
    async fn http1() -> Self {
        let start = Server::http1;
        let servers = (
            start("home").await,
            start("other").await,
            start("host").await,
        );
        Self::new(servers, http1())
    }

    async fn h2c() -> Self {
        let start = Server::h2c;
        let servers = (
            start("home").await,
            start("other").await,
            start("host").await,
        );
        Self::new(servers, h2c())
    }

    fn new((home, other, host): (Server, Server, Server), client: Client) -> Self {
        let layer = layer([home.origin(), other.origin()]);
        Self {
            handle: layer.handle(),
            client: layer.layer(client),
            home,
            other,
            host,
        }
    }

    /// Lets home send what is for `/from` to the host's `/to`.
    async fn redirect(&self, status: u16) {
        self.redirect_to(status, format!("{}/to", self.host.origin()))
            .await;
    }

    async fn redirect_to(&self, status: u16, url: String) {
        let redirect = Fault::StatusWith(status, vec![("location", url)]);
        self.home.set_at("/from", redirect).await;
    }

    fn request(&self, method: Method, body: impl Into<Option<Body>>) -> Request {
        let url = format!("{}/from", self.home.origin());
        let mut request = Request::new(method, url.parse().unwrap());
        *request.body_mut() = body.into();
        request
    }

    /// The regions that are out, and how many requests each server saw.
    fn toll(&self) -> (usize, [usize; 3]) {
        let out = ejected(&self.handle, &self.home.origin()).len();
        let hits = [&self.home, &self.other, &self.host].map(Server::hits);
        (out, hits)
    }
}

fn pieces() -> Body {
    Body::wrap_stream(stream::iter([Ok::<_, std::io::Error>("pay"), Ok("load")]))
}

/// All kinds of bodies that a request can have.
fn bodies() -> [Option<Body>; 3] {
    [None, Some(PAYLOAD.into()), Some(pieces())]
}

#[tokio::test]
async fn a_post_that_led_to_a_dead_host_is_not_sent_again() {
    for body in bodies() {
        for scene in [Scene::http1().await, Scene::h2c().await] {
            scene.redirect(303).await;
            scene.host.set(Fault::Refuse).await;
            let body = body.as_ref().map(|body| match body.as_bytes() {
                Some(data) => data.to_vec().into(),
                None => pieces(),
            });
            let outcome = send(&scene.client, scene.request(Method::POST, body)).await;
            assert_eq!(attempts(&outcome), ["Some(Unknown) (connection refused)"]);
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unknown);
            assert_eq!(error.stop(), Some(Stop::NotReplayable));
            let source = std::error::Error::source(&error).unwrap();
            assert!(
                source
                    .downcast_ref::<::reqwest::Error>()
                    .unwrap()
                    .is_connect()
            );
            assert_eq!(scene.toll(), (0, [1, 0, 0]));
        }
    }
}

#[tokio::test]
async fn a_region_that_leads_to_a_dead_host_is_well() {
    let scene = Scene::http1().await;
    scene.redirect(303).await;
    scene.host.set(Fault::Refuse).await;
    for call in 1..=4 {
        let request = scene.request(Method::POST, Body::from(PAYLOAD));
        let error = send(&scene.client, request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown);
        assert_eq!(scene.toll(), (0, [call, 0, 0]));
    }
}

#[tokio::test]
async fn what_may_never_be_sent_again_is_not_after_a_redirect() {
    let mut scene = Scene::http1().await;
    let layer = layer([scene.home.origin(), scene.other.origin()]);
    scene.client = layer.replay(Replay::Never).layer(http1());
    scene.redirect(302).await;
    scene.host.set(Fault::Refuse).await;
    let outcome = send(&scene.client, scene.request(Method::GET, None)).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unknown);
    assert_eq!(scene.toll(), (0, [1, 0, 0]));
}

#[tokio::test]
async fn a_post_that_a_dead_region_never_saw_goes_to_the_next_one_whole() {
    for body in bodies() {
        for scene in [Scene::http1().await, Scene::h2c().await] {
            scene.home.set(Fault::Refuse).await;
            let length = match &body {
                None => 0,
                Some(_) => PAYLOAD.len(),
            };
            let body = body.as_ref().map(|body| match body.as_bytes() {
                Some(data) => data.to_vec().into(),
                None => pieces(),
            });
            let outcome = send(&scene.client, scene.request(Method::POST, body)).await;
            assert_eq!(
                attempts(&outcome),
                ["Some(NeverSent) (connection refused)", "None (200)"]
            );
            assert_eq!(scene.toll(), (1, [0, 1, 0]));
            assert_eq!(scene.other.requests()[0].body.len(), length);
        }
    }
}

#[tokio::test]
async fn a_post_whose_redirect_was_refused_as_a_stream_is_not_sent_again() {
    for fault in [Fault::RefusedStream, Fault::GoAway] {
        let scene = Scene::h2c().await;
        scene.redirect(303).await;
        scene.host.set(fault).await;
        let request = scene.request(Method::POST, Body::from(PAYLOAD));
        let error = send(&scene.client, request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unknown);
        let (out, hits) = scene.toll();
        assert_eq!((out, hits[0], hits[1]), (0, 1, 0));
    }
}

/// A region that speaks HTTP/2, leaves no room for bodies, and sends every POST elsewhere.
async fn tight(listener: TcpListener, location: String) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut builder = h2::server::Builder::new();
    let connection = builder
        .initial_window_size(0)
        .handshake::<_, bytes::Bytes>(stream);
    let mut connection = connection.await.unwrap();
    let mut unread = Vec::new();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let response = match *request.method() {
            Method::POST => http::Response::builder().status(303),
            _ => http::Response::builder(),
        };
        let response = response.header("location", &location).body(()).unwrap();
        respond.send_response(response, true).unwrap();
        unread.push((request, respond));
    }
}

#[tokio::test]
async fn a_post_whose_head_alone_was_sent_is_not_sent_again() {
    let (host, other) = (Server::h2c("host").await, Server::h2c("other").await);
    host.set(Fault::Refuse).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let home = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(tight(listener, host.origin()));
    let client = layer([home.clone(), other.origin()]).layer(h2c());
    // After this the client knows how little room there is.
    let get = Request::new(Method::GET, home.parse().unwrap());
    assert_eq!(send(&client, get).await.unwrap().status(), 200);
    let mut post = Request::new(Method::POST, home.parse().unwrap());
    *post.body_mut() = Some(PAYLOAD.into());
    let outcome = send(&client, post).await;
    assert_eq!(attempts(&outcome), ["Some(Unknown) (connection refused)"]);
    assert_eq!(other.hits(), 0);
    task.abort();
}

#[tokio::test]
async fn a_failure_of_another_host_is_the_callers_and_not_the_regions() {
    for status in [503, 421, 429] {
        for method in [Method::POST, Method::GET] {
            let scene = Scene::http1().await;
            scene.redirect(303).await;
            scene.host.set(Fault::Status(status)).await;
            for call in 1..=3 {
                let request = scene.request(method.clone(), Body::from(PAYLOAD));
                let response = send(&scene.client, request).await.unwrap();
                assert_eq!(response.status(), status);
                assert_eq!(region(&response), "host");
                let url = format!("{}/to", scene.host.origin());
                assert_eq!(response.url().as_str(), url);
                let text = response.text().await.unwrap();
                assert_eq!(text, format!("host {status}\n"));
                assert_eq!(scene.toll(), (0, [call, 0, call]));
            }
        }
    }
}

#[tokio::test]
async fn a_post_that_failed_after_a_redirect_within_its_region_is_not_sent_again() {
    for status in [503, 421] {
        let scene = Scene::http1().await;
        let url = format!("{}/to", scene.home.origin());
        scene.redirect_to(303, url).await;
        scene.home.set(Fault::Status(status)).await;
        let request = scene.request(Method::POST, Body::from(PAYLOAD));
        let response = send(&scene.client, request).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), region(&response)),
            (status, "home")
        );
        assert_eq!(scene.toll(), (0, [2, 0, 0]));
    }
}

#[tokio::test]
async fn a_get_that_failed_after_a_redirect_within_its_region_goes_to_the_next_one() {
    let scene = Scene::http1().await;
    let url = format!("{}/to", scene.home.origin());
    scene.redirect_to(302, url).await;
    scene.home.set(Fault::Status(503)).await;
    let outcome = send(&scene.client, scene.request(Method::GET, None)).await;
    assert_eq!(attempts(&outcome), ["Some(Answered) (503)", "None (200)"]);
    let response = outcome.unwrap();
    assert_eq!(region(&response), "other");
    let url = format!("{}/from", scene.other.origin());
    assert_eq!(response.url().as_str(), url);
}

#[tokio::test]
async fn a_redirect_that_wants_the_body_again_is_followed_within_its_region() {
    // A PATCH is sent to the redirecting place twice: first with a body that tells whether it is sent,
    // then with one that reqwest can send again.
    for (method, body, asked) in [
        (Method::POST, Some(PAYLOAD), 1),
        (Method::POST, None, 1),
        (Method::PUT, Some(PAYLOAD), 1),
        (Method::PATCH, Some(PAYLOAD), 2),
    ] {
        for status in [307, 308] {
            for scene in [Scene::http1().await, Scene::h2c().await] {
                let url = format!("{}/to", scene.home.origin());
                scene.redirect_to(status, url.clone()).await;
                let request = scene.request(method.clone(), body.map(Body::from));
                let response = send(&scene.client, request).await.unwrap();
                assert_eq!(response.url().as_str(), url);
                let followed = scene.home.requests_at("/to");
                assert_eq!(followed.len(), 1);
                assert_eq!(followed[0].method, method);
                assert_eq!(followed[0].body, body.unwrap_or_default());
                assert_eq!(scene.toll(), (0, [asked + 1, 0, 0]));
            }
        }
    }
}

#[tokio::test]
async fn a_redirect_that_the_client_does_not_follow_is_the_callers() {
    let servers = ["home", "other", "host"].map(Server::http1);
    let [home, other, host] = servers;
    let client = builder().redirect(Policy::none()).build().unwrap();
    let scene = Scene::new((home.await, other.await, host.await), client);
    for status in [301, 302, 303, 307, 308] {
        scene.redirect(status).await;
        for body in bodies() {
            let request = scene.request(Method::POST, body);
            let response = send(&scene.client, request).await.unwrap();
            assert_eq!(response.status(), StatusCode::from_u16(status).unwrap());
        }
    }
    assert_eq!((scene.other.hits(), scene.host.hits()), (0, 0));
}

#[tokio::test]
async fn a_redirect_that_never_ends_is_the_callers_error() {
    let scene = Scene::http1().await;
    let url = format!("{}/from", scene.home.origin());
    scene.redirect_to(302, url).await;
    let outcome = send(&scene.client, scene.request(Method::GET, None)).await;
    assert_eq!(attempts(&outcome), ["None (invalid request)"]);
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    let source = std::error::Error::source(&error).unwrap();
    assert!(
        source
            .downcast_ref::<::reqwest::Error>()
            .unwrap()
            .is_redirect()
    );
    assert_eq!(scene.toll(), (0, [11, 0, 0]));
}

#[tokio::test]
async fn a_redirect_to_another_protocol_is_the_callers_error() {
    let scene = Scene::http1().await;
    scene.redirect_to(302, "ftp://127.0.0.1/".to_owned()).await;
    let outcome = send(&scene.client, scene.request(Method::GET, None)).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Request);
    assert_eq!(scene.toll(), (0, [1, 0, 0]));
}

#[tokio::test]
async fn a_get_that_led_to_a_dead_host_counts_against_its_region() {
    // As the module's docs say: reqwest's error does not tell the host.
    let scene = Scene::http1().await;
    scene.redirect(302).await;
    scene.host.set(Fault::Refuse).await;
    let outcome = send(&scene.client, scene.request(Method::GET, None)).await;
    assert_eq!(region(&outcome.unwrap()), "other");
    assert_eq!(scene.toll(), (1, [1, 1, 0]));
}
