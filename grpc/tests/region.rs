//! What a region does, as a client of tonic's own sees it.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

use failover_cluster::Fault as Http;
use failover_grpc::{
    COLLECT, Fault, REPEAT, Region, SAY, TALK,
    proto::{Word, echo_client::EchoClient},
};
use futures_util::stream;
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

fn channel(region: &Region) -> Channel {
    let endpoint = Endpoint::from_shared(region.origin()).unwrap();
    endpoint.connect_lazy()
}

fn client(region: &Region) -> EchoClient<Channel> {
    EchoClient::new(channel(region))
}

fn word(text: &str, times: u32) -> Word {
    let text = text.to_owned();
    Word { text, times }
}

#[tokio::test]
async fn it_answers_calls_of_every_kind_and_counts_them() {
    let region = Region::start("eu").await;
    let mut client = client(&region);
    let words = || stream::iter([word("a", 0), word("b", 0)]);
    let reply = client.say(word("a", 0)).await.unwrap().into_inner();
    assert_eq!((reply.text.as_str(), reply.region.as_str()), ("a", "eu"));
    let reply = client.collect(words()).await.unwrap().into_inner();
    assert_eq!(reply.text, "a b");
    let mut replies = client.repeat(word("c", 2)).await.unwrap().into_inner();
    for _ in 0..2 {
        assert_eq!(replies.message().await.unwrap().unwrap().text, "c");
    }
    assert!(replies.message().await.unwrap().is_none());
    let mut replies = client.talk(words()).await.unwrap().into_inner();
    for text in ["a", "b"] {
        assert_eq!(replies.message().await.unwrap().unwrap().text, text);
    }
    assert!(replies.message().await.unwrap().is_none());
    for path in [SAY, COLLECT, REPEAT, TALK] {
        assert_eq!(region.hits_at(path), 1, "{path}");
    }
    assert_eq!(region.hits(), 4);
    assert_eq!(region.metadata().len(), 4);
    assert_eq!(region.metadata()[0]["content-type"], "application/grpc");
}

#[tokio::test]
async fn its_health_service_says_that_it_serves() {
    let region = Region::start("eu").await;
    let everything = HealthCheckRequest {
        service: String::new(),
    };
    let mut client = HealthClient::new(channel(&region));
    let health = client.check(everything).await.unwrap();
    assert_eq!(health.into_inner().status(), ServingStatus::Serving);
}

#[tokio::test]
async fn a_code_comes_where_the_fault_says() {
    let region = Region::start("eu").await;
    let mut client = client(&region);
    let code = Code::Unavailable;

    region.set(Fault::Pushback(code, "250")).await;
    let status = client.say(word("a", 0)).await.unwrap_err();
    assert_eq!(status.code(), code);
    assert_eq!(
        status.metadata().get("grpc-retry-pushback-ms").unwrap(),
        "250"
    );

    // In the head: there is no stream.
    region.set(Fault::Status(code)).await;
    let status = client.repeat(word("a", 2)).await.unwrap_err();
    assert_eq!(status.code(), code);
    let requests = region.requests();
    assert!(requests.last().unwrap().complete);

    // After it.
    region.set(Fault::Trailers(code)).await;
    let mut replies = client.repeat(word("a", 2)).await.unwrap().into_inner();
    assert_eq!(replies.message().await.unwrap_err().code(), code);

    region.set(Fault::AfterMessage(code)).await;
    let mut replies = client.repeat(word("a", 2)).await.unwrap().into_inner();
    assert_eq!(replies.message().await.unwrap().unwrap().text, "a");
    assert_eq!(replies.message().await.unwrap_err().code(), code);

    region.set(Fault::Http(Http::CutBody)).await;
    let mut replies = client.repeat(word("a", 2)).await.unwrap().into_inner();
    assert_eq!(replies.message().await.unwrap().unwrap().text, "a");
    assert!(replies.message().await.is_err());

    // Without waiting for the request.
    region.set(Fault::EarlyStatus(code)).await;
    let status = client.talk(stream::pending()).await.unwrap_err();
    assert_eq!(status.code(), code);

    region.set(Fault::None).await;
    client.say(word("a", 0)).await.unwrap();
}

#[tokio::test]
async fn it_refuses_connections_until_it_does_not() {
    let region = Region::start("eu").await;
    region.set(Fault::REFUSE).await;
    let mut client = client(&region);
    let status = client.say(word("a", 0)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    region.set(Fault::None).await;
    client.say(word("a", 0)).await.unwrap();
    assert_eq!(region.hits(), 1);
}

#[tokio::test]
async fn messages_are_held_back_but_not_the_head() {
    let region = Region::start("eu").await;
    region.hold();
    let mut replies = client(&region)
        .repeat(word("a", 1))
        .await
        .unwrap()
        .into_inner();
    let mut first = Box::pin(replies.message());
    assert!(futures_util::FutureExt::now_or_never(&mut first).is_none());
    region.release();
    assert_eq!(first.await.unwrap().unwrap().text, "a");
}
