use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use tonic::{Code, Status};

/// What a region does to the calls it receives, once their heads have arrived.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// Answers.
    None,
    /// Reads the whole request, then answers with that code in the head of the response: "trailers only".
    Status(Code),
    /// As [`Fault::Status`], with this `grpc-retry-pushback-ms`.
    Pushback(Code, &'static str),
    /// As [`Fault::Status`], but at once: the request may still be open.
    EarlyStatus(Code),
    /// Reads the whole request, then answers with a head, and with that code in trailers without a message before them.
    Trailers(Code),
    /// Answers up to the first message, then with that code in the trailers.
    AfterMessage(Code),
    /// What a server of HTTP/2 does. A [`CutBody`](failover_cluster::Fault::CutBody) breaks off after the first message.
    Http(failover_cluster::Fault),
}

impl Fault {
    /// A region that refuses connections.
    pub const REFUSE: Self = Fault::Http(failover_cluster::Fault::Refuse);
    /// A region that reads the request and never answers.
    pub const BLACK_HOLE: Self = Fault::Http(failover_cluster::Fault::BlackHole);
}

/// An answer that consists of a head.
pub(crate) fn trailers_only(
    code: Code,
    pushback: Option<&'static str>,
) -> Response<tonic::body::Body> {
    let mut answer = status(code).into_http::<tonic::body::Body>();
    if let Some(pushback) = pushback {
        let pushback = HeaderValue::from_static(pushback);
        answer
            .headers_mut()
            .insert("grpc-retry-pushback-ms", pushback);
    }
    answer
}

/// An answer without a message.
pub(crate) fn trailers(code: Code) -> Response<tonic::body::Body> {
    let frames = futures_util::stream::iter([Ok::<_, Status>(Frame::trailers(trailer(code)))]);
    let mut answer = Response::new(tonic::body::Body::new(StreamBody::new(frames)));
    let kind = HeaderValue::from_static("application/grpc");
    answer
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, kind);
    answer
}

fn status(code: Code) -> Status {
    Status::new(code, "as told")
}

fn trailer(code: Code) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    let valid = status(code).add_header(&mut trailers);
    valid.expect("the message is ASCII");
    trailers
}

/// A body that ends after its first message, with a code of its own.
#[derive(Debug)]
pub(crate) struct Cut {
    body: tonic::body::Body,
    code: Code,
    said: bool,
}

impl Cut {
    pub(crate) fn new(body: tonic::body::Body, code: Code) -> Self {
        let said = false;
        Cut { body, code, said }
    }
}

impl Body for Cut {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.said {
            self.body = tonic::body::Body::empty();
            return Poll::Ready(Some(Ok(Frame::trailers(trailer(self.code)))));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.said = true;
        Poll::Ready(frame)
    }
}

/// Reads a request to its end.
pub(crate) async fn read(mut body: failover_cluster::Upload) -> Result<(), crate::BoxError> {
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(())
}
