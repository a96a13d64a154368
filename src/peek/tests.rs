use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Channel, Full, StreamBody, channel::Sender};
use tokio::time::Instant;
use tower::{ServiceExt, service_fn};

use super::*;
use crate::classify::GrpcCode;

type Answer<R> = Response<PeekBody<R>>;

/// What the layer makes of this response to a call at `/s/unary` or elsewhere.
async fn peeked<R>(path: &str, response: Response<R>) -> Answer<R>
where
    R: Body + Unpin,
{
    let mut response = Some(response);
    let client = service_fn(move |_: Request<()>| {
        let response = response.take().unwrap();
        async { Ok::<_, Infallible>(response) }
    });
    let layer = PeekLayer::new().unary(|path| path == "/s/unary");
    let request = Request::get(path).body(()).unwrap();
    layer.layer(client).oneshot(request).await.unwrap()
}

fn grpc<R>(body: R) -> Response<R> {
    let response = Response::builder().header("content-type", "application/grpc+proto");
    response.header("x-head", "1").body(body).unwrap()
}

fn json<R>(status: u16, body: R) -> Response<R> {
    let response = Response::builder().status(status);
    let response = response.header("content-type", "application/json; charset=utf-8");
    response.body(body).unwrap()
}

fn whole(text: impl Into<Bytes>) -> Full<Bytes> {
    Full::new(text.into())
}

fn trailers(code: &str) -> HeaderMap {
    let pairs = [("grpc-status", code), ("x-tail", "2")];
    pairs
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
        .collect()
}

type Channeled = Channel<Bytes, std::io::Error>;

fn channel() -> (Sender<Bytes, std::io::Error>, Channeled) {
    Channel::new(8)
}

async fn send(sender: &mut Sender<Bytes, std::io::Error>, data: &'static [u8]) {
    sender.send_data(Bytes::from_static(data)).await.unwrap();
}

fn code_of<R: Body>(answer: &Answer<R>) -> Option<&str> {
    answer.extensions().get::<RpcCode>().map(RpcCode::as_str)
}

// ---- gRPC

#[tokio::test]
async fn a_failure_that_comes_with_the_head_is_brought_into_it() {
    let (mut sender, body) = channel();
    sender.send_trailers(trailers("14")).await.unwrap();
    let answer = peeked("/s/stream", grpc(body)).await;
    assert_eq!(answer.headers()["grpc-status"], "14");
    assert_eq!(answer.headers()["x-tail"], "2");
    assert_eq!(answer.headers()["x-head"], "1");
    assert!(answer.body().is_end_stream());
    let rest = answer.into_body().collect().await.unwrap();
    assert!(rest.trailers().is_none(), "it is said once");
}

#[tokio::test]
async fn the_head_of_a_stream_is_not_held_back() {
    let (mut sender, body) = channel();
    let answer = peeked("/s/stream", grpc(body)).now_or_never();
    let answer = answer.expect("nothing is waited for");
    assert!(!answer.headers().contains_key("grpc-status"));
    send(&mut sender, b"message").await;
    sender.send_trailers(trailers("14")).await.unwrap();
    drop(sender);
    let whole = answer.into_body().collect().await.unwrap();
    assert_eq!(whole.trailers(), Some(&trailers("14")));
    assert_eq!(whole.to_bytes(), "message");
}

#[tokio::test]
async fn the_head_of_a_unary_call_waits_for_what_follows() {
    let (mut sender, body) = channel();
    let mut answer = Box::pin(peeked("/s/unary", grpc(body)));
    assert!((&mut answer).now_or_never().is_none());
    sender.send_trailers(trailers("13")).await.unwrap();
    assert_eq!(answer.await.headers()["grpc-status"], "13");
}

