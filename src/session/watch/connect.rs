//! From an attempt to the hello.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE},
    uri::PathAndQuery,
};

use super::{
    ConnectError, ConnectErrorKind, Lease, Protocol, Watching,
    client::{Client, Incoming},
    sse::{Frame, Frames},
    watching::Open,
};
use crate::{
    Override,
    pushback::{self, Pushback},
    region::Region,
    request::uri,
    session::Attempt,
};

const EVENT_STREAM: &str = "text/event-stream";
/// A proxy that compresses keeps events back until it has enough of them.
const IDENTITY: &str = "identity";

/// What it takes to connect.
pub(super) struct Connect<P> {
    pub(super) client: Arc<dyn Client>,
    pub(super) protocol: Arc<P>,
    pub(super) min: Duration,
    pub(super) max: Duration,
}

impl<P> Connect<P>
where
    P: Protocol + Clone + Send + Sync + 'static,
    P::Done: Send + 'static,
{
    /// Opens a watch and waits for its hello, for as long as it is let.
    pub(super) async fn connect(
        self,
        mut attempt: Attempt<Lease>,
    ) -> Result<Watching<P::Done>, ConnectError> {
        let mut opening = self.protocol.open(&attempt);
        // Of some leases no request can be made. That is the server's fault, and ends nothing but them.
        if opening.is_err() && attempt.resume.take().is_some() {
            opening = self.protocol.open(&attempt);
        }
        let request =
            opening.map_err(|error| ConnectError::from_source(ConnectErrorKind::Request, error))?;
        let mut request = aim(request.map(|()| Bytes::new()), &attempt.region);
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static(EVENT_STREAM));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(IDENTITY));

        let response = self.client.send(request).await;
        let response =
            response.map_err(|error| ConnectError::from_source(ConnectErrorKind::Client, error))?;
        check(response.status(), response.headers())?;

        let mut frames = Frames::new(response.into_body());
        let mut reader = (*self.protocol).clone();
        let hello = loop {
            match next(&mut frames).await? {
                Frame::KeepAlive => {}
                Frame::Event(event) => match reader.hello(&event) {
                    Ok(Some(hello)) => break hello,
                    Ok(None) => {}
                    Err(error) => {
                        let kind = ConnectErrorKind::Malformed;
                        return Err(ConnectError::from_source(kind, error));
                    }
                },
            }
        };
        Ok(Watching::new(Open {
            client: self.client,
            protocol: self.protocol,
            region: attempt.region,
            lease: hello.lease,
            interval: hello.interval.min(self.max).max(self.min),
            frames,
            reader,
        }))
    }
}

async fn next(frames: &mut Frames<Incoming>) -> Result<Frame, ConnectError> {
    match frames.next().await {
        Some(Ok(frame)) => Ok(frame),
        Some(Err(error)) => Err(ConnectError::from_source(ConnectErrorKind::Broken, error)),
        None => Err(ConnectError::new(ConnectErrorKind::Ended)),
    }
}

/// Whether it is the answer of a watch. The body of any other is not read.
fn check(status: StatusCode, headers: &HeaderMap) -> Result<(), ConnectError> {
    let kind = headers.get(CONTENT_TYPE);
    let error = match status {
        StatusCode::UNAUTHORIZED => ConnectError::new(ConnectErrorKind::Unauthorized),
        StatusCode::CONFLICT => ConnectError::new(ConnectErrorKind::Conflict),
        status if !status.is_success() => ConnectError::new(ConnectErrorKind::Status(status)),
        _ if !kind.is_some_and(is_event_stream) => ConnectError::content_type(kind),
        _ if is_encoded(headers) => ConnectError::new(ConnectErrorKind::Encoded),
        _ => return Ok(()),
    };
    Err(error.retry_later(match pushback::read(headers) {
        Some(Pushback::After(wait)) => Some(wait),
        Some(Pushback::Never) | None => None,
    }))
}

/// Whatever its parameters are.
fn is_event_stream(kind: &HeaderValue) -> bool {
    let essence = kind.as_bytes().split(|byte| *byte == b';').next();
    let essence = essence.unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(EVENT_STREAM.as_bytes())
}

fn is_encoded(headers: &HeaderMap) -> bool {
    let is_other = |encoding: &HeaderValue| {
        let encoding = encoding.as_bytes();
        !encoding.eq_ignore_ascii_case(IDENTITY.as_bytes())
    };
    headers.get_all(CONTENT_ENCODING).iter().any(is_other)
}

/// Points the request at the region, where it is to stay.
pub(super) fn aim<B>(mut request: Request<B>, region: &Region) -> Request<B> {
    let path = request.uri().path_and_query().cloned();
    let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = uri(region.origin(), path);
    // Heartbeats go where the watch is, and a hedge would open it twice: to go elsewhere is for the
    // supervisor alone.
    request
        .extensions_mut()
        .insert(Override::new().enabled(false));
    request
}
