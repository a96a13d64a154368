//! The table of scenarios.

use std::sync::Arc;

use ::reqwest::{Body, Client, Method, Response, StatusCode};
use bytes::Bytes;
use failover_cluster::{Fault, Server};
use futures_util::stream;
use http::Extensions;
use reqwest_middleware::ClientBuilder;
use tower::{Layer, ServiceExt};
use tower_failover::{
    AttemptRecord, Error, FailoverLayer, Served, classify, reqwest::FailoverMiddleware,
};

use super::support::{h2c, http1, region};
use crate::{support::PAYLOAD, table::*};

pub(crate) struct Http1;
pub(crate) struct H2c;
pub(crate) struct MiddlewareHttp1;
pub(crate) struct MiddlewareH2c;

impl Stack for Http1 {
    const NAME: &'static str = "reqwest, HTTP/1.1";

    async fn play(scenario: Scenario) -> Play {
        play_http1(scenario, Way::Service).await
    }
}

impl Stack for H2c {
    const NAME: &'static str = "reqwest, HTTP/2";

    async fn play(scenario: Scenario) -> Play {
        play_h2c(scenario, Way::Service).await
    }
}

impl Stack for MiddlewareHttp1 {
    const NAME: &'static str = "reqwest-middleware, HTTP/1.1";

    async fn play(scenario: Scenario) -> Play {
        play_http1(scenario, Way::Middleware).await
    }
}

impl Stack for MiddlewareH2c {
    const NAME: &'static str = "reqwest-middleware, HTTP/2";

    async fn play(scenario: Scenario) -> Play {
        play_h2c(scenario, Way::Middleware).await
    }
}

/// How a call gets to the layer.
enum Way {
    Service,
    Middleware,
}

type Ended = (End, Vec<AttemptRecord>);

async fn play_http1(scenario: Scenario, way: Way) -> Play {
    let regions = (Server::http1("home").await, Server::http1("other").await);
    play(scenario, regions, Fault::Close, http1(), way).await
}

async fn play_h2c(scenario: Scenario, way: Way) -> Play {
    let regions = (Server::h2c("home").await, Server::h2c("other").await);
    let reset = Fault::ResetStream(h2::Reason::INTERNAL_ERROR.into());
    play(scenario, regions, reset, h2c(), way).await
}

async fn play(
    scenario: Scenario,
    (home, other): (Server, Server),
    reset: Fault,
    client: Client,
    way: Way,
) -> Play {
    home.set(match scenario {
        Healthy => Fault::None,
        Refused => Fault::Refuse,
        Unavailable | LongUpload => Fault::Status(503),
        ResetReplayable | ResetOnce => reset,
        BlackHole | Deadline => Fault::BlackHole,
        CutBody => Fault::CutBody,
    })
    .await;
    let (layer, seen) = scenario.layer(&home.origin(), &other.origin(), classify::Http);
    let (end, attempts) = match way {
        Way::Service => by_service(scenario, layer, client, &home).await,
        Way::Middleware => by_middleware(scenario, layer, client, &home).await,
    };
    if scenario != Refused {
        // A request that is given up may come to be counted after that.
        home.wait_hits(1).await;
    }
    Play {
        end,
        attempts,
        seen,
        hits: (home.hits(), other.hits()),
    }
}

async fn by_service(
    scenario: Scenario,
    layer: FailoverLayer,
    client: Client,
    home: &Server,
) -> Ended {
    let (method, body) = request(scenario);
    let request = client.request(method, url(home)).body(body).build();
    match layer.layer(client).oneshot(request.unwrap()).await {
        Ok(response) => answered(response).await,
        Err(error) => failed(&error),
    }
}

async fn by_middleware(
    scenario: Scenario,
    layer: FailoverLayer,
    client: Client,
    home: &Server,
) -> Ended {
    let client = ClientBuilder::new(client.clone())
        .with(FailoverMiddleware::new(layer, client))
        .build();
    let (method, body) = request(scenario);
    let request = client.request(method, url(home)).body(body).build();
    let mut extensions = Extensions::new();
    let outcome = client.execute_with_extensions(request.unwrap(), &mut extensions);
    match outcome.await {
        Ok(response) => answered(response).await,
        Err(reqwest_middleware::Error::Middleware(error)) => failed(error.downcast_ref().unwrap()),
        Err(reqwest_middleware::Error::Reqwest(_)) => {
            failed(extensions.get::<Arc<Error>>().unwrap())
        }
    }
}

fn url(home: &Server) -> String {
    format!("{}/path", home.origin())
}

fn request(scenario: Scenario) -> (Method, Body) {
    match scenario {
        LongUpload => (Method::PUT, long()),
        _ if scenario.is_replayable() => (Method::GET, Body::default()),
        _ => (Method::POST, PAYLOAD.into()),
    }
}

/// Twice what is kept, in pieces.
fn long() -> Body {
    const PIECES: usize = 8;
    let piece = Bytes::from(vec![b'a'; 2 * KEPT / PIECES]);
    let pieces = (0..PIECES).map(move |_| Ok::<_, std::io::Error>(piece.clone()));
    Body::wrap_stream(stream::iter(pieces))
}

async fn answered(response: Response) -> Ended {
    let served = response.extensions().get::<Served>();
    let attempts = served.map_or_else(Vec::new, |served| served.attempts().to_vec());
    let (status, region) = (response.status(), region(&response).to_owned());
    let end = match (status, response.bytes().await) {
        (StatusCode::OK, Ok(_)) => End::Answer(region),
        (StatusCode::OK, Err(_)) => End::Cut(region),
        (StatusCode::SERVICE_UNAVAILABLE, Ok(_)) => End::Unavailable(region),
        (status, body) => panic!("{status} of {region}: {body:?}"),
    };
    (end, attempts)
}

fn failed(error: &Error) -> Ended {
    (End::failed(error), error.attempts().to_vec())
}

#[tokio::test]
async fn every_scenario_goes_as_it_has_to_over_http1() {
    check_all::<Http1>().await;
}

#[tokio::test]
async fn every_scenario_goes_as_it_has_to_over_http2() {
    check_all::<H2c>().await;
}

#[tokio::test]
async fn every_scenario_goes_as_it_has_to_through_the_middleware_over_http1() {
    check_all::<MiddlewareHttp1>().await;
}

#[tokio::test]
async fn every_scenario_goes_as_it_has_to_through_the_middleware_over_http2() {
    check_all::<MiddlewareH2c>().await;
}
