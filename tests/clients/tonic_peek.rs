//! Failures that come in trailers after a head of their own, and the layer inside that brings them
//! forward.

use failover_grpc::{Fault, REPEAT, Region, SAY, proto::echo_client::EchoClient};
use http::Request;
use http_body_util::BodyExt;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tonic::{Code, body::Body};
use tower::{ServiceBuilder, ServiceExt, util::BoxCloneService};
use tower_failover::{
    BoxError, FailoverLayer, Served, peek::PeekLayer, replay::ReplayBody, tonic::Channels,
};

use crate::{
    support::within,
    tonic::{BOTH, Below, Failover, layer, regions, word},
};

/// The layer, and inside it the one that looks at what follows the heads of unary calls.
fn peeking(below: Below, layer: FailoverLayer) -> Failover {
    let peek = PeekLayer::new().unary(|path| path == SAY);
    let service = ServiceBuilder::new().layer(layer).layer(peek);
    match below {
        Below::Hyper => {
            let client: Client<_, ReplayBody<Body>> = Client::builder(TokioExecutor::new())
                .http2_only(true)
                .build_http();
            let service = service.service(client);
            service.map_response(|r| r.map(Body::new)).boxed_clone()
        }
        Below::Channels => {
            let service = service.service(Channels::default());
            // Channels take requests of any body.
            ServiceExt::<Request<Body>>::map_response(service, |r| r.map(Body::new)).boxed_clone()
        }
    }
}

fn client(below: Below, home: &Region, other: &Region) -> EchoClient<Failover> {
    let failover = peeking(below, layer([home, other]));
    EchoClient::with_origin(failover, home.origin().parse().unwrap())
}

#[tokio::test]
async fn a_unary_call_that_fails_in_trailers_goes_on() {
    for below in BOTH {
        let (home, other) = regions().await;
        home.set(Fault::Trailers(Code::Unavailable)).await;
        let mut client = client(below, &home, &other);
        let reply = within(client.say(word("hello"))).await.unwrap();
        let served = reply.extensions().get::<Served>().unwrap();
        assert_eq!(served.attempts().len(), 2, "{below:?}");
        assert_eq!(reply.get_ref().region, "other", "{below:?}");
        assert_eq!((home.hits(), other.hits()), (1, 1), "{below:?}");
    }
}

#[tokio::test]
async fn without_that_layer_it_ends_there() {
    for below in BOTH {
        let (home, other) = regions().await;
        home.set(Fault::Trailers(Code::Unavailable)).await;
        let mut client = below.client(&layer([&home, &other]), &home);
        let status = within(client.say(word("hello"))).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{below:?}");
        assert_eq!((home.hits(), other.hits()), (1, 0), "{below:?}");
    }
}

#[tokio::test]
async fn when_all_regions_fail_so_the_last_status_is_the_callers() {
    for below in BOTH {
        let (home, other) = regions().await;
        home.set(Fault::Trailers(Code::Unavailable)).await;
        other.set(Fault::Trailers(Code::Unavailable)).await;
        let mut client = client(below, &home, &other);
        let status = within(client.say(word("hello"))).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::Unavailable, "as told")
        );
        assert_eq!((home.hits(), other.hits()), (1, 1), "{below:?}");
    }
}

#[tokio::test]
async fn a_code_that_is_not_the_regions_fault_is_the_callers() {
    for below in BOTH {
        let (home, other) = regions().await;
        home.set(Fault::Trailers(Code::NotFound)).await;
        let mut client = client(below, &home, &other);
        let status = within(client.say(word("hello"))).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::NotFound, "as told")
        );
        assert_eq!((home.hits(), other.hits()), (1, 0), "{below:?}");
    }
}

#[tokio::test]
async fn after_a_message_the_call_stays() {
    for below in BOTH {
        let (home, other) = regions().await;
        home.set(Fault::AfterMessage(Code::Unavailable)).await;
        let mut client = client(below, &home, &other);
        let status = within(client.say(word("hello"))).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{below:?}");
        assert_eq!((home.hits(), other.hits()), (1, 0), "{below:?}");
    }
}

#[tokio::test]
async fn the_head_of_a_stream_comes_before_its_first_message() {
    for below in BOTH {
        let (home, other) = regions().await;
        home.hold();
        let mut client = client(below, &home, &other);
        let reply = within(client.repeat(word("hello"))).await.unwrap();
        // The server holds every message until here.
        home.release();
        let mut messages = reply.into_inner();
        let first = within(messages.message()).await.unwrap().unwrap();
        assert_eq!(first.region, "home", "{below:?}");
        assert!(within(messages.message()).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_call_that_streams_is_not_taken_for_unary() {
    for below in BOTH {
        let (home, other) = regions().await;
        home.hold();
        let request = Request::post(format!("{}{REPEAT}", home.origin()))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Body::new(http_body_util::Full::new(
                // A message of no bytes, in gRPC's framing.
                bytes::Bytes::from_static(&[0; 5]),
            )))
            .unwrap();
        let service: BoxCloneService<_, _, _> = peeking(below, layer([&home, &other]));
        let answer = within(service.oneshot(request)).await.unwrap();
        assert!(!answer.headers().contains_key("grpc-status"), "{below:?}");
        home.release();
        let body: Result<_, BoxError> = within(answer.into_body().collect())
            .await
            .map_err(Into::into);
        let trailers = body.unwrap().trailers().cloned().unwrap();
        assert_eq!(trailers["grpc-status"], "0", "{below:?}");
    }
}
