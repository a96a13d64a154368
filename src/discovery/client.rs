use std::{
    future::poll_fn,
    marker::PhantomData,
    pin::pin,
    sync::{Mutex, PoisonError},
};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::future::{BoxFuture, FutureExt};
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
    response::Parts,
};
use http_body::Body;
use tower_service::Service;

use super::{document, error::Fault};
use crate::{BoxError, replay::ReplayBody};

/// The wrapped client, whatever its type, as discovery uses it.
pub(crate) trait Client: Send + Sync {
    /// Sends a request without a body, and reads an answer that can be a region document.
    fn get(&self, request: Request<()>) -> BoxFuture<'static, Result<Answer, Fault>>;
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A client whose requests have bodies of type `B`.
pub(crate) struct Through<S, B> {
    // A mutex because a client need not be `Sync`; it is held for a clone.
    service: Mutex<S>,
    body: PhantomData<fn() -> B>,
}

impl<S, B> Through<S, B> {
    pub(crate) fn new(service: S) -> Self {
        Self {
            service: Mutex::new(service),
            body: PhantomData,
        }
    }
}

impl<S, B, R> Client for Through<S, B>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Send + 'static,
    R: Body + Send + 'static,
{
    fn get(&self, request: Request<()>) -> BoxFuture<'static, Result<Answer, Fault>> {
        // A clone that panicked left nothing behind that a later one could meet.
        let lock = self.service.lock();
        let mut service = lock.unwrap_or_else(PoisonError::into_inner).clone();
        async move {
            let client = |error: S::Error| Fault::Client(error.into());
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(client)?;
            let request = request.map(|()| ReplayBody::empty());
            let (head, body) = service.call(request).await.map_err(client)?.into_parts();
            check(&head)?;
            let body = read(body).await?;
            Ok(Answer {
                headers: head.headers,
                body,
            })
        }
        .boxed()
    }
}

/// Refuses what is no region document before anything of it is read.
fn check(head: &Parts) -> Result<(), Fault> {
    match head.status {
        StatusCode::OK => {}
        status if status.is_redirection() => return Err(Fault::Redirect(status)),
        status => return Err(Fault::Status(status)),
    }
    let is_plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !head.headers.get_all(CONTENT_ENCODING).iter().all(is_plain) {
        // It was not asked for, and unpacking is where a small answer becomes a large one.
        return Err(Fault::Encoded);
    }
    let length = head.headers.get(CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > document::MAX_BYTES as u64) {
        return Err(Fault::TooLarge);
    }
    Ok(())
}

/// Reads a body of bounded length.
async fn read<R: Body>(body: R) -> Result<Bytes, Fault> {
    let mut body = pin!(body);
    let mut read = BytesMut::new();
    let mut left = document::MAX_BYTES;
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|_| Fault::Body)?;
        let data = frame.into_data().map_or_else(|_| Bytes::new(), collect);
        // A frame without data is no more endless than the others.
        left = left.checked_sub(data.len().max(1)).ok_or(Fault::TooLarge)?;
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}

fn collect(mut data: impl Buf) -> Bytes {
    // One byte over is too much already, so no more is copied.
    let length = data.remaining().min(document::MAX_BYTES + 1);
    data.copy_to_bytes(length)
}