#[tokio::test]
async fn after_a_message_trailers_stay_where_they_are() {
    for path in ["/s/unary", "/s/stream"] {
        let (mut sender, body) = channel();
        send(&mut sender, b"one").await;
        sender.send_trailers(trailers("14")).await.unwrap();
        drop(sender);
        let answer = peeked(path, grpc(body)).await;
        assert!(!answer.headers().contains_key("grpc-status"), "{path}");
        let whole = answer.into_body().collect().await.unwrap();
        assert_eq!(whole.trailers(), Some(&trailers("14")), "{path}");
        assert_eq!(whole.to_bytes(), "one", "{path}");
    }
}

#[tokio::test]
async fn success_in_trailers_stays_there() {
    let (mut sender, body) = channel();
    sender.send_trailers(trailers("0")).await.unwrap();
    drop(sender);
    let answer = peeked("/s/unary", grpc(body)).await;
    assert!(!answer.headers().contains_key("grpc-status"));
    let whole = answer.into_body().collect().await.unwrap();
    assert_eq!(whole.trailers(), Some(&trailers("0")));
}

#[tokio::test]
async fn what_does_not_fit_into_the_head_stays_in_the_trailers() {
    let mut many = trailers("14");
    for n in 0..20_000 {
        let name = HeaderName::try_from(format!("x-{n}")).unwrap();
        many.insert(name, "1".parse().unwrap());
    }
    let (mut sender, body) = channel();
    sender.send_trailers(many.clone()).await.unwrap();
    drop(sender);
    let mut response = grpc(body);
    *response.headers_mut() = many.clone();
    response.headers_mut().remove("grpc-status");
    let kind = "application/grpc".parse().unwrap();
    response.headers_mut().insert("content-type", kind);
    let answer = peeked("/s/unary", response).await;
    assert!(!answer.headers().contains_key("grpc-status"));
    let whole = answer.into_body().collect().await.unwrap();
    assert_eq!(whole.trailers(), Some(&many));
}

#[tokio::test]
async fn a_head_that_has_a_code_keeps_it() {
    let (mut sender, body) = channel();
    sender.send_trailers(trailers("14")).await.unwrap();
    drop(sender);
    let mut response = grpc(body);
    let code = "0".parse().unwrap();
    response.headers_mut().insert("grpc-status", code);
    let answer = peeked("/s/unary", response).await;
    assert_eq!(answer.headers().get_all("grpc-status").iter().count(), 1);
    let whole = answer.into_body().collect().await.unwrap();
    assert_eq!(whole.trailers(), Some(&trailers("14")));
}

#[tokio::test]
async fn a_body_that_breaks_at_once_breaks_for_the_caller() {
    let (sender, body) = channel();
    sender.abort(std::io::Error::other("broken"));
    let answer = peeked("/s/unary", grpc(body)).await;
    let error = answer.into_body().collect().await.unwrap_err();
    assert_eq!(error.to_string(), "broken");
}

#[tokio::test]
async fn what_is_not_grpc_is_left_alone() {
    let (mut sender, body) = channel();
    sender.send_trailers(trailers("14")).await.unwrap();
    drop(sender);
    let answer = peeked("/s/unary", Response::new(body)).await;
    assert!(!answer.headers().contains_key("grpc-status"));
    let whole = answer.into_body().collect().await.unwrap();
    assert_eq!(whole.trailers(), Some(&trailers("14")));
}

// ---- JSON

#[tokio::test]
async fn the_code_of_an_error_is_found_and_its_body_stays_whole() {
    let document = br#"{"code":"unavailable","msg":"down","meta":{"code":"x"}}"#;
    let (mut sender, body) = channel();
    send(&mut sender, &document[..9]).await;
    send(&mut sender, &document[9..]).await;
    sender.send_trailers(trailers("0")).await.unwrap();
    drop(sender);
    let answer = peeked("/twirp/s/m", json(503, body)).await;
    assert_eq!(code_of(&answer), Some("unavailable"));
    let code = answer.extensions().get::<RpcCode>().unwrap();
    assert_eq!(code.grpc(), Some(GrpcCode::UNAVAILABLE));
    assert_eq!(answer.body().size_hint().lower(), document.len() as u64);
    let whole = answer.into_body().collect().await.unwrap();
    assert_eq!(whole.trailers(), Some(&trailers("0")));
    assert_eq!(whole.to_bytes(), &document[..]);
}

