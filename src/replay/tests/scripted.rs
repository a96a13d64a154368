use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

/// What a scripted body does when it is polled.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    Pending,
    Error,
    Panic,
}

pub(super) fn data(data: &'static str) -> Step {
    Step::Data(Bytes::from_static(data.as_bytes()))
}

pub(super) fn trailers() -> HeaderMap {
    HeaderMap::from_iter([(
        http::HeaderName::from_static("x-sum"),
        http::HeaderValue::from_static("42"),
    )])
}

/// The bytes that keeping [`trailers`] costs.
pub(super) const TRAILERS_LEN: usize = "x-sum".len() + "42".len();

#[derive(Debug)]
pub(super) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Broken {}

/// A body that acts by a script, and panics when it is polled once more after its end or error.
///
/// Its length is unknown and its end too, until it is polled for it, unless told otherwise.
pub(super) struct Scripted {
    steps: VecDeque<Step>,
    hint: Hint,
    knows_end: bool,
    is_over: bool,
    pub(super) probe: Probe,
}

#[derive(Clone, Copy)]
enum Hint {
    Unknown,
    /// What is left of the script.
    Exact,
    /// Always this, whatever the script says.
    Claim(u64),
}

/// What is known of a scripted body that somebody else holds.
#[derive(Clone, Default)]
pub(super) struct Probe {
    polls: Arc<AtomicUsize>,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl Probe {
    pub(super) fn polls(&self) -> usize {
        self.polls.load(Ordering::Relaxed)
    }

    /// Wakes who met the last [`Step::Pending`].
    pub(super) fn wake(&self) {
        self.waker.lock().unwrap().take().unwrap().wake();
    }
}

impl Scripted {
    pub(super) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            hint: Hint::Unknown,
            knows_end: false,
            is_over: false,
            probe: Probe::default(),
        }
    }

    /// Knows its length, and that it is at its end.
    pub(super) fn sized(steps: impl IntoIterator<Item = Step>) -> Self {
        Self::new(steps).with_length().with_end()
    }

    pub(super) fn with_length(mut self) -> Self {
        self.hint = Hint::Exact;
        self
    }

    pub(super) fn with_end(mut self) -> Self {
        self.knows_end = true;
        self
    }

    pub(super) fn claiming(mut self, bytes: u64) -> Self {
        self.hint = Hint::Claim(bytes);
        self
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.probe.polls.fetch_add(1, Ordering::Relaxed);
        assert!(!self.is_over, "polled after its end");
        let frame = match self.steps.pop_front() {
            Some(Step::Data(data)) => Some(Ok(Frame::data(data))),
            Some(Step::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Step::Pending) => {
                *self.probe.waker.lock().unwrap() = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Some(Step::Error) => Some(Err(Broken)),
            Some(Step::Panic) => {
                self.is_over = true;
                panic!("the body panics");
            }
            None => None,
        };
        self.is_over = matches!(frame, None | Some(Err(_)));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.knows_end && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match self.hint {
            Hint::Unknown => SizeHint::default(),
            Hint::Claim(bytes) => SizeHint::with_exact(bytes),
            Hint::Exact => SizeHint::with_exact(
                self.steps
                    .iter()
                    .map(|step| match step {
                        Step::Data(data) => data.len() as u64,
                        _ => 0,
                    })
                    .sum(),
            ),
        }
    }
}
