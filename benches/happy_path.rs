//! What a call costs that succeeds at its first attempt: the bare service, `tower::retry` with a
//! policy that clones the request and keeps a budget, and the failover layer, side by side.
//!
//! `cargo bench --bench happy_path`; the figures are in `docs/performance.md`. The inner service is
//! always ready, reads the body to its end and answers at once, so that all else is the cost of the
//! layers. Dropping the request is part of each, the bare service included.
//!
//! `tower::retry` can only clone a body that is `Clone`. For the streaming body it therefore gets
//! what users give it, a body that was collected into one buffer before.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    hint::black_box,
    pin::{Pin, pin},
    sync::{Arc, LazyLock},
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use divan::{AllocProfiler, Bencher};
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{Empty, Full};
use tower::{
    Layer, Service,
    retry::{
        Policy, RetryLayer,
        budget::{Budget, TpsBudget},
    },
};
use tower_failover::{Discovery, FailoverLayer, Regions};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const HEADERS: [usize; 3] = [0, 5, 20];

/// The inner service: reads what it is sent and answers 200.
#[derive(Clone)]
struct Sink;

impl<B> Service<Request<B>> for Sink
where
    B: Body + Unpin,
{
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Empty<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut request = black_box(request);
        drain(request.body_mut(), drop);
        ready(Ok(Response::new(Empty::new())))
    }
}

/// Reads a body of which every frame is at hand.
fn drain<B>(body: &mut B, mut each: impl FnMut(B::Data))
where
    B: Body + Unpin,
{
    let mut cx = Context::from_waker(Waker::noop());
    // As clients do: one that is known to be at its end is not polled.
    while !body.is_end_stream() {
        match Pin::new(&mut *body).poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => each(frame.into_data().unwrap_or_else(|_| panic!())),
            Poll::Ready(None) => break,
            _ => panic!("the body is ready and does not fail"),
        }
    }
}

/// The policy that tower's documentation shows.
#[derive(Clone)]
struct CloneRequest {
    budget: Arc<TpsBudget>,
}

impl<B, R, E> Policy<Request<B>, Response<R>, E> for CloneRequest
where
    B: Clone,
{
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<B>,
        result: &mut Result<Response<R>, E>,
    ) -> Option<Ready<()>> {
        match result {
            Ok(response) if !response.status().is_server_error() => {
                self.budget.deposit();
                None
            }
            _ => self.budget.withdraw().then(|| ready(())),
        }
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        Some(request.clone())
    }
}

fn retry() -> tower::retry::Retry<CloneRequest, Sink> {
    let budget = Arc::new(TpsBudget::default());
    RetryLayer::new(CloneRequest { budget }).layer(Sink)
}

fn failover() -> tower_failover::Failover<Sink> {
    let regions = Regions::fixed(["https://eu.api.example.com", "https://us.api.example.com"]);
    FailoverLayer::new(regions.expect("two origins")).layer(Sink)
}

fn discovered() -> tower_failover::Failover<Sink> {
    let discovery = Discovery::http("/settings/regions").hosts(["*.example.com"]);
    FailoverLayer::new(Regions::discover(discovery)).layer(Sink)
}

/// A request with headers as servers and clients make them: parsed from text, each value with a
/// buffer of its own.
fn request<B>(method: &str, headers: usize, body: B) -> Request<B> {
    let mut request = Request::builder()
        .method(method)
        .uri("https://eu.api.example.com/v1/rooms/lobby?expand=participants");
    const COMMON: [&str; 5] = [
        "accept",
        "authorization",
        "user-agent",
        "traceparent",
        "content-type",
    ];
    for n in 0..headers {
        let value = format!("value-of-header-number-{n}");
        request = match COMMON.get(n) {
            Some(name) => request.header(*name, value),
            None => request.header(format!("x-application-{n}"), value),
        };
    }
    request.body(body).expect("all parts are valid")
}

static KIB: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(vec![7; 1024]));

const CHUNK: usize = 64 * 1024;
static CHUNKS: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(vec![7; CHUNK]));

/// 1 MiB in 16 frames, of a length that is not announced.
struct Stream(usize);

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.0 == 0 {
            return Poll::Ready(None);
        }
        self.0 -= 1;
        Poll::Ready(Some(Ok(Frame::data(CHUNKS.clone()))))
    }
}

