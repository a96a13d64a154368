//! What becomes of an upload whose region fails half way?
//!
//! 4 MiB are streamed to a region that answers 503 in the middle and goes on holding the connection.
//! The next region gets the part that was sent, from memory, and then the rest, as it is produced.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use failover_cluster::{Cluster, Fault};
use http::Request;
use http_body_util::channel::Channel;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{ServiceBuilder, ServiceExt};
use tower_failover::{FailoverLayer, Regions, Served};

const CHUNK: usize = 64 * 1024;
const CHUNKS: usize = 64;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let cluster = Cluster::start(&["eu", "us"]).await;
    let eu = cluster.region("eu");
    eu.set(Fault::StatusAfter(CHUNK * CHUNKS / 2, 503)).await;

    let regions = Regions::named(["eu", "us"].into_iter().zip(cluster.origins()))?;
    let client = ServiceBuilder::new()
        .layer(FailoverLayer::new(regions).max_replay_body(8 * 1024 * 1024))
        .service(Client::builder(TokioExecutor::new()).build_http());

    // A file, a camera, another service: whatever produces the bytes does so once.
    let (mut sender, body) = Channel::<Bytes>::new(1);
    let producer = tokio::spawn(async move {
        let mut sent = Vec::new();
        for n in 0..CHUNKS {
            let chunk: Bytes = (0..CHUNK).map(|byte| (byte * 31 + n) as u8).collect();
            sent.extend_from_slice(&chunk);
            if sender.send_data(chunk).await.is_err() {
                break;
            }
            if n % 8 == 7 {
                println!("{:>5} KiB produced", sent.len() / 1024);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        sent
    });

    let request = Request::put(format!("{}/video", eu.origin())).body(body)?;
    let response = client.oneshot(request).await?;
    let sent = producer.await?;

    let status = response.status();
    let served = response.extensions().get::<Served>();
    let served = served.ok_or("the upload did not move")?;
    for attempt in served.attempts() {
        println!("{attempt}, {} ms", attempt.elapsed().as_millis());
    }
    let arrived = cluster.region("us").requests().pop();
    let arrived = arrived.ok_or("nothing arrived")?.body;
    let partial = eu.requests().pop().ok_or("nothing was sent")?.body;
    println!("eu had read {} KiB when it failed", partial.len() / 1024);
    println!("us has {} KiB and answered {status}", arrived.len() / 1024);
    if arrived != sent {
        return Err("what arrived is not what was sent".into());
    }
    println!("byte for byte the same");
    Ok(())
}
