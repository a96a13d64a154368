//! Channels of their own: one for each region, as its endpoint was configured.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use failover_cluster::{Ca, TlsServer};
use failover_grpc::{Fault, Region, proto::echo_client::EchoClient};
use futures_util::{FutureExt, stream};
use http::Request;
use tonic::{
    Code,
    body::Body,
    transport::{ClientTlsConfig, Endpoint},
};
use tower::{Layer, Service, ServiceExt};
use tower_failover::{
    ErrorKind, Health, RegionState, Served,
    classify::{self, Classify, FailureKind, Outcome, Reason, Verdict},
    tonic::{Channels, NoOrigin, NotConfigured},
};

use crate::{
    support::{self, within},
    tonic::*,
};

/// A client of one region, with no layer between.
fn direct(channels: &Channels, region: &Region) -> EchoClient<Channels> {
    EchoClient::with_origin(channels.clone(), region.origin().parse().unwrap())
}

async fn says(channels: &Channels, region: &Region) -> Result<String, Code> {
    let reply = within(direct(channels, region).say(word("a"))).await;
    reply
        .map(|reply| reply.into_inner().region)
        .map_err(|status| status.code())
}

#[tokio::test]
async fn each_region_has_the_endpoint_that_is_configured_for_it() {
    let (home, other) = regions().await;
    home.set(Fault::Status(Code::Unavailable)).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let channels = Channels::new({
        let (asked, home) = (asked.clone(), home.origin());
        move |endpoint: Endpoint| {
            asked.fetch_add(1, Ordering::Relaxed);
            let is_home = endpoint.uri().to_string().starts_with(&home);
            Ok(endpoint.user_agent(if is_home { "for-home" } else { "for-other" })?)
        }
    });
    let service = layer([&home, &other]).layer(channels);
    let mut client = EchoClient::with_origin(service, home.origin().parse().unwrap());
    for _ in 0..2 {
        client.say(replayable(word("a"))).await.unwrap();
    }
    for (region, name) in [(&home, "for-home"), (&other, "for-other")] {
        for metadata in region.metadata() {
            let agent = metadata["user-agent"].to_str().unwrap();
            assert!(agent.starts_with(name), "{agent} at {name}");
        }
        assert_eq!(region.connections(), 1, "{name}");
    }
    assert_eq!((home.hits(), other.hits()), (2, 2));
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_region_with_a_wrong_certificate_never_gets_the_call() {
    let (home, other) = regions().await;
    let (ca, stranger) = (Ca::new("ca"), Ca::new("stranger"));
    let home = TlsServer::before(home.into_server(), stranger.issue("127.0.0.1")).await;
    let other = TlsServer::before(other.into_server(), ca.issue("127.0.0.1")).await;
    let tls = ClientTlsConfig::new().trust_anchors(ca.roots().roots);
    let channels = Channels::new(move |endpoint| Ok(endpoint.tls_config(tls.clone())?));
    let layer = support::layer([home.origin(), other.origin()]);
    let mut client = EchoClient::new(layer.layer(channels));
    // The first call finds out, and the second one does not ask.
    for attempts in [2, 1] {
        let reply = within(client.say(word("a"))).await.unwrap();
        let served = reply.extensions().get::<Served>().unwrap();
        assert_eq!(served.attempts().len(), attempts);
        let (failed, _) = served.attempts().split_at(attempts - 1);
        for attempt in failed {
            let never_sent = (Some(FailureKind::NeverSent), Reason::Connect);
            assert_eq!((attempt.failure(), attempt.reason()), never_sent);
        }
        assert_eq!(reply.into_inner().region, "other");
    }
    assert_eq!((home.connections(), other.connections()), (1, 1));
    let counted = |server: &TlsServer| server.region().hits();
    assert_eq!((counted(&home), counted(&other)), (0, 2));
    let regions = layer.handle().regions(home.origin());
    assert_eq!(regions[0].state(), RegionState::Ejected);
}

#[tokio::test]
async fn a_region_that_is_out_is_probed_over_its_channel() {
    let (home, other) = regions().await;
    home.set(Fault::REFUSE).await;
    let soon = Duration::from_millis(10);
    let health = Health::default().probe_every(soon, soon);
    let layer = layer([&home, &other]).health(health);
    let mut client = EchoClient::new(layer.layer(Channels::default()));
    client.say(word("a")).await.unwrap();
    let handle = layer.handle();
    let state = || handle.regions(home.origin())[0].state();
    assert_eq!(state(), RegionState::Ejected);
    home.set(Fault::None).await;
    home.wait_hits(1).await;
    let back = async {
        while state() == RegionState::Ejected {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within(back).await;
    assert_eq!(home.hits_at("/"), home.hits());
}

#[tokio::test]
async fn a_region_that_cannot_be_configured_is_passed_over() {
    let (home, other) = regions().await;
    let origin = home.origin();
    let channels =
        Channels::new(
            move |endpoint| match endpoint.uri().to_string().starts_with(&origin) {
                true => Err("no certificate".into()),
                false => Ok(endpoint),
            },
        );
    let service = layer([&home, &other]).layer(channels);
    let mut client = EchoClient::with_origin(service, home.origin().parse().unwrap());
    let reply = client.say(word("a")).await.unwrap();
    let served = reply.extensions().get::<Served>().unwrap();
    let first = &served.attempts()[0];
    assert_eq!(
        (first.failure(), first.reason()),
        (Some(FailureKind::NeverSent), Reason::Connect)
    );
    assert_eq!((home.hits(), other.hits()), (0, 1));
}

#[tokio::test]
async fn without_any_region_that_can_be_configured_a_call_is_unavailable() {
    let (home, other) = regions().await;
    let channels = Channels::new(|_| Err("no certificate".into()));
    let service = layer([&home, &other]).layer(channels);
    let mut client = EchoClient::with_origin(service, home.origin().parse().unwrap());
    let status = client.say(word("a")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let error = error(&status).unwrap();
    assert_eq!(error.kind(), ErrorKind::NeverSent);
    let cause = crate::support::cause::<NotConfigured>(error).unwrap();
    let expected = format!("endpoint of {} not configured", other.origin());
    assert_eq!(cause.to_string(), expected);
    assert_eq!(
        std::error::Error::source(cause).unwrap().to_string(),
        "no certificate"
    );
}

#[tokio::test]
async fn a_request_without_an_origin_is_nobodys() {
    for uri in ["/path", "ftp://127.0.0.1/path"] {
        let request = Request::post(uri).body(Body::empty()).unwrap();
        let error = Channels::default().oneshot(request).await.unwrap_err();
        assert!(error.is::<NoOrigin>(), "{uri}: {error}");
        let verdict = classify::Http.classify(Outcome::Error(&*error));
        assert_eq!(verdict, Verdict::Final, "{uri}");
    }
}

#[tokio::test]
async fn one_connection_serves_all_clones_however_the_origin_is_written() {
    let home = Region::start("home").await;
    let channels = Channels::default();
    for origin in [
        home.origin(),
        home.origin().to_uppercase().replace("HTTP", "http"),
    ] {
        let mut client = EchoClient::with_origin(channels.clone(), origin.parse().unwrap());
        client.say(word("a")).await.unwrap();
    }
    let with_user = home.origin().replace("http://", "http://user@");
    let mut client = EchoClient::with_origin(channels.clone(), with_user.parse().unwrap());
    client.say(word("a")).await.unwrap();
    assert_eq!((home.hits(), home.connections()), (3, 1));
    assert_eq!(
        format!("{channels:?}"),
        format!("Channels([{}])", home.origin())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_make_the_first_channel_at_once_share_one() {
    let home = Region::start("home").await;
    let (asked, both) = (Mutex::new(0), Condvar::new());
    // Not a `Barrier`, which would keep a call for ever that is alone.
    let channels = Channels::new(move |endpoint| {
        let mut asked = asked.lock().unwrap();
        *asked += 1;
        both.notify_all();
        let bound = Duration::from_secs(10);
        let waited = both.wait_timeout_while(asked, bound, |asked| *asked < 2);
        match waited.unwrap().1.timed_out() {
            true => Err("there was no other call".into()),
            false => Ok(endpoint),
        }
    });
    let calls = [(); 2].map(|()| {
        let mut client = direct(&channels, &home);
        tokio::spawn(async move { client.say(word("a")).await })
    });
    for call in calls {
        within(call).await.unwrap().unwrap();
    }
    assert_eq!((home.hits(), home.connections()), (2, 1));
}

#[tokio::test]
async fn a_channel_recovers_with_its_region() {
    let home = Region::start("home").await;
    let channels = Channels::default();
    for round in 1..=3 {
        // Before there was a connection, and after one was closed.
        home.set(Fault::REFUSE).await;
        for _ in 0..2 {
            // On a connection that is just being closed it is `CANCELLED`, for it was not sent.
            assert!(says(&channels, &home).await.is_err());
        }
        home.set(Fault::None).await;
        assert_eq!(says(&channels, &home).await, Ok("home".to_owned()));
        assert_eq!((home.hits(), home.connections()), (round, round));
    }
}

#[tokio::test]
async fn a_channel_whose_task_is_gone_is_replaced() {
    let home = Region::start("home").await;
    let channels = Channels::default();
    // The channel's task goes with the runtime that it was made on.
    let elsewhere = {
        let (channels, origin) = (channels.clone(), home.origin());
        tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let mut client = EchoClient::with_origin(channels, origin.parse().unwrap());
            runtime.unwrap().block_on(client.say(word("a"))).unwrap();
        })
    };
    within(elsewhere).await.unwrap();
    for _ in 0..2 {
        assert_eq!(says(&channels, &home).await, Ok("home".to_owned()));
    }
    assert_eq!((home.hits(), home.connections()), (3, 2));
}

#[tokio::test]
async fn the_channel_that_was_not_used_for_longest_goes_first() {
    let home = Region::start("home").await;
    let channels = Channels::default();
    let others = |n: u16| {
        let channels = channels.clone();
        async move {
            // Nothing listens on these ports, and nothing has to.
            let request = Request::post(format!("http://127.0.0.2:{n}/"));
            let request = request.body(Body::empty()).unwrap();
            let _ = within(channels.oneshot(request)).await;
        }
    };
    says(&channels, &home).await.unwrap();
    for n in 1..=63 {
        others(n).await;
    }
    says(&channels, &home).await.unwrap();
    others(64).await;
    says(&channels, &home).await.unwrap();
    assert_eq!(home.connections(), 1, "64 are kept, and this one was used");
    for n in 1..=64 {
        others(n).await;
    }
    says(&channels, &home).await.unwrap();
    assert_eq!(home.connections(), 2, "and no more are kept");
}

#[tokio::test]
async fn a_call_that_is_dropped_ends_at_the_region() {
    for below in BOTH {
        let (home, other) = regions().await;
        home.set(Fault::BLACK_HOLE).await;
        let mut client = below.client(&layer([&home, &other]), &home);
        let call = tokio::spawn(async move { client.collect(stream::pending()).await });
        home.wait_hits(1).await;
        assert_eq!(home.open_uploads(), 1);
        call.abort();
        within(home.wait_no_open_uploads()).await;
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_in_the_queue_is_not_sent() {
    let home = Region::start("home").await;
    let channels = Channels::default();
    // The task of the channel has not run yet, so the request stands in its queue.
    let mut client = direct(&channels, &home);
    assert!(client.say(word("dropped")).now_or_never().is_none());
    assert_eq!(says(&channels, &home).await, Ok("home".to_owned()));
    assert_eq!(home.hits(), 1);
}

#[test]
#[should_panic(expected = "reactor")]
fn outside_of_a_runtime_a_call_panics() {
    let request = Request::post("http://127.0.0.1:1/")
        .body(Body::empty())
        .unwrap();
    drop(Channels::default().call(request));
}

#[tokio::test]
async fn a_body_of_any_kind_is_taken() {
    let home = Region::start("home").await;
    home.set(Fault::Status(Code::Unavailable)).await;
    let request = Request::post(format!("{}/any", home.origin()));
    let body = http_body_util::Full::new(bytes::Bytes::from_static(b"abc"));
    let answer = Channels::default()
        .oneshot(request.body(body).unwrap())
        .await;
    assert_eq!(answer.unwrap().headers()["grpc-status"], "14");
    assert_eq!(home.requests()[0].body.len(), 3);
}
