//! What errors are made of, how they are classified, and as which status they arrive.

use std::{error::Error as StdError, io, time::Duration};

use failover_cluster::{Fault as Http, Server};
use failover_grpc::{Fault, Region, proto::echo_client::EchoClient};
use h2::Reason as Reset;
use http::{Request, Response};
use tokio::net::TcpListener;
use tonic::{Code, Status, body::Body, transport::ClientTlsConfig};
use tower::{Layer, ServiceExt, service_fn};
use tower_failover::{
    BoxError, ErrorKind, RegionState,
    classify::{self, Classify, FailureKind, Outcome, Reason, Verdict},
    replay::ReplayBody,
    tonic::Channels,
};

use crate::{
    describe::describe,
    support::{self, within},
    tonic::*,
};

/// What a channel to this origin gives, and what is made of it.
async fn provoked(channels: Channels, origin: &str) -> (String, FailureKind, Reason) {
    let request = Request::post(format!("{origin}/failover.echo.v1.Echo/Say"));
    let request = request.body(Body::empty()).unwrap();
    let error = within(channels.oneshot(request)).await.unwrap_err();
    let Verdict::Failed(failure) = classify::Http.classify(Outcome::Error(&*error)) else {
        panic!("no failure: {}", describe(&*error));
    };
    (describe(&*error), failure.kind(), failure.reason())
}

#[tokio::test]
async fn what_was_never_sent_is_known() {
    let home = Region::start("home").await;
    home.set(Fault::REFUSE).await;
    let never_sent = |chain: &str, reason| (chain.to_owned(), FailureKind::NeverSent, reason);
    assert_eq!(
        provoked(Channels::default(), &home.origin()).await,
        never_sent(
            "tonic::transport > tonic::ConnectError > io (ConnectionRefused)",
            Reason::Refused
        )
    );
    let (chain, kind, reason) = provoked(Channels::default(), "http://nowhere.invalid").await;
    assert!(
        chain.starts_with("tonic::transport > tonic::ConnectError"),
        "{chain}"
    );
    assert_eq!((kind, reason), (FailureKind::NeverSent, Reason::Connect));

    home.set(Fault::None).await;
    let https = home.origin().replace("http:", "https:");
    let tls = Channels::new(|endpoint| Ok(endpoint.tls_config(ClientTlsConfig::new())?));
    assert_eq!(
        provoked(tls, &https).await,
        never_sent(
            "tonic::transport > tonic::ConnectError > io (InvalidData) > rustls (InvalidMessage)",
            Reason::Connect
        )
    );
    assert_eq!(
        provoked(Channels::default(), &https).await,
        never_sent("tonic::transport > tonic::ConnectError", Reason::Connect)
    );
    assert_eq!(home.hits(), 0);

    home.set(Fault::Http(Http::RefusedStream)).await;
    assert_eq!(
        provoked(Channels::default(), &home.origin()).await,
        never_sent(
            "tonic::transport > hyper > h2 (reset, remote, REFUSED_STREAM)",
            Reason::NotProcessed
        )
    );
    home.set(Fault::Http(Http::GoAway)).await;
    assert_eq!(
        provoked(Channels::default(), &home.origin()).await,
        never_sent(
            "tonic::transport > hyper > h2 (go away, remote, NO_ERROR)",
            Reason::GoAway
        )
    );
}

/// Needs a kernel that drops what its queue of connections cannot take.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connect_timeout_was_never_sent() {
    let full = failover_cluster::FullPort::open().await;
    let timeout = Duration::from_millis(200);
    let channels = Channels::new(move |endpoint| Ok(endpoint.connect_timeout(timeout)));
    let expected = "tonic::transport > tonic::ConnectError > io (TimedOut)".to_owned();
    assert_eq!(
        provoked(channels, &full.origin()).await,
        (expected, FailureKind::NeverSent, Reason::ConnectTimeout)
    );
}

#[tokio::test]
async fn what_may_have_been_processed_is_not_never_sent() {
    let home = Region::start("home").await;
    for (fault, reason) in [
        (Http::ResetStream(Reset::CANCEL.into()), Reason::Reset),
        (Http::ResetStream(Reset::NO_ERROR.into()), Reason::Reset),
        (Http::Reset, Reason::Reset),
        (Http::Close, Reason::Reset),
    ] {
        home.set(Fault::Http(fault.clone())).await;
        let (chain, kind, was) = provoked(Channels::default(), &home.origin()).await;
        assert_eq!(
            (kind, was),
            (FailureKind::Unknown, reason),
            "{fault:?}: {chain}"
        );
    }

    home.set(Fault::BLACK_HOLE).await;
    let timeout = Duration::from_millis(100);
    let impatient = Channels::new(move |endpoint| Ok(endpoint.timeout(timeout)));
    assert_eq!(
        provoked(impatient, &home.origin()).await,
        (
            "tonic::transport > tonic::TimeoutExpired".to_owned(),
            FailureKind::Unknown,
            Reason::Timeout
        )
    );

    // Accepted by the kernel, and then nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let kept_alive = Channels::new(move |endpoint| {
        let endpoint = endpoint.http2_keep_alive_interval(timeout);
        Ok(endpoint.keep_alive_timeout(timeout))
    });
    // By then nobody has the channels but the call.
    let (chain, kind, reason) = provoked(kept_alive, &silent).await;
    assert_eq!(chain, "tonic::transport > hyper (timeout)");
    assert_eq!((kind, reason), (FailureKind::Unknown, Reason::Timeout));

    let http1 = Server::http1("http1").await;
    let (_, kind, _) = provoked(Channels::default(), &http1.origin()).await;
    assert_eq!(kind, FailureKind::Unknown);
}

