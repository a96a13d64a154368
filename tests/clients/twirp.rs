//! Twirp and Connect over hyper-util's client: POST, and an error in JSON with a code.

use std::time::Duration;

use bytes::Bytes;
use failover_cluster::{Fault, Server};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_failover::{
    Backoff, BoxError, Failover, FailoverLayer, Regions, Served,
    classify::{self, Classify, Failure, GrpcCode, Http, Outcome, Reason, Verdict},
    peek::{Peek, PeekBody, PeekLayer, RpcCode},
    replay::ReplayBody,
};

use crate::{describe::describe, support::within};

type Inner = Client<HttpConnector, ReplayBody<Full<Bytes>>>;
type Answer = Response<PeekBody<hyper::body::Incoming>>;

const TWIRP: &str = r#"{"code":"unavailable","msg":"draining","meta":{"region":"home"}}"#;
const CONNECT: &str = r#"{"code":"unavailable","message":"draining","details":[]}"#;

async fn pair() -> (Server, Server) {
    (Server::http1("home").await, Server::http1("other").await)
}

fn json(status: u16, body: &'static str) -> Fault {
    let headers = vec![("content-type", "application/json".to_owned())];
    Fault::Answer(status, headers, Bytes::from_static(body.as_bytes()))
}

fn layer(home: &Server, other: &Server) -> FailoverLayer {
    let short = Duration::from_millis(1);
    FailoverLayer::new(Regions::fixed([home.origin(), other.origin()]).unwrap())
        .backoff(Backoff::exponential(short, short))
        .attempt_timeout(Duration::from_secs(10))
}

fn client(layer: FailoverLayer) -> Failover<Peek<Inner>> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    ServiceBuilder::new()
        .layer(layer)
        .layer(PeekLayer::new())
        .service(client)
}

/// A classifier that goes by the code, where there is one.
fn by_code() -> impl Classify {
    classify::from_fn(|outcome| {
        let code = match outcome {
            Outcome::Response(head) => head.extensions.get::<RpcCode>(),
            _ => None,
        };
        match code.map(RpcCode::as_str) {
            Some("unavailable") => {
                Verdict::Failed(Failure::declined(Reason::Grpc(GrpcCode::UNAVAILABLE)))
            }
            Some("internal") => Verdict::Final,
            _ => Http.classify(outcome),
        }
    })
}

