//! Channels that are of no use any more, and those that only seem so.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use failover_grpc::{Fault, Region, proto::echo_client::EchoClient};
use futures_util::FutureExt;
use http::Request;
use hyper::rt::Executor;
use tokio::net::TcpListener;
use tonic::{body::Body, transport::Endpoint};
use tower::ServiceExt;
use tower_failover::{BoxError, tonic::Channels};

use crate::{support::within, tonic::*};

/// Channels, and how many there were.
fn counted<F>(configure: F) -> (Channels, impl Fn() -> usize)
where
    F: Fn(Endpoint) -> Result<Endpoint, BoxError> + Send + Sync + 'static,
{
    let made = Arc::new(AtomicUsize::new(0));
    let counter = made.clone();
    let channels = Channels::new(move |endpoint| {
        counter.fetch_add(1, Ordering::Relaxed);
        configure(endpoint)
    });
    (channels, move || made.load(Ordering::Relaxed))
}

/// A call that its channel has, and that waits.
fn begun(channels: &Channels, origin: &str) -> Pin<Box<impl Future + use<>>> {
    let request = Request::post(format!("{origin}/failover.echo.v1.Echo/Say"));
    let mut call = Box::pin(
        channels
            .clone()
            .oneshot(request.body(Body::empty()).unwrap()),
    );
    assert!((&mut call).now_or_never().is_none());
    call
}

/// Needs a kernel that drops what its queue of connections cannot take.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn how_the_connection_of_a_call_that_was_given_up_ends_is_not_the_outcome_of_the_next() {
    use failover_cluster::FullPort;
    use http::Response;
    use tokio::net::TcpStream;
    use tonic::Code;
    use tower::Layer;
    use tower_failover::{RegionState, classify::Grpc};

    let full = FullPort::open().await;
    let (address, origin) = (full.address(), full.origin());
    let timeout = Duration::from_millis(300);
    let other = Region::start("other").await;
    let layer = crate::support::layer([origin.clone(), other.origin()]).classifier(Grpc);
    let channels = Channels::new(move |endpoint| Ok(endpoint.connect_timeout(timeout)));
    let mut client = EchoClient::with_origin(layer.layer(channels), origin.parse().unwrap());
    let given_up = tokio::time::timeout(Duration::from_millis(50), client.say(word("a"))).await;
    assert!(given_up.is_err(), "{given_up:?}");

    // It began to connect in this time, so what it waited for is over when the same time has passed.
    let over = tokio::time::sleep(timeout);
    let listener = full.into_listener();
    let serve = async {
        loop {
            let (io, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                // Those that stood in the queue are gone.
                let Ok(mut connection) = h2::server::handshake(io).await else {
                    return;
                };
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    let head = Response::builder()
                        .header("content-type", "application/grpc")
                        .header("grpc-status", i32::from(Code::NotFound));
                    let head = head.body(()).unwrap();
                    let _: h2::SendStream<bytes::Bytes> =
                        respond.send_response(head, true).unwrap();
                }
            });
        }
    };
    let next = async {
        over.await;
        within(TcpStream::connect(address)).await.unwrap();
        within(client.say(word("b"))).await
    };
    let outcome =
        tokio::select! { biased; outcome = next => outcome, () = serve => unreachable!() };
    assert_eq!(outcome.unwrap_err().code(), Code::NotFound);
    let regions = layer.handle().regions(&origin);
    assert_eq!(regions[0].state(), RegionState::Healthy);
    assert_eq!(other.hits(), 0);
}

#[tokio::test]
async fn a_channel_that_nobody_waits_for_is_dropped_unless_it_was_connected() {
    // Accepted by the kernel, and then nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", silent.local_addr().unwrap());
    let (channels, made) = counted(Ok);
    let (first, second) = (begun(&channels, &origin), begun(&channels, &origin));
    drop(first);
    let third = begun(&channels, &origin);
    assert_eq!(made(), 1, "the second waits for it");
    drop((second, third));
    let fourth = begun(&channels, &origin);
    assert_eq!(made(), 2);
    drop(fourth);
    assert_eq!(format!("{channels:?}"), "Channels([])");
}

#[tokio::test]
async fn a_call_that_is_dropped_leaves_a_connected_channel_as_it_is() {
    let home = Region::start("home").await;
    let (channels, made) = counted(Ok);
    let mut client = EchoClient::with_origin(channels.clone(), home.origin().parse().unwrap());
    within(client.say(word("a"))).await.unwrap();
    // In the queue of the channel.
    drop(begun(&channels, &home.origin()));
    // And at the region.
    home.set(Fault::BLACK_HOLE).await;
    let mut call = begun(&channels, &home.origin());
    tokio::select! { _ = &mut call => unreachable!(), () = home.wait_hits(2) => {} }
    drop(call);
    home.set(Fault::None).await;
    within(client.say(word("a"))).await.unwrap();
    assert_eq!((made(), home.connections()), (1, 1));
}

#[tokio::test]
async fn a_connection_that_was_lost_counts_for_nothing() {
    let home = Region::start("home").await;
    let (channels, made) = counted(Ok);
    let mut client = EchoClient::with_origin(channels.clone(), home.origin().parse().unwrap());
    within(client.say(word("a"))).await.unwrap();
    home.set(Fault::REFUSE).await;
    // The first may find the connection, and the second does not.
    for _ in 0..2 {
        within(client.say(word("a"))).await.unwrap_err();
    }
    assert_eq!(made(), 1, "an outcome is no reason to drop a channel");
    drop(begun(&channels, &home.origin()));
    drop(begun(&channels, &home.origin()));
    assert_eq!(made(), 2);
}

/// What an executor is whose runtime is gone.
struct Gone;

impl<F> Executor<F> for Gone {
    fn execute(&self, task: F) {
        drop(task);
    }
}

#[tokio::test]
async fn a_channel_whose_task_is_gone_is_replaced_once() {
    let asked = AtomicUsize::new(0);
    let (channels, made) = counted(
        move |endpoint| match asked.fetch_add(1, Ordering::Relaxed) {
            // Else a loop without an end would not fail the test.
            8.. => Err("asked too often".into()),
            _ => Ok(endpoint.executor(Gone)),
        },
    );
    let request = Request::post("http://127.0.0.1:1/");
    let call = channels
        .clone()
        .oneshot(request.body(Body::empty()).unwrap());
    let error = within(call).await.unwrap_err();
    assert!(error.is::<tonic::transport::Error>(), "{error}");
    assert_eq!(made(), 2);
    assert_eq!(format!("{channels:?}"), "Channels([])");
}
