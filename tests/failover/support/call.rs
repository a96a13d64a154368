use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{Empty, Full};
use tokio::time::Instant;
use tower_failover::{Backoff, FailoverLayer, Jitter, Regions};

/// A layer with default settings over `n` regions, `http://a`, `http://b` and so on.
pub(crate) fn layer(n: u8) -> FailoverLayer {
    let origins = (b'a'..b'a' + n).map(|letter| format!("http://{}", char::from(letter)));
    FailoverLayer::new(Regions::fixed(origins).unwrap())
}

/// A request without a body, at home in `http://a`.
pub(crate) fn request(method: Method) -> Request<Empty<Bytes>> {
    let request = Request::builder().method(method).uri("http://a/x?y");
    request.body(Empty::new()).unwrap()
}

/// A `GET` without a body.
pub(crate) fn get(uri: &str) -> Request<Empty<Bytes>> {
    Request::get(uri).body(Empty::new()).unwrap()
}

/// Regions with these names, at the https origins of the same names.
pub(crate) fn named<const N: usize>(names: [&str; N]) -> Regions {
    Regions::named(names.map(|name| (name, format!("https://{name}")))).unwrap()
}

/// A `PUT` of this body, at home in `http://a`.
pub(crate) fn put(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::put("http://a/x?y")
        .body(Full::new(body.into()))
        .unwrap()
}

/// No wait at all between attempts.
pub(crate) fn no_wait() -> Backoff {
    Backoff::exponential(Duration::ZERO, Duration::ZERO)
}

/// Waits of exactly this length between attempts.
pub(crate) fn wait_of(wait: Duration) -> Backoff {
    Backoff::exponential(wait, wait).jitter(Jitter::None)
}

/// What the future gives, and how long it takes.
pub(crate) async fn timed<F: Future>(future: F) -> (F::Output, Duration) {
    let start = Instant::now();
    let output = future.await;
    (output, start.elapsed())
}
