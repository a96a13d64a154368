//! hyper-util's legacy client, over HTTP/1.1 and over HTTP/2 with prior knowledge.

use std::convert::Infallible;

use bytes::Bytes;
use failover_cluster::{Fault, Server};
use futures_util::stream;
use http::{Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::Incoming;
use tower::{Layer, ServiceExt};
use tower_failover::{Served, classify};

use crate::{
    support::{Http, PAYLOAD, h2c, http1},
    table::*,
};

pub(crate) struct Http1;
pub(crate) struct H2c;

impl Stack for Http1 {
    const NAME: &'static str = "hyper-util, HTTP/1.1";

    async fn play(scenario: Scenario) -> Play {
        let regions = (Server::http1("home").await, Server::http1("other").await);
        play(scenario, regions, Fault::Close, http1()).await
    }
}

impl Stack for H2c {
    const NAME: &'static str = "hyper-util, HTTP/2";

    async fn play(scenario: Scenario) -> Play {
        let regions = (Server::h2c("home").await, Server::h2c("other").await);
        let reset = Fault::ResetStream(h2::Reason::INTERNAL_ERROR.into());
        play(scenario, regions, reset, h2c()).await
    }
}

type Body = BoxBody<Bytes, Infallible>;

async fn play(
    scenario: Scenario,
    (home, other): (Server, Server),
    reset: Fault,
    client: Http<Body>,
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
    let client = layer.layer(client);
    let outcome = client.oneshot(request(scenario, &home)).await;
    let (end, attempts) = match outcome {
        Ok(response) => {
            let served = response.extensions().get::<Served>();
            let attempts = served.map_or_else(Vec::new, |served| served.attempts().to_vec());
            (end(response).await, attempts)
        }
        Err(error) => (End::failed(&error), error.attempts().to_vec()),
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

fn request(scenario: Scenario, home: &Server) -> Request<Body> {
    let (method, body) = match scenario {
        LongUpload => (Method::PUT, long()),
        _ if scenario.is_replayable() => (Method::GET, Full::default().boxed()),
        _ => (Method::POST, Full::from(PAYLOAD).boxed()),
    };
    let uri = format!("{}/path", home.origin());
    let request = Request::builder().method(method).uri(uri);
    request.body(body).unwrap()
}

/// Twice what is kept, in pieces.
fn long() -> Body {
    const PIECES: usize = 8;
    let piece = Bytes::from(vec![b'a'; 2 * KEPT / PIECES]);
    let pieces = (0..PIECES).map(move |_| Ok(Frame::data(piece.clone())));
    BodyExt::boxed(StreamBody::new(stream::iter(pieces)))
}

async fn end(response: Response<Incoming>) -> End {
    let status = response.status();
    let region = response.headers()["x-region"].to_str().unwrap().to_owned();
    match (status, response.into_body().collect().await) {
        (StatusCode::OK, Ok(_)) => End::Answer(region),
        (StatusCode::OK, Err(_)) => End::Cut(region),
        (StatusCode::SERVICE_UNAVAILABLE, Ok(_)) => End::Unavailable(region),
        (status, body) => panic!("{status} of {region}: {body:?}"),
    }
}

#[tokio::test]
async fn every_scenario_goes_as_it_has_to_over_http1() {
    check_all::<Http1>().await;
}

#[tokio::test]
async fn every_scenario_goes_as_it_has_to_over_http2() {
    check_all::<H2c>().await;
}
