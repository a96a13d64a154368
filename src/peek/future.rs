use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::BytesMut;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use super::{PeekBody, RpcCode};
use crate::{classify::GrpcCode, request};

/// How much is read of a body that describes an error.
const MAX_BYTES: usize = 64 * 1024;

/// How many fields a head may have with the trailers that are brought into it. A `HeaderMap` that has
/// many more panics.
const MAX_FIELDS: usize = 1024;

/// How long such a body is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

pin_project! {
    /// The response, once enough of it is known: the future of [`Peek`](super::Peek).
    ///
    /// # Panics
    ///
    /// When the body of an error has to be waited for outside of a Tokio runtime with its timer
    /// enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the request, and what was read of the response.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, R>
    where
        R: Body,
    {
        #[pin]
        state: State<F, R>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, R>
    where
        R: Body,
    {
        /// Waiting for the head.
        Head { #[pin] future: F, is_unary: bool },
        /// Waiting for what follows the head of a gRPC call.
        First { response: Option<Response<PeekBody<R>>> },
        /// Reading the body of an error.
        Error {
            response: Option<Response<PeekBody<R>>>,
            document: BytesMut,
            left: usize,
            #[pin]
            timer: Option<Sleep>,
        },
    }
}

impl<F, R: Body> ResponseFuture<F, R> {
    pub(crate) fn new(future: F, is_unary: bool) -> Self {
        Self {
            state: State::Head { future, is_unary },
        }
    }
}

impl<F, R, E> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body + Unpin,
{
    type Output = Result<Response<PeekBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Head { future, is_unary } => {
                    let (head, body) = ready!(future.poll(cx))?.into_parts();
                    let mut response = Response::from_parts(head, PeekBody::new(body));
                    if response.body().is_end_stream() {
                        return Poll::Ready(Ok(response));
                    }
                    match Kind::of(&response) {
                        Kind::Grpc if *is_unary => State::First {
                            response: Some(response),
                        },
                        Kind::Grpc => {
                            // What came along with the head is here already.
                            let _ = response.body_mut().poll_more(cx);
                            bring_forward(&mut response);
                            return Poll::Ready(Ok(response));
                        }
                        Kind::Error => State::Error {
                            response: Some(response),
                            document: BytesMut::new(),
                            left: MAX_BYTES,
                            timer: None,
                        },
                        Kind::Other => return Poll::Ready(Ok(response)),
                    }
                }
                StateProj::First { response } => {
                    let body = response.as_mut().expect(POLLED).body_mut();
                    let _ = ready!(body.poll_more(cx));
                    let mut response = response.take().expect(POLLED);
                    bring_forward(&mut response);
                    return Poll::Ready(Ok(response));
                }
                StateProj::Error {
                    response,
                    document,
                    left,
                    mut timer,
                } => {
                    let body = response.as_mut().expect(POLLED).body_mut();
                    let is_whole = loop {
                        match body.poll_more(cx) {
                            Poll::Ready(Some(data)) => {
                                // A frame without data is no more endless than the others.
                                let Some(rest) = left.checked_sub(data.len().max(1)) else {
                                    break false;
                                };
                                *left = rest;
                                document.extend_from_slice(&data);
                            }
                            Poll::Ready(None) => break true,
                            Poll::Pending => {
                                if timer.is_none() {
                                    timer.set(Some(sleep(PATIENCE)));
                                }
                                if let Some(timer) = timer.as_mut().as_pin_mut() {
                                    ready!(timer.poll(cx));
                                }
                                break false;
                            }
                        }
                    };
                    let mut response = response.take().expect(POLLED);
                    let code = is_whole.then(|| RpcCode::read(document)).flatten();
                    if let Some(code) = code {
                        response.extensions_mut().insert(code);
                    }
                    return Poll::Ready(Ok(response));
                }
            };
            state.set(next);
        }
    }
}

const POLLED: &str = "a future is not polled after its end";

/// What is worth looking for in a response's body.
enum Kind {
    /// A gRPC call's failure, in trailers.
    Grpc,
    /// The code of an error, in JSON.
    Error,
    Other,
}

impl Kind {
    fn of<T>(response: &Response<T>) -> Self {
        let headers = response.headers();
        if response.status() == StatusCode::OK {
            let is_open = request::is_grpc(headers) && GrpcCode::of(headers).is_none();
            return if is_open { Self::Grpc } else { Self::Other };
        }
        let status = response.status().as_u16();
        if status >= 400 && is_json(headers) && is_short(headers) {
            Self::Error
        } else {
            Self::Other
        }
    }
}

/// Whether a body is JSON, and not packed.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next());
    let is_plain = |encoding: &HeaderValue| encoding.as_bytes().eq_ignore_ascii_case(b"identity");
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
        && headers.get_all(CONTENT_ENCODING).iter().all(is_plain)
}

/// Whether a body is not known to be longer than what is read.
fn is_short(headers: &HeaderMap) -> bool {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    let length = length.and_then(|length| length.parse::<u64>().ok());
    length.is_none_or(|length| length <= MAX_BYTES as u64)
}

/// Brings a failure in trailers, if that is what follows the head, into the head.
fn bring_forward<R: Body + Unpin>(response: &mut Response<PeekBody<R>>) {
    let room = MAX_FIELDS.saturating_sub(response.headers().len());
    let Some(trailers) = response.body_mut().take_failure(room) else {
        return;
    };
    for (name, value) in &trailers {
        response.headers_mut().append(name, value.clone());
    }
}

impl<F, R: Body> fmt::Debug for ResponseFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