#[tokio::test]
async fn a_length_that_was_known_stays_so() {
    let answer = peeked("/", json(404, whole(r#"{"code":"bad_route"}"#))).await;
    assert_eq!(code_of(&answer), Some("bad_route"));
    assert_eq!(answer.body().size_hint().exact(), Some(20));
}

#[tokio::test]
async fn no_code_is_found_where_there_is_none() {
    let long = format!(r#"{{"code":"{}"}}"#, "x".repeat(65));
    for document in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"code":503}"#,
        r#"{"code":""}"#,
        r#"{"code":"two words"}"#,
        r#"{"code":"line\nbreak"}"#,
        r#"{"code":"unavailable"} and more"#,
        r#"{"code":"unavailable""#,
        &long,
    ] {
        let body = whole(document.to_owned());
        let answer = peeked("/", json(503, body)).await;
        assert_eq!(code_of(&answer), None, "{document}");
        let whole = answer.into_body().collect().await.unwrap();
        assert_eq!(whole.to_bytes(), document);
    }
}

#[tokio::test]
async fn only_errors_in_plain_json_are_read() {
    let document = r#"{"code":"unavailable"}"#;
    let mut packed = json(503, whole(document));
    let headers = packed.headers_mut();
    headers.insert("content-encoding", "gzip".parse().unwrap());
    let mut text = json(503, whole(document));
    let headers = text.headers_mut();
    headers.insert("content-type", "text/plain".parse().unwrap());
    let mut long = json(503, whole(document));
    let headers = long.headers_mut();
    headers.insert("content-length", "65537".parse().unwrap());
    let mut bare = json(503, whole(document));
    bare.headers_mut().remove("content-type");
    for response in [
        packed,
        text,
        long,
        bare,
        json(200, whole(document)),
        json(302, whole(document)),
    ] {
        let what = format!("{response:?}");
        let answer = peeked("/", response).await;
        assert_eq!(code_of(&answer), None, "{what}");
        let whole = answer.into_body().collect().await.unwrap();
        assert_eq!(whole.to_bytes(), document, "{what}");
    }
}

/// Frames for ever, and a count of those that were taken.
struct Endless {
    frame: &'static [u8],
    taken: Arc<AtomicUsize>,
}

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.taken.fetch_add(1, Relaxed);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(self.frame)))))
    }
}

#[tokio::test]
async fn an_endless_body_is_read_up_to_a_bound_and_then_handed_out() {
    for (frame, bound) in [(&[b' '; 1024][..], 65), (b"", 64 * 1024 + 1)] {
        let taken = Arc::<AtomicUsize>::default();
        let endless = Endless {
            frame,
            taken: taken.clone(),
        };
        let mut answer = peeked("/", json(503, endless)).await;
        assert_eq!(code_of(&answer), None);
        let body = answer.body_mut();
        for _ in 0..bound {
            body.frame().await.unwrap().unwrap();
        }
        assert_eq!(taken.load(Relaxed), bound);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_waited_for_a_second() {
    let (mut sender, body) = channel();
    send(&mut sender, br#"{"code":"#).await;
    let began = Instant::now();
    let answer = peeked("/", json(503, body)).await;
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    assert_eq!(code_of(&answer), None);
    send(&mut sender, br#""late"}"#).await;
    drop(sender);
    let whole = answer.into_body().collect().await.unwrap();
    assert_eq!(whole.to_bytes(), r#"{"code":"late"}"#);
}

#[tokio::test]
async fn an_error_of_the_body_comes_where_it_came() {
    let frames = [
        Ok(Frame::data(Bytes::from_static(
            br#"{"code":"unavailable"}"#,
        ))),
        Err(std::io::Error::other("broken")),
    ];
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let mut answer = peeked("/", json(503, body)).await;
    let first = answer.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), r#"{"code":"unavailable"}"#);
    let error = answer.body_mut().frame().await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "broken");
}
