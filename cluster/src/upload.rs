use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};

use crate::record::{Entry, Recorded};

/// The trickle at which an answered upload is read on.
const SIP: usize = 16 * 1024;
const PAUSE: Duration = Duration::from_millis(5);

/// A request body being received, recorded as it is read.
#[derive(Debug)]
pub struct Upload {
    body: Incoming,
    entry: Entry,
}

impl Upload {
    pub(crate) fn new(body: Incoming, entry: Entry) -> Self {
        Upload { body, entry }
    }

    /// Reads to the end and tells the length.
    pub(crate) async fn read(&mut self) -> hyper::Result<usize> {
        self.read_at_least(usize::MAX).await
    }

    /// The request so far.
    pub(crate) fn recorded(&self) -> Recorded {
        self.entry.recorded()
    }

    /// Reads until that many bytes have come, or the end, and tells how many came.
    pub(crate) async fn read_at_least(&mut self, bytes: usize) -> hyper::Result<usize> {
        let mut read = 0;
        while read < bytes {
            match self.frame().await? {
                Some(frame) => read += data_len(&frame),
                None => break,
            }
        }
        Ok(read)
    }

    /// Reads on, too slowly for the sender to be done soon, until the body ends or its sender gives up.
    pub(crate) async fn trickle(mut self) {
        tokio::time::sleep(PAUSE).await;
        let mut swallowed = 0;
        while let Ok(Some(frame)) = self.frame().await {
            swallowed += data_len(&frame);
            // Few at once: a frame of HTTP/1.1 is bounded by the connection's buffer, one of HTTP/2 by the protocol.
            while swallowed >= SIP {
                swallowed -= SIP;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn frame(&mut self) -> hyper::Result<Option<Frame<Bytes>>> {
        BodyExt::frame(self).await.transpose()
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        // When hyper has answered already, it tells the end of a body of known length only with the next request.
        if self.body.is_end_stream() {
            self.entry.complete();
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.entry.data(data);
                } else if let Some(trailers) = frame.trailers_ref() {
                    self.entry.trailers(trailers.clone());
                }
            }
            Some(Err(_)) => self.entry.close(),
            None => self.entry.complete(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn data_len(frame: &Frame<Bytes>) -> usize {
    frame.data_ref().map_or(0, Bytes::len)
}
