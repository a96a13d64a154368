//! What do the calls of a generated gRPC client notice of a region's failure?
//!
//! The client is made over a channel for each region, and its call sites are those of a client over a
//! single channel. One region closes its port and then both do; the last call gets a status that says
//! what was tried.

use std::{error::Error, time::Duration};

use failover_grpc::{
    Fault, Region,
    proto::{Word, echo_client::EchoClient},
};
use tonic::{Code, Request, metadata::MetadataValue};
use tower::ServiceBuilder;
use tower_failover::{FailoverLayer, Regions, Served, classify::Grpc, tonic::Channels};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (eu, us) = (Region::start("eu").await, Region::start("us").await);
    let regions = Regions::named([("eu", eu.origin()), ("us", us.origin())])?;

    // Every region's endpoint is set up alike; TLS and keep-alive belong here too.
    let channels = Channels::new(|endpoint| Ok(endpoint.connect_timeout(Duration::from_secs(2))));
    let service = ServiceBuilder::new()
        .layer(FailoverLayer::new(regions).classifier(Grpc))
        .service(channels);
    let mut client = EchoClient::new(service);

    let reply = client.say(word("hello")).await?.into_inner();
    println!("{} answered {:?}", reply.region, reply.text);
    check(reply.region == "eu")?;

    eu.set(Fault::REFUSE).await;
    let response = client.say(replayable(word("still there?"))).await?;
    let served = response.extensions().get::<Served>();
    let attempts = served.map(Served::attempts).unwrap_or_default().to_vec();
    for attempt in &attempts {
        println!("{attempt}");
    }
    let reply = response.into_inner();
    println!("{} answered {:?}", reply.region, reply.text);
    check(reply.region == "us" && attempts.len() == 2)?;

    // The same for a call with streams both ways.
    let words = futures_util::stream::iter(["one", "two", "three"].map(word));
    let mut replies = client.talk(words).await?.into_inner();
    let mut texts = Vec::new();
    while let Some(reply) = replies.message().await? {
        check(reply.region == "us")?;
        texts.push(reply.text);
    }
    println!("us answered {texts:?}");
    check(texts == ["one", "two", "three"] && eu.hits() == 1)?;

    us.set(Fault::REFUSE).await;
    let status = client.say(replayable(word("anybody?"))).await.err();
    let status = status.ok_or("an answer of nobody's")?;
    println!("{:?}: {}", status.code(), status.message());
    let error = status.source().and_then(|source| source.downcast_ref());
    let error: &tower_failover::Error = error.ok_or("a status without its source")?;
    check(status.code() == Code::Unavailable && !error.attempts().is_empty())
}

fn word(text: &str) -> Word {
    let text = text.to_owned();
    Word { text, times: 1 }
}

/// A call that may be sent again even if a region may have processed it.
fn replayable(word: Word) -> Request<Word> {
    let mut request = Request::new(word);
    let key = MetadataValue::from_static("one-of-its-own");
    request.metadata_mut().insert("idempotency-key", key);
    request
}

fn check(holds: bool) -> Result<(), Box<dyn Error>> {
    holds.then_some(()).ok_or("not as it was meant".into())
}
