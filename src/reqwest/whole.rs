use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ::reqwest::{Response, StatusCode};
use bytes::Bytes;
use http::Extensions;
use http_body::{Body, Frame, SizeHint};

use crate::BoxError;

/// A response of reqwest's as the body of one of `http`, which it is in full: nothing of it has to be
/// made anew for the caller.
pub(crate) struct Whole {
    repr: Repr,
    /// What inner middleware left behind.
    pub(super) extensions: Option<Extensions>,
}

enum Repr {
    Response(Box<Response>),
    /// It is being read, for the layer itself.
    Body(::reqwest::Body),
    Nothing,
}

impl Whole {
    /// Takes the head out of a response; `status` is shown in place of its own.
    pub(super) fn wrap(mut response: Response, status: Option<StatusCode>) -> http::Response<Self> {
        let mut wrapped = Self::none();
        *wrapped.status_mut() = status.unwrap_or(response.status());
        *wrapped.version_mut() = response.version();
        *wrapped.headers_mut() = mem::take(response.headers_mut());
        *wrapped.extensions_mut() = mem::take(response.extensions_mut());
        wrapped.body_mut().repr = Repr::Response(Box::new(response));
        wrapped
    }

    /// A redirect that was followed, though nobody may.
    pub(super) fn redirect() -> http::Response<Self> {
        let mut redirect = Self::none();
        *redirect.status_mut() = StatusCode::FOUND;
        redirect
    }

    fn none() -> http::Response<Self> {
        http::Response::new(Self {
            repr: Repr::Nothing,
            extensions: None,
        })
    }

    /// The response again, and what inner middleware left behind.
    pub(super) fn unwrap(wrapped: http::Response<Self>) -> (Response, Option<Extensions>) {
        let (head, body) = wrapped.into_parts();
        let response = match body.repr {
            Repr::Response(mut response) => {
                *response.headers_mut() = head.headers;
                *response.extensions_mut() = head.extensions;
                *response
            }
            Repr::Body(body) => http::Response::from_parts(head, body).into(),
            Repr::Nothing => http::Response::from_parts(head, ::reqwest::Body::default()).into(),
        };
        (response, body.extensions)
    }
}

impl Body for Whole {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let repr = &mut self.repr;
        *repr = match mem::replace(repr, Repr::Nothing) {
            Repr::Response(response) => Repr::Body((*response).into()),
            repr => repr,
        };
        Poll::Ready(match repr {
            Repr::Body(body) => {
                ready!(Pin::new(body).poll_frame(cx)).map(|frame| frame.map_err(Into::into))
            }
            Repr::Response(_) | Repr::Nothing => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.repr {
            Repr::Response(response) => response.content_length() == Some(0),
            Repr::Body(body) => body.is_end_stream(),
            Repr::Nothing => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.repr {
            Repr::Response(response) => response
                .content_length()
                .map_or_else(SizeHint::default, SizeHint::with_exact),
            Repr::Body(body) => body.size_hint(),
            Repr::Nothing => SizeHint::with_exact(0),
        }
    }
}

impl fmt::Debug for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whole").finish_non_exhaustive()
    }
}
