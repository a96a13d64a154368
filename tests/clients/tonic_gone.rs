//! A connection that ends under calls that wait for room on it.

use bytes::Bytes;
use failover_grpc::{Region, proto::echo_client::EchoClient};
use http::Response;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};
use tonic::Code;
use tower_failover::classify::Grpc;

use crate::{
    support::{self, within},
    tonic::{BOTH, Below, error, replayable, word},
};

/// A server of one connection with one stream at a time: it answers the first call, no other, and cuts
/// the connection when it is told to.
async fn narrow(cut: oneshot::Receiver<()>, seen: mpsc::UnboundedSender<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (io, _) = listener.accept().await.unwrap();
        drop(listener);
        let mut server = h2::server::Builder::new();
        let server = server.max_concurrent_streams(1);
        let mut connection = server.handshake::<_, Bytes>(io).await.unwrap();
        let serve = async {
            let mut held = Vec::new();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                if held.is_empty() {
                    let head = Response::builder()
                        .header("content-type", "application/grpc")
                        .header("grpc-status", "5");
                    let _: h2::SendStream<Bytes> =
                        respond.send_response(head.body(()).unwrap(), true).unwrap();
                }
                held.push((request, respond));
                let _ = seen.send(());
            }
        };
        tokio::select! { () = serve => {}, _ = cut => {} }
        drop(connection);
    });
    origin
}

async fn every_call_moves(below: Below) {
    let (cut, on_cut) = oneshot::channel();
    let (seen, mut on_seen) = mpsc::unbounded_channel();
    let origin = narrow(on_cut, seen).await;
    let other = Region::start("other").await;
    let layer = support::layer([origin.clone(), other.origin()]).classifier(Grpc);
    let client = EchoClient::with_origin(below.layered(&layer), origin.parse().unwrap());
    let status = within(client.clone().say(word("first"))).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound, "{status:?}");
    within(on_seen.recv()).await.unwrap();
    let mut calls = Vec::new();
    for n in 0..4 {
        let mut client = client.clone();
        calls.push(tokio::spawn(async move {
            client.say(replayable(word("more"))).await
        }));
        if n == 0 {
            within(on_seen.recv()).await.unwrap();
        }
    }
    // The others are in the client by then; one that is not is refused, and moves too.
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    cut.send(()).unwrap();
    for call in calls {
        match within(call).await.unwrap() {
            Ok(reply) => assert_eq!(reply.into_inner().region, "other"),
            Err(status) => panic!("{below:?}: {status:?}, {:?}", error(&status)),
        }
    }
}

#[tokio::test]
async fn calls_that_wait_for_room_on_a_connection_that_ends_move_on() {
    for below in BOTH {
        every_call_moves(below).await;
    }
}