#[tokio::test]
async fn a_call_that_was_never_sent_is_unavailable_and_says_where() {
    for below in BOTH {
        let (home, other) = regions().await;
        home.set(Fault::REFUSE).await;
        other.set(Fault::REFUSE).await;
        let mut client = below.client(&layer([&home, &other]), &home);
        let status = client.say(word("a")).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{below:?}");
        let error = error(&status).unwrap();
        assert_eq!(error.kind(), ErrorKind::NeverSent);
        assert_eq!(error.attempts().len(), 2);
        assert_eq!(status.message(), error.to_string());
        assert!(status.message().contains(&other.origin()), "{status:?}");

        // What the client said is still to be found.
        let chain = describe(error);
        let client = match below {
            Below::Hyper => "hyper_util (connect)",
            Below::Channels => "tonic::transport > tonic::ConnectError",
        };
        let expected = format!("tonic::Status (Unavailable) > {client} > io (ConnectionRefused)");
        assert_eq!(chain, expected);
    }
}

#[tokio::test]
async fn a_call_whose_time_is_over_says_so_and_blames_nobody() {
    for below in BOTH {
        let (home, other) = regions().await;
        home.set(Fault::BLACK_HOLE).await;
        let layer = layer([&home, &other]);
        let client = below.client(&layer, &home);
        // A connection, so that both timers of a call begin together.
        let mut calls = Vec::new();
        for n in 1..=10 {
            let mut client = client.clone();
            let mut request = replayable(word("a"));
            request.set_timeout(Duration::from_millis(50 + n));
            calls.push(tokio::spawn(async move { client.say(request).await }));
        }
        for call in calls {
            let status = within(call).await.unwrap().unwrap_err();
            assert_eq!(
                status.code(),
                Code::DeadlineExceeded,
                "{below:?}: {status:?}"
            );
            assert_eq!(
                error(&status).unwrap().kind(),
                ErrorKind::Timeout,
                "{below:?}: {status:?}"
            );
        }
        // A caller in a hurry says nothing of the region.
        let regions = layer.handle().regions(home.origin());
        assert_eq!(regions[0].state(), RegionState::Healthy, "{below:?}");
        assert_eq!(other.hits(), 0, "{below:?}");
    }
}

#[tokio::test]
async fn a_last_attempt_that_took_too_long_is_a_deadline() {
    let (home, other) = regions().await;
    home.set(Fault::REFUSE).await;
    other.set(Fault::BLACK_HOLE).await;
    let timeout = Duration::from_millis(100);
    let impatient = Channels::new(move |endpoint| Ok(endpoint.timeout(timeout)));
    let service = layer([&home, &other]).layer(impatient);
    let mut client = EchoClient::with_origin(service, home.origin().parse().unwrap());
    let status = within(client.say(word("a"))).await.unwrap_err();
    // Of what the channel says tonic would make CANCELLED.
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert_eq!(error(&status).unwrap().kind(), ErrorKind::Unknown);
}

#[tokio::test]
async fn a_connection_that_died_is_no_deadline() {
    let home = Region::start("home").await;
    home.set(Fault::REFUSE).await;
    // Accepted by the kernel, and then nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", silent.local_addr().unwrap());
    let soon = Duration::from_millis(100);
    let kept_alive = Channels::new(move |endpoint| {
        let endpoint = endpoint.http2_keep_alive_interval(soon);
        Ok(endpoint.keep_alive_timeout(soon))
    });
    let layer = support::layer([home.origin(), origin]).classifier(classify::Grpc);
    let mut client = EchoClient::new(layer.layer(kept_alive));
    let status = within(client.say(word("a"))).await.unwrap_err();
    let last = error(&status).unwrap().attempts().last().unwrap();
    assert_eq!(last.reason(), Reason::Timeout);
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
}

