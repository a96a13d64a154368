//! What a call allocates that succeeds at its first attempt, over what it does without the layer.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{Empty, Full};
use tower::{Layer, Service};
use tower_failover::{Discovery, FailoverLayer, Regions, Replay};

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

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let mut cx = Context::from_waker(Waker::noop());
        let mut body = Pin::new(request.body_mut());
        while matches!(body.as_mut().poll_frame(&mut cx), Poll::Ready(Some(_))) {}
        ready(Ok(Response::new(Empty::new())))
    }
}

/// 16 frames of 64 KiB, of a length that is not announced.
struct Stream(usize, Bytes);

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.0.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.0 = left;
        Poll::Ready(Some(Ok(Frame::data(self.1.clone()))))
    }
}

/// A `Bytes` whose clones share a counter from the first on.
fn shared(len: usize) -> Bytes {
    let bytes = Bytes::from(vec![7; len]);
    drop(bytes.clone());
    bytes
}

fn allocations<S, B>(service: &mut S, method: Method, headers: usize, body: B) -> u64
where
    S: Service<Request<B>, Response = Response<Empty<Bytes>>>,
{
    let uri = "https://eu.example.com/v1/rooms?expand=all";
    let mut request = Request::builder().method(method).uri(uri);
    for n in 0..headers {
        request = request.header(format!("x-header-{n}"), format!("value {n}"));
    }
    let request = request.body(body).unwrap();
    allocation_counter::measure(|| {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(service.poll_ready(&mut cx).is_ready());
        let call = pin!(service.call(request));
        assert!(matches!(call.poll(&mut cx), Poll::Ready(Ok(_))));
    })
    .count_total
}

fn body() -> Full<Bytes> {
    Full::new(shared(1024))
}

fn layer() -> FailoverLayer {
    let regions = Regions::fixed(["https://eu.example.com", "https://us.example.com"]);
    FailoverLayer::new(regions.unwrap())
}

#[test]
fn the_layer_allocates_once_for_the_head_whatever_the_headers() {
    let mut service = layer().layer(Sink);
    for headers in [0, 5, 20] {
        let mut put = |body| allocations(&mut service, Method::PUT, headers, body);
        assert_eq!(put(Full::new(shared(1024))), 1);
        let mut get = |body| allocations(&mut service, Method::GET, headers, body);
        assert_eq!(get(Full::<Bytes>::default()), 1);
        let bare = allocations(&mut Sink, Method::PUT, headers, Full::new(shared(1024)));
        assert_eq!(bare, 0);
    }
}

#[test]
fn a_home_whose_regions_are_discovered_costs_no_more_once_it_is_known() {
    let discovery = Discovery::http("/regions").hosts(["*.example.com"]);
    let mut service = FailoverLayer::new(Regions::discover(discovery)).layer(Sink);
    let mut get = |headers| allocations(&mut service, Method::GET, headers, body());
    let first = get(0);
    assert!(first > 1, "the home is remembered: {first}");
    assert_eq!((get(0), get(20)), (1, 1));
    let elsewhere = Discovery::http("/regions").hosts(["*.example.org"]);
    let mut elsewhere = FailoverLayer::new(Regions::discover(elsewhere)).layer(Sink);
    assert_eq!(allocations(&mut elsewhere, Method::GET, 20, body()), 0);
}

#[test]
fn to_know_whether_a_post_was_begun_takes_one_allocation_more() {
    let mut service = layer().layer(Sink);
    let mut post = |body| allocations(&mut service, Method::POST, 20, body);
    assert_eq!(post(Full::new(shared(1024))), 2);
    assert_eq!(post(Full::default()), 1);
    let mut always = layer().replay(Replay::Always).layer(Sink);
    let body = Full::new(shared(1024));
    assert_eq!(allocations(&mut always, Method::POST, 20, body), 1);
}

#[test]
fn a_streamed_mebibyte_takes_one_allocation_more() {
    let stream = || Stream(16, shared(64 * 1024));
    for method in [Method::PUT, Method::POST] {
        assert_eq!(
            allocations(&mut layer().layer(Sink), method, 5, stream()),
            2
        );
    }
}

#[test]
fn a_call_that_cannot_be_replayed_allocates_nothing() {
    for method in [Method::PUT, Method::POST] {
        let mut off = layer().max_attempts(1).layer(Sink);
        assert_eq!(allocations(&mut off, method.clone(), 20, body()), 0);
        let single = Regions::fixed(["https://eu.example.com"]).unwrap();
        let mut single = FailoverLayer::new(single).layer(Sink);
        assert_eq!(allocations(&mut single, method.clone(), 20, body()), 0);
        let elsewhere = Regions::fixed(["https://a.example", "https://b.example"]).unwrap();
        let mut elsewhere = FailoverLayer::new(elsewhere).layer(Sink);
        assert_eq!(allocations(&mut elsewhere, method, 20, body()), 0);
    }
}

#[test]
fn the_mark_on_a_first_attempt_is_what_costs_three() {
    let mut service = layer().mark_first_attempt(true).layer(Sink);
    let body = Full::new(shared(1024));
    assert_eq!(allocations(&mut service, Method::PUT, 5, body), 4);
}

#[test]
fn to_choose_another_region_while_home_is_out_allocates_nothing() {
    let layer = layer();
    let mut service = layer.layer(Sink);
    let mut get = |headers| allocations(&mut service, Method::GET, headers, body());
    let handle = layer.handle();
    let regions = handle.regions("https://eu.example.com");
    let hold_out = |n: usize| handle.eject(regions[n].region(), Duration::from_secs(60));
    assert!(hold_out(1));
    assert_eq!((get(1), get(20)), (1, 1), "what is out is not asked");
    assert!(hold_out(0));
    assert_eq!((get(1), get(20)), (1, 1), "all are out, and home is asked");
    assert!(handle.restore(regions[1].region()));
    // The first request to a region makes its authority one that can be shared.
    assert_eq!(get(1), 1 + 6 + 1);
    // Of six more, one is what the call keeps of its course and two are the list of its attempts and
    // the `Served` around it. Three put that into the response.
    assert_eq!((get(1), get(20)), (1 + 6, 1 + 6));
}
