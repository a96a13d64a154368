//! Calls of all four kinds, and what is in them on their way.

use std::time::Duration;

use failover_cluster::Fault as Http;
use failover_grpc::{COLLECT, Fault, REPEAT, Region, SAY, TALK, proto::echo_client::EchoClient};
use futures_util::stream;
use http::HeaderMap;
use tonic::{Code, Request};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tower::Layer;
use tower_failover::{Override, Replay, Served, classify::Grpc, peek::PeekLayer, tonic::Channels};

use crate::{
    support::{self, within},
    tonic::*,
};

#[tokio::test]
async fn calls_of_every_kind_are_replayed_in_the_next_region() {
    for below in BOTH {
        for fault in [
            Fault::REFUSE,
            Fault::Status(Code::Unavailable),
            Fault::Http(Http::RefusedStream),
            Fault::Http(Http::GoAway),
        ] {
            let (home, other) = regions().await;
            home.set(fault.clone()).await;
            for path in [SAY, COLLECT, REPEAT, TALK] {
                let mut client = below.client(&layer([&home, &other]), &home);
                let words = ["a", "b", "c"].map(word);
                let words = move || stream::iter(words.clone());
                let (text, region) = match path {
                    SAY => {
                        let reply = client.say(word("a")).await.unwrap().into_inner();
                        (reply.text, reply.region)
                    }
                    COLLECT => {
                        let reply = client.collect(words()).await.unwrap().into_inner();
                        (reply.text, reply.region)
                    }
                    REPEAT => {
                        let word = failover_grpc::proto::Word {
                            text: "a".to_owned(),
                            times: 2,
                        };
                        gathered(client.repeat(word).await.unwrap().into_inner()).await
                    }
                    _ => gathered(client.talk(words()).await.unwrap().into_inner()).await,
                };
                let expected = match path {
                    SAY => "a",
                    REPEAT => "a a",
                    _ => "a b c",
                };
                assert_eq!(
                    (text.as_str(), region.as_str()),
                    (expected, "other"),
                    "{below:?}, {path}, {fault:?}"
                );
                assert_eq!(other.hits_at(path), 1, "{below:?}, {path}, {fault:?}");
            }
        }
    }
}

async fn gathered(mut replies: tonic::Streaming<failover_grpc::proto::Reply>) -> (String, String) {
    let (mut texts, mut region) = (Vec::new(), String::new());
    while let Some(reply) = replies.message().await.unwrap() {
        texts.push(reply.text);
        region = reply.region;
    }
    (texts.join(" "), region)
}

#[tokio::test]
async fn a_healthy_home_answers_calls_of_every_kind_alone() {
    for below in BOTH {
        let (home, other) = regions().await;
        let mut client = below.client(&layer([&home, &other]), &home);
        let words = || stream::iter(["a", "b"].map(word));
        assert_eq!(client.say(word("a")).await.unwrap().into_inner().text, "a");
        let all = client.collect(words()).await.unwrap().into_inner();
        assert_eq!(all.text, "a b");
        let replies = client.repeat(word("a")).await.unwrap().into_inner();
        assert_eq!(gathered(replies).await, ("a".to_owned(), "home".to_owned()));
        let replies = client.talk(words()).await.unwrap().into_inner();
        assert_eq!(
            gathered(replies).await,
            ("a b".to_owned(), "home".to_owned())
        );
        assert_eq!((home.hits(), other.hits()), (4, 0), "{below:?}");
        assert_eq!(home.connections(), 1, "{below:?}");
    }
}

#[tokio::test]
async fn a_conversation_goes_on_word_by_word_in_the_next_region() {
    for below in BOTH {
        let (home, other) = regions().await;
        home.set(Fault::REFUSE).await;
        let mut client = below.client(&layer([&home, &other]), &home);
        let (say, words) = tokio::sync::mpsc::unbounded_channel();
        let words = stream::unfold(words, |mut words| async {
            words.recv().await.map(|word| (word, words))
        });
        let conversation = async {
            let mut replies = client.talk(words).await.unwrap().into_inner();
            // Each word waits for the reply to the one before.
            for text in ["a", "b", "c"] {
                say.send(word(text)).unwrap();
                let reply = replies.message().await.unwrap().unwrap();
                assert_eq!(
                    (reply.text.as_str(), reply.region.as_str()),
                    (text, "other")
                );
            }
            drop(say);
            assert!(replies.message().await.unwrap().is_none());
        };
        within(conversation).await;
        assert_eq!(other.hits_at(TALK), 1, "{below:?}");
    }
}

#[tokio::test]
async fn the_head_of_a_stream_does_not_wait_for_its_first_message() {
    for below in BOTH {
        let (home, other) = regions().await;
        home.hold();
        let mut client = below.client(&layer([&home, &other]), &home);
        let call = async {
            let mut replies = client.repeat(word("a")).await.unwrap().into_inner();
            home.release();
            replies.message().await.unwrap().unwrap()
        };
        assert_eq!(within(call).await.region, "home", "{below:?}");
    }
}