fn stream() -> Stream {
    Stream(1024 * 1024 / CHUNK)
}

fn bench<B, S>(bencher: Bencher<'_, '_>, mut service: S, request: impl Fn() -> Request<B> + Sync)
where
    S: Service<Request<B>, Response = Response<Empty<Bytes>>>,
    S::Error: std::fmt::Debug,
{
    bencher.with_inputs(request).bench_local_values(|request| {
        let mut cx = Context::from_waker(Waker::noop());
        let ready = service.poll_ready(&mut cx);
        assert!(ready.is_ready());
        match pin!(service.call(request)).poll(&mut cx) {
            Poll::Ready(response) => response.expect("the sink does not fail").status(),
            Poll::Pending => panic!("the sink is never pending"),
        }
    });
}

#[divan::bench_group(sample_count = 1000, sample_size = 200)]
mod empty {
    use super::*;

    #[divan::bench(args = HEADERS)]
    fn bare(bencher: Bencher<'_, '_>, headers: usize) {
        bench(bencher, Sink, || {
            request("GET", headers, Empty::<Bytes>::new())
        });
    }

    #[divan::bench(args = HEADERS)]
    fn tower_retry(bencher: Bencher<'_, '_>, headers: usize) {
        bench(bencher, retry(), || {
            request("GET", headers, Empty::<Bytes>::new())
        });
    }

    #[divan::bench(args = HEADERS)]
    fn failover(bencher: Bencher<'_, '_>, headers: usize) {
        bench(bencher, super::failover(), || {
            request("GET", headers, Empty::<Bytes>::new())
        });
    }

    /// Where the regions are discovered, once the home is known.
    #[divan::bench(args = HEADERS)]
    fn failover_discovered(bencher: Bencher<'_, '_>, headers: usize) {
        bench(bencher, super::discovered(), || {
            request("GET", headers, Empty::<Bytes>::new())
        });
    }
}

#[divan::bench_group(sample_count = 1000, sample_size = 200)]
mod one_kib {
    use super::*;

    #[divan::bench(args = HEADERS)]
    fn bare(bencher: Bencher<'_, '_>, headers: usize) {
        bench(bencher, Sink, || {
            request("POST", headers, Full::new(KIB.clone()))
        });
    }

    #[divan::bench(args = HEADERS)]
    fn tower_retry(bencher: Bencher<'_, '_>, headers: usize) {
        bench(bencher, retry(), || {
            request("POST", headers, Full::new(KIB.clone()))
        });
    }

    #[divan::bench(args = HEADERS)]
    fn failover(bencher: Bencher<'_, '_>, headers: usize) {
        bench(bencher, super::failover(), || {
            request("POST", headers, Full::new(KIB.clone()))
        });
    }
}

#[divan::bench_group(sample_count = 300, sample_size = 20)]
mod streaming_1_mib {
    use super::*;

    /// Collects the body, so that it can be cloned.
    struct Collect<S>(S);

    impl<S> Service<Request<Stream>> for Collect<S>
    where
        S: Service<Request<Full<Bytes>>>,
    {
        type Response = S::Response;
        type Error = S::Error;
        type Future = S::Future;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
            self.0.poll_ready(cx)
        }

        fn call(&mut self, request: Request<Stream>) -> S::Future {
            self.0.call(request.map(|mut body| {
                let mut bytes = BytesMut::new();
                drain(&mut body, |data| bytes.extend_from_slice(&data));
                Full::new(bytes.freeze())
            }))
        }
    }

    #[divan::bench(args = HEADERS)]
    fn bare(bencher: Bencher<'_, '_>, headers: usize) {
        bench(bencher, Sink, || request("PUT", headers, stream()));
    }

    #[divan::bench(args = HEADERS)]
    fn tower_retry(bencher: Bencher<'_, '_>, headers: usize) {
        bench(bencher, Collect(retry()), || {
            request("PUT", headers, stream())
        });
    }

    #[divan::bench(args = HEADERS)]
    fn failover(bencher: Bencher<'_, '_>, headers: usize) {
        bench(bencher, super::failover(), || {
            request("PUT", headers, stream())
        });
    }
}
