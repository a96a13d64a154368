//! Clients that tonic generates: over hyper-util's client with HTTP/2, and over a channel for each
//! region.

use failover_grpc::{
    Fault, Region,
    proto::{Word, echo_client::EchoClient},
};
use http::{Request, Response};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tonic::{Code, Status, body::Body, metadata::MetadataValue};
use tower::{Layer, ServiceExt, util::BoxCloneService};
use tower_failover::{
    AttemptRecord, Error, FailoverLayer, Served, classify::Grpc, replay::ReplayBody,
    tonic::Channels,
};

use crate::{support, table::*};

/// What is below the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Below {
    Hyper,
    Channels,
}

pub(crate) const BOTH: [Below; 2] = [Below::Hyper, Below::Channels];

/// The layer over either, with one type for both.
pub(crate) type Failover = BoxCloneService<Request<Body>, Response<Body>, Error>;

impl Below {
    pub(crate) fn layered(self, layer: &FailoverLayer) -> Failover {
        match self {
            Self::Hyper => {
                let client = http2();
                let service = layer.layer(client);
                service.map_response(|r| r.map(Body::new)).boxed_clone()
            }
            Self::Channels => layer.layer(Channels::default()).boxed_clone(),
        }
    }

    /// A generated client whose calls are for this region.
    pub(crate) fn client(self, layer: &FailoverLayer, home: &Region) -> EchoClient<Failover> {
        EchoClient::with_origin(self.layered(layer), home.origin().parse().unwrap())
    }
}

fn http2() -> Client<HttpConnector, ReplayBody<Body>> {
    Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build(HttpConnector::new())
}

/// A layer over these regions, with the classifier for gRPC.
pub(crate) fn layer<const N: usize>(regions: [&Region; N]) -> FailoverLayer {
    support::layer(regions.map(|region| region.origin())).classifier(Grpc)
}

pub(crate) async fn regions() -> (Region, Region) {
    (Region::start("home").await, Region::start("other").await)
}

pub(crate) fn word(text: &str) -> Word {
    let text = text.to_owned();
    Word { text, times: 1 }
}

/// Marks a call as one that may be sent twice.
pub(crate) fn replayable<T>(message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    let key = MetadataValue::from_static("a-key");
    request.metadata_mut().insert("idempotency-key", key);
    request
}

/// The layer's error behind a status.
pub(crate) fn error(status: &Status) -> Option<&Error> {
    std::error::Error::source(status)?.downcast_ref()
}

pub(crate) struct OverHyper;
pub(crate) struct OverChannels;

impl Stack for OverHyper {
    const NAME: &'static str = "tonic over hyper-util";
    const TIMEOUT: &'static str = "DeadlineExceeded";

    async fn play(scenario: Scenario) -> Play {
        play(scenario, Below::Hyper).await
    }
}

impl Stack for OverChannels {
    const NAME: &'static str = "tonic over channels";
    const TIMEOUT: &'static str = "DeadlineExceeded";

    async fn play(scenario: Scenario) -> Play {
        play(scenario, Below::Channels).await
    }
}

async fn play(scenario: Scenario, below: Below) -> Play {
    use failover_cluster::Fault as Http;

    let (home, other) = regions().await;
    home.set(match scenario {
        Healthy => Fault::None,
        Refused => Fault::REFUSE,
        Unavailable | LongUpload => Fault::Status(Code::Unavailable),
        ResetReplayable | ResetOnce => {
            Fault::Http(Http::ResetStream(h2::Reason::INTERNAL_ERROR.into()))
        }
        BlackHole | Deadline => Fault::BLACK_HOLE,
        CutBody => Fault::Http(Http::CutBody),
    })
    .await;
    let (layer, seen) = scenario.layer(&home.origin(), &other.origin(), Grpc);
    let client = below.client(&layer, &home);
    let (end, attempts) = call(scenario, client).await;
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

/// How a call ended, and its attempts where they are told.
async fn call(scenario: Scenario, mut client: EchoClient<Failover>) -> (End, Vec<AttemptRecord>) {
    let served = |extensions: &tonic::Extensions| {
        let served = extensions.get::<Served>();
        served.map_or_else(Vec::new, |served| served.attempts().to_vec())
    };
    let outcome = match scenario {
        LongUpload => client.collect(replayable(long())).await,
        CutBody => match client.repeat(replayable(word("hello"))).await {
            Ok(response) => {
                let attempts = served(response.extensions());
                let mut replies = response.into_inner();
                let first = replies.message().await.unwrap().unwrap();
                let second = replies.message().await;
                assert!(second.is_err(), "{second:?}");
                return (End::Cut(first.region), attempts);
            }
            Err(status) => Err(status),
        },
        _ if scenario.is_replayable() => client.say(replayable(word("hello"))).await,
        _ => client.say(word("hello")).await,
    };
    match outcome {
        Ok(response) => {
            let attempts = served(response.extensions());
            (End::Answer(response.into_inner().region), attempts)
        }
        Err(status) => match (error(&status), status.metadata().get("x-region")) {
            (Some(error), _) => {
                let code = format!("{:?}", status.code());
                (End::Error(code), error.attempts().to_vec())
            }
            (None, Some(region)) => {
                assert_eq!(status.code(), Code::Unavailable);
                let region = region.to_str().unwrap().to_owned();
                (End::Unavailable(region), Vec::new())
            }
            (None, None) => panic!("{status:?}"),
        },
    }
}

/// Twice what is kept, in pieces.
fn long() -> impl futures_util::Stream<Item = Word> + Send + 'static {
    const PIECES: usize = 8;
    let piece = word(&"a".repeat(2 * KEPT / PIECES));
    futures_util::stream::iter(vec![piece; PIECES])
}

#[tokio::test]
async fn every_scenario_goes_as_it_has_to_over_hyper() {
    check_all::<OverHyper>().await;
}

#[tokio::test]
async fn every_scenario_goes_as_it_has_to_over_channels() {
    check_all::<OverChannels>().await;
}
