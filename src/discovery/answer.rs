use std::{future::poll_fn, pin::pin};

use bytes::{Buf, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
    response::Parts,
};
use http_body::Body;

use super::{document, error::Fault};

/// An answer that can be a region document.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// Reads an answer, if it can be a region document.
    pub(crate) async fn read<R: Body>(response: Response<R>) -> Result<Self, Fault> {
        let (head, body) = response.into_parts();
        check(&head)?;
        let body = read(body).await?;
        Ok(Self {
            headers: head.headers,
            body,
        })
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