#[tokio::test]
async fn a_code_that_follows_the_head_is_replayed_with_a_look_at_it() {
    let (home, other) = regions().await;
    home.set(Fault::Trailers(Code::Unavailable)).await;
    let peek = PeekLayer::new().unary(|path| path == SAY);
    let service = layer([&home, &other]).layer(peek.layer(Channels::default()));
    let mut client = EchoClient::new(service);
    let reply = client.say(word("a")).await.unwrap().into_inner();
    assert_eq!(reply.region, "other");

    // A stream is not looked into.
    home.set(Fault::None).await;
    home.hold();
    let call = async {
        let mut replies = client.repeat(word("a")).await.unwrap().into_inner();
        home.release();
        replies.message().await.unwrap().unwrap()
    };
    assert_eq!(within(call).await.region, "home");

    // After a message it is the caller's.
    home.set(Fault::AfterMessage(Code::Unavailable)).await;
    let status = client.say(replayable(word("a"))).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!((home.hits(), other.hits()), (3, 1));
}

#[tokio::test]
async fn a_call_is_replayed_once_it_was_sent_only_if_it_says_so() {
    for below in BOTH {
        let (home, other) = regions().await;
        // Not UNAVAILABLE, which means that the call was declined.
        home.set(Fault::Status(Code::Internal)).await;
        let once = Request::new(word("a"));
        let mut overridden = Request::new(word("a"));
        let replay = Override::new().replay(Replay::Always);
        overridden.extensions_mut().insert(replay);
        for (request, region) in [
            (once, None),
            (overridden, Some("other")),
            (replayable(word("a")), Some("other")),
        ] {
            let mut client = below.client(&layer([&home, &other]), &home);
            let outcome = client.say(request).await;
            match region {
                Some(region) => assert_eq!(outcome.unwrap().into_inner().region, region),
                None => assert_eq!(outcome.unwrap_err().code(), Code::Internal),
            }
        }
        assert_eq!((home.hits(), other.hits()), (3, 2), "{below:?}");
    }
}

#[tokio::test]
async fn the_next_region_gets_the_metadata_and_what_is_left_of_the_time() {
    for below in BOTH {
        let (home, other) = regions().await;
        home.set(Fault::BLACK_HOLE).await;
        let layer = layer([&home, &other]).attempt_timeout(Duration::from_millis(100));
        let mut client = below.client(&layer, &home);
        let mut request = replayable(word("a"));
        request.set_timeout(Duration::from_secs(15));
        request
            .metadata_mut()
            .insert("x-user", "somebody".parse().unwrap());
        let response = client.say(request).await.unwrap();
        let served = response.extensions().get::<Served>().unwrap();
        assert_eq!(served.region().name(), other.origin());
        assert_eq!(served.attempts().len(), 2);

        let (first, second) = (metadata(&home), metadata(&other));
        for metadata in [&first, &second] {
            assert_eq!(metadata["x-user"], "somebody");
            assert_eq!(metadata["te"], "trailers");
        }
        let (first, second) = (micros(&first), micros(&second));
        assert_eq!(first, 15_000_000);
        // The timer of an attempt may be early by its own fraction of a millisecond.
        assert!(
            second <= first - 99_000,
            "{below:?}: {second} of {first} µs"
        );
        assert!(second > 0, "{below:?}");
    }
}

fn metadata(region: &Region) -> HeaderMap {
    let [metadata] = &region.metadata()[..] else {
        panic!("not one call");
    };
    metadata.clone()
}

fn micros(metadata: &HeaderMap) -> u64 {
    let timeout = metadata["grpc-timeout"].to_str().unwrap();
    timeout.strip_suffix('u').unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_health_service_is_asked_in_the_next_region() {
    for below in BOTH {
        let (home, other) = regions().await;
        home.set(Fault::REFUSE).await;
        let service = below.layered(&layer([&home, &other]));
        let mut client = HealthClient::with_origin(service, home.origin().parse().unwrap());
        let everything = HealthCheckRequest {
            service: String::new(),
        };
        let health = client.check(everything).await.unwrap().into_inner();
        assert_eq!(health.status(), ServingStatus::Serving);
        assert_eq!(
            other.hits_at("/grpc.health.v1.Health/Check"),
            1,
            "{below:?}"
        );
    }
}

#[tokio::test]
async fn a_client_without_an_origin_calls_the_first_region() {
    let (home, other) = regions().await;
    let layer = layer([&home, &other]);
    let mut client = EchoClient::new(layer.layer(Channels::default()));
    assert_eq!(
        client.say(word("a")).await.unwrap().into_inner().region,
        "home"
    );
    home.set(Fault::REFUSE).await;
    assert_eq!(
        client.say(word("a")).await.unwrap().into_inner().region,
        "other"
    );
}

#[tokio::test]
async fn a_call_of_another_origin_is_passed_on() {
    for below in BOTH {
        let (home, other) = regions().await;
        let elsewhere = Region::start("elsewhere").await;
        let layer = support::layer([home.origin(), other.origin()]).classifier(Grpc);
        let mut client = below.client(&layer, &elsewhere);
        assert_eq!(
            client.say(word("a")).await.unwrap().into_inner().region,
            "elsewhere"
        );
        elsewhere.set(Fault::Status(Code::Unavailable)).await;
        let status = client.say(replayable(word("a"))).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!((home.hits(), other.hits()), (0, 0), "{below:?}");
    }
}