#[tokio::test]
async fn a_call_that_was_lost_has_the_code_that_grpc_has_for_it() {
    for below in BOTH {
        let (home, other) = regions().await;
        for (fault, code) in [
            (Http::Reset, Code::Unavailable),
            (Http::Close, Code::Unavailable),
            (
                Http::ResetStream(Reset::INTERNAL_ERROR.into()),
                Code::Internal,
            ),
            (Http::ResetStream(Reset::CANCEL.into()), Code::Cancelled),
            (
                Http::ResetStream(Reset::ENHANCE_YOUR_CALM.into()),
                Code::ResourceExhausted,
            ),
        ] {
            home.set(Fault::Http(fault.clone())).await;
            let mut client = below.client(&layer([&home, &other]), &home);
            let status = within(client.say(word("a"))).await.unwrap_err();
            assert_eq!(status.code(), code, "{below:?}, {fault:?}: {status:?}");
            assert_eq!(error(&status).unwrap().kind(), ErrorKind::Unknown);
        }
        assert_eq!(other.hits(), 0);
    }
}

#[tokio::test]
async fn a_packet_that_was_not_acknowledged_is_no_deadline() {
    let (home, other) = regions().await;
    let inner = service_fn(|_: Request<ReplayBody<Body>>| async {
        Err::<Response<Body>, BoxError>(io::Error::from(io::ErrorKind::TimedOut).into())
    });
    let service = layer([&home, &other]).layer(inner);
    let mut client = EchoClient::with_origin(service, home.origin().parse().unwrap());
    let status = within(client.say(word("a"))).await.unwrap_err();
    let last = error(&status).unwrap().attempts().last().unwrap();
    assert_eq!(last.reason(), Reason::Timeout);
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
}

#[tokio::test]
async fn a_call_that_this_side_reset_has_no_code_of_the_region() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let serve = tokio::spawn(async move {
        let (io, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(io).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            // More than the client says it takes.
            let head = Response::builder().header("x-long", "a".repeat(1024));
            let _: h2::SendStream<bytes::Bytes> =
                respond.send_response(head.body(()).unwrap(), true).unwrap();
        }
    });
    let other = Region::start("other").await;
    let layer = support::layer([origin.clone(), other.origin()]).classifier(classify::Grpc);
    let narrow = Channels::new(|endpoint| Ok(endpoint.http2_max_header_list_size(1024)));
    let mut client = EchoClient::with_origin(layer.layer(narrow), origin.parse().unwrap());
    let status = within(client.say(word("a"))).await.unwrap_err();
    let chain = describe(error(&status).unwrap());
    assert!(chain.contains("h2 (reset, library"), "{chain}");
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    serve.abort();
}

#[tokio::test]
async fn a_message_that_cannot_be_encoded_is_no_regions_fault() {
    for below in BOTH {
        let (home, other) = regions().await;
        let layer = layer([&home, &other]);
        let mut client = below.client(&layer, &home).max_encoding_message_size(4);
        let status = within(client.say(word("too long"))).await.unwrap_err();
        let error = error(&status).unwrap();
        assert_eq!(error.kind(), ErrorKind::Request, "{below:?}");
        // The encoder's, of which HTTP/2 tells nothing.
        assert_eq!(status.code(), Code::OutOfRange, "{below:?}: {status:?}");
        assert!(status.message().contains("limit"), "{status:?}");
        assert!(describe(error).contains("h2"), "{}", describe(error));
        let regions = layer.handle().regions(home.origin());
        assert_eq!(regions[0].state(), RegionState::Healthy);
        assert_eq!(other.hits(), 0);
    }
}

#[tokio::test]
async fn a_status_from_inside_is_left_as_it_is() {
    let (home, other) = regions().await;
    let inner = service_fn(|_: Request<ReplayBody<Body>>| async {
        Err::<Response<Body>, BoxError>(Status::permission_denied("no token").into())
    });
    let service = layer([&home, &other]).layer(inner);
    let mut client = EchoClient::with_origin(service, home.origin().parse().unwrap());
    let status = client.say(word("a")).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::PermissionDenied, "no token")
    );
    assert!(error(&status).is_some());
}

#[tokio::test]
async fn the_error_of_another_origin_is_passed_on() {
    for below in BOTH {
        let (home, other) = regions().await;
        let elsewhere = Region::start("elsewhere").await;
        elsewhere.set(Fault::REFUSE).await;
        let mut client = below.client(&layer([&home, &other]), &elsewhere);
        let status = client.say(word("a")).await.unwrap_err();
        let error = error(&status).unwrap();
        assert_eq!(error.kind(), ErrorKind::OutOfScope);
        assert!(!describe(error).contains("Status"), "{}", describe(error));
    }
}

#[tokio::test]
async fn a_request_that_is_no_grpc_gets_the_clients_error() {
    let (home, other) = regions().await;
    home.set(Fault::REFUSE).await;
    other.set(Fault::REFUSE).await;
    let service = Below::Channels.layered(&layer([&home, &other]));
    let request = Request::post(format!("{}/path", home.origin()));
    let error = service
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap_err();
    assert!(error.source().unwrap().is::<tonic::transport::Error>());
}
