//! Lists whose bodies come in frames that a socket never makes.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use tower::{Layer, service_fn};
use tower_failover::{Failover, replay::ReplayBody};

use crate::support::*;

/// More frames than anybody reads; then it ends, so that a test of who does ends too.
const MANY: usize = 1_000_000;
/// As many bytes as a list may have.
const MAX: usize = 64 * 1024;

/// A body that is always ready: so many frames without data, before each byte of a text and after it.
struct Frames {
    text: Bytes,
    empty: usize,
    left: usize,
    frame: fn() -> Frame<Bytes>,
    polled: Arc<AtomicUsize>,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.polled.fetch_add(1, Ordering::Relaxed);
        if self.left > 0 {
            self.left -= 1;
            return Poll::Ready(Some(Ok((self.frame)())));
        }
        self.left = self.empty;
        let byte = (!self.text.is_empty()).then(|| Frame::data(self.text.split_to(1)));
        Poll::Ready(byte.map(Ok))
    }
}

fn no_data() -> Frame<Bytes> {
    Frame::data(Bytes::new())
}

fn no_trailers() -> Frame<Bytes> {
    Frame::trailers(HeaderMap::new())
}

/// Asks for a list that comes so; what came of it, and how many frames were asked for.
async fn warm_up(text: &str, empty: usize, frame: fn() -> Frame<Bytes>) -> (String, usize) {
    let polled = Arc::<AtomicUsize>::default();
    let (text, count) = (Bytes::from(text.to_owned()), polled.clone());
    let answer = move |_: Request<ReplayBody<Full<Bytes>>>| {
        let frames = Frames {
            text: text.clone(),
            empty,
            left: empty,
            frame,
            polled: count.clone(),
        };
        async { Ok::<_, Infallible>(Response::new(frames)) }
    };
    let client: Failover<_> = layer().layer(service_fn(answer));
    let outcome = match client.warm_up(HOME).await {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    };
    (outcome, polled.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
async fn a_list_of_frames_without_data_and_without_an_end_is_given_up() {
    for frame in [no_data, no_trailers] {
        for text in ["", "{}"] {
            let (outcome, polled) = warm_up(text, MANY, frame).await;
            assert!(outcome.contains("larger than 64 KiB"), "{outcome}");
            assert_eq!(polled, MAX + 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_among_some_frames_without_data_is_read() {
    let list = json_of(&[EU]);
    for frame in [no_data, no_trailers] {
        assert_eq!(warm_up(&list, 100, frame).await.0, "");
    }
}