fn post(home: &Server, content_type: &str) -> Request<Full<Bytes>> {
    Request::post(format!("{}/twirp/shop.Shop/Buy", home.origin()))
        .header("content-type", content_type)
        .body(Full::from(r#"{"item":7}"#))
        .unwrap()
}

async fn call(client: Failover<Peek<Inner>>, request: Request<Full<Bytes>>) -> Answer {
    within(client.oneshot(request)).await.unwrap()
}

async fn text(answer: Answer) -> Result<String, BoxError> {
    let body = answer.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(body.to_vec())?)
}

#[tokio::test]
async fn a_code_that_the_classifier_asks_for_sends_the_call_on() {
    for (content_type, error) in [
        ("application/json", TWIRP),
        ("application/protobuf", TWIRP),
        ("application/proto", CONNECT),
    ] {
        let (home, other) = pair().await;
        home.set(json(503, error)).await;
        let client = client(layer(&home, &other).classifier(by_code()));
        let answer = call(client, post(&home, content_type)).await;
        let served = answer.extensions().get::<Served>().unwrap();
        let first = served.attempts()[0].reason();
        assert_eq!(first, Reason::Grpc(GrpcCode::UNAVAILABLE));
        assert_eq!(text(answer).await.unwrap(), "other\n");
        assert_eq!((home.hits(), other.hits()), (1, 1), "{content_type}");
        for request in [&home.requests()[0], &other.requests()[0]] {
            assert_eq!(request.body, r#"{"item":7}"#);
            assert_eq!(request.headers["content-type"], content_type);
        }
    }
}

#[tokio::test]
async fn by_status_alone_a_post_is_not_sent_twice_and_the_error_comes_whole() {
    for error in [TWIRP, CONNECT] {
        let (home, other) = pair().await;
        home.set(json(503, error)).await;
        let answer = call(
            client(layer(&home, &other)),
            post(&home, "application/json"),
        )
        .await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        let code = answer.extensions().get::<RpcCode>().unwrap();
        assert_eq!(code.as_str(), "unavailable");
        assert_eq!(text(answer).await.unwrap(), error);
        assert_eq!((home.hits(), other.hits()), (1, 0));
    }
}

#[tokio::test]
async fn by_status_alone_a_post_with_a_key_is_sent_on() {
    let (home, other) = pair().await;
    home.set(json(503, TWIRP)).await;
    let mut request = post(&home, "application/json");
    let headers = request.headers_mut();
    headers.insert("idempotency-key", "7".parse().unwrap());
    let answer = call(client(layer(&home, &other)), request).await;
    assert_eq!(text(answer).await.unwrap(), "other\n");
}

#[tokio::test]
async fn a_code_can_keep_a_call_where_its_status_would_not() {
    let (home, other) = pair().await;
    let error = r#"{"code":"internal","msg":"a bug"}"#;
    home.set(json(500, error)).await;
    let mut request = post(&home, "application/json");
    let headers = request.headers_mut();
    headers.insert("idempotency-key", "7".parse().unwrap());
    let client = client(layer(&home, &other).classifier(by_code()));
    let answer = call(client, request).await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(text(answer).await.unwrap(), error);
    assert_eq!((home.hits(), other.hits()), (1, 0));
}

#[tokio::test]
async fn when_all_regions_fail_the_last_error_comes_whole() {
    let (home, other) = pair().await;
    home.set(json(503, TWIRP)).await;
    let error = r#"{"code":"unavailable","msg":"of the other"}"#;
    other.set(json(503, error)).await;
    let client = client(layer(&home, &other).classifier(by_code()));
    let answer = call(client, post(&home, "application/json")).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text(answer).await.unwrap(), error);
    assert_eq!((home.hits(), other.hits()), (1, 1));
}

#[tokio::test]
async fn an_error_without_an_end_holds_nothing_up() {
    let headers = || vec![("content-type", "application/json".to_owned())];
    for fault in [
        Fault::Endless(503, headers()),
        Fault::Stall(503, headers(), Bytes::from_static(b"{\"code\":")),
    ] {
        let (home, other) = pair().await;
        home.set(fault.clone()).await;
        let mut request = post(&home, "application/json");
        let own = request.headers_mut();
        own.insert("idempotency-key", "7".parse().unwrap());
        let client = client(layer(&home, &other).classifier(by_code()));
        let answer = call(client, request).await;
        assert_eq!(text(answer).await.unwrap(), "other\n", "{fault:?}");
    }
}

#[tokio::test]
async fn errors_of_the_client_come_through_as_they_are() {
    let (home, other) = pair().await;
    home.set(Fault::Refuse).await;
    other.set(Fault::Refuse).await;
    let client = layer(&home, &other).layer(
        PeekLayer::new()
            .layer(Client::builder(TokioExecutor::new()).build_http::<ReplayBody<Full<Bytes>>>()),
    );
    let error = client
        .oneshot(post(&home, "application/json"))
        .await
        .unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(
        describe(source),
        "hyper_util (connect) > io (ConnectionRefused)"
    );
}

// ---- reqwest

fn reqwest(layer: FailoverLayer) -> Failover<Peek<::reqwest::Client>> {
    ServiceBuilder::new()
        .layer(layer)
        .layer(PeekLayer::new())
        .service(crate::reqwest::support::http1())
}

fn reqwest_post(home: &Server) -> ::reqwest::Request {
    let url = format!("{}/twirp/shop.Shop/Buy", home.origin());
    let request = crate::reqwest::support::http1().post(url);
    let request = request.header("content-type", "application/json");
    request.body(r#"{"item":7}"#).build().unwrap()
}

#[tokio::test]
async fn over_reqwest_a_code_sends_the_call_on_too() {
    let (home, other) = pair().await;
    home.set(json(503, TWIRP)).await;
    let client = reqwest(layer(&home, &other).classifier(by_code()));
    let answer = within(client.oneshot(reqwest_post(&home))).await.unwrap();
    let served = answer.extensions().get::<Served>().unwrap();
    let first = served.attempts()[0].reason();
    assert_eq!(first, Reason::Grpc(GrpcCode::UNAVAILABLE));
    let url = format!("{}/twirp/shop.Shop/Buy", other.origin());
    assert_eq!(answer.url().as_str(), url);
    assert_eq!(answer.text().await.unwrap(), "other\n");
    assert_eq!((home.hits(), other.hits()), (1, 1));
}

#[tokio::test]
async fn over_reqwest_the_error_comes_whole() {
    let (home, other) = pair().await;
    home.set(json(503, TWIRP)).await;
    let client = reqwest(layer(&home, &other));
    let answer = within(client.oneshot(reqwest_post(&home))).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let code = answer.extensions().get::<RpcCode>().unwrap();
    assert_eq!(code.as_str(), "unavailable");
    assert_eq!(answer.content_length(), Some(TWIRP.len() as u64));
    assert_eq!(answer.text().await.unwrap(), TWIRP);
    assert_eq!((home.hits(), other.hits()), (1, 0));
}
