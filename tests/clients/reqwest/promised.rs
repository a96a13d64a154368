//! A client that is said to follow no redirects: all is taken for what it is.

use ::reqwest::{Client, Method, Request, redirect::Policy};
use failover_cluster::{Fault, Server};
use http::Extensions;
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_failover::{FailoverLayer, RegionState, reqwest::FailoverMiddleware};

use super::support::*;
use crate::support::{PAYLOAD, layer, within};

struct Scene {
    home: Server,
    other: Server,
}

impl Scene {
    async fn h2c(fault: Fault) -> Self {
        let scene = Self {
            home: Server::h2c("home").await,
            other: Server::h2c("other").await,
        };
        scene.home.set(fault).await;
        scene
    }

    fn layer(&self) -> FailoverLayer {
        layer([self.home.origin(), self.other.origin()]).client_redirects(false)
    }

    fn request(&self, method: Method) -> Request {
        let url = format!("{}/path", self.home.origin());
        let request = client().request(method, url).body(PAYLOAD);
        request.build().unwrap()
    }

    fn hits(&self) -> (usize, usize) {
        (self.home.hits(), self.other.hits())
    }
}

fn client() -> Client {
    let builder = builder().http2_prior_knowledge();
    builder.redirect(Policy::none()).build().unwrap()
}

/// As a signer does that writes into the query.
fn signed(mut request: Request) -> Request {
    let mut query = request.url_mut().query_pairs_mut();
    query.append_pair("signature", "abc");
    drop(query);
    request
}

struct Signer;

#[async_trait::async_trait]
impl Middleware for Signer {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<::reqwest::Response> {
        next.run(signed(request), extensions).await
    }
}

#[tokio::test]
async fn a_refused_stream_moves_any_request_also_through_the_middleware() {
    for method in [Method::POST, Method::PATCH] {
        let scene = Scene::h2c(Fault::RefusedStream).await;
        let service = ServiceBuilder::new()
            .layer(scene.layer())
            .map_request(signed)
            .service(client());
        let request = scene.request(method.clone());
        let response = within(service.oneshot(request)).await.unwrap();
        assert_eq!(region(&response), "other");
        // reqwest tries it twice more where it was refused.
        assert_eq!(scene.hits(), (3, 1));

        let scene = Scene::h2c(Fault::RefusedStream).await;
        let middleware = FailoverMiddleware::new(scene.layer(), client());
        let client = ClientBuilder::new(client()).with(middleware).build();
        let response = within(client.execute(scene.request(method))).await.unwrap();
        assert_eq!(region(&response), "other");
        assert_eq!(scene.hits(), (3, 1));
    }
}

#[tokio::test]
async fn what_a_service_inside_does_to_the_url_is_no_redirect() {
    let scene = Scene::h2c(Fault::Status(421)).await;
    let service = ServiceBuilder::new()
        .layer(scene.layer())
        .map_request(signed)
        .service(client());
    let request = scene.request(Method::POST);
    let response = within(service.oneshot(request)).await.unwrap();
    assert_eq!(region(&response), "other");
    assert_eq!(scene.hits(), (1, 1));
    for server in [&scene.home, &scene.other] {
        let query = server.requests()[0].uri.query().map(str::to_owned);
        assert_eq!(query.as_deref(), Some("signature=abc"));
    }
}

#[tokio::test]
async fn nor_does_it_hide_failures() {
    let scene = Scene::h2c(Fault::Status(503)).await;
    let layer = scene.layer();
    let middleware = FailoverMiddleware::new(layer.clone(), client());
    let client = ClientBuilder::new(client())
        .with(middleware)
        .with(Signer)
        .build();
    for _ in 0..2 {
        let request = scene.request(Method::POST);
        let response = within(client.execute(request)).await.unwrap();
        assert_eq!(response.status(), 503);
    }
    let home = layer.handle().regions(scene.home.origin());
    assert_eq!(home[0].state(), RegionState::Ejected);
}

#[tokio::test]
async fn a_redirect_is_the_answer() {
    let to = vec![("location", "/elsewhere".to_owned())];
    let scene = Scene::h2c(Fault::StatusWith(303, to)).await;
    let service = scene.layer().layer(client());
    let request = scene.request(Method::POST);
    let response = within(service.oneshot(request)).await.unwrap();
    assert_eq!(response.status(), 303);
    assert_eq!(scene.hits(), (1, 0));
}
