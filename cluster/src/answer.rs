//! What each fault does to a request.

use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::response::Builder;
use http::{HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::rt::Executor;
use tokio::sync::mpsc;

use crate::BoxError;
use crate::connection::{Ending, Order};
use crate::cut_body::CutBody;
use crate::fault::Fault;
use crate::livekit::Outcome;
use crate::open_body::OpenBody;
use crate::region::Region;
use crate::tasks::Spawner;
use crate::upload::Upload;

pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// Answers the requests of one connection.
#[derive(Debug)]
pub(crate) struct Answers {
    region: Arc<Region>,
    orders: mpsc::UnboundedSender<Order>,
    spawner: Spawner,
    requests: AtomicU32,
}

impl Answers {
    pub(crate) fn new(
        region: Arc<Region>,
        orders: mpsc::UnboundedSender<Order>,
        spawner: Spawner,
    ) -> Self {
        let requests = AtomicU32::new(0);
        Answers {
            region,
            orders,
            spawner,
            requests,
        }
    }

    /// Records the request at once, in order of arrival; the rest is up to the future.
    pub(crate) fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Answer, BoxError>> + Send + use<> {
        let (head, body) = request.into_parts();
        let (fault, entry) = self.region.meet(&head, !body.is_end_stream());
        let call = Call {
            region: Arc::clone(&self.region),
            orders: self.orders.clone(),
            spawner: self.spawner.clone(),
            earlier: self.requests.fetch_add(1, Ordering::Relaxed),
            head,
        };
        call.answer(fault, Upload::new(body, entry))
    }
}

/// One request's view of its connection.
#[derive(Debug)]
struct Call {
    region: Arc<Region>,
    orders: mpsc::UnboundedSender<Order>,
    spawner: Spawner,
    /// How many requests came before on this connection.
    earlier: u32,
    head: Parts,
}

impl Call {
    async fn answer(self, mut fault: Fault, mut upload: Upload) -> Result<Answer, BoxError> {
        while let Fault::Late(wait, then) = fault {
            tokio::time::sleep(wait).await;
            fault = *then;
        }
        match fault {
            Fault::None => self.normal(upload, Duration::ZERO).await,
            Fault::Delay(delay) => self.normal(upload, delay).await,
            Fault::BlackHole => {
                upload.read().await?;
                pending().await
            }
            Fault::Status(code) => {
                upload.read().await?;
                self.status(self.head(code), code)
            }
            Fault::StatusWith(code, headers) => {
                upload.read().await?;
                self.status(self.head_with(code, &headers), code)
            }
            Fault::Answer(code, headers, body) => {
                upload.read().await?;
                Ok(self.head_with(code, &headers).body(whole(body))?)
            }
            Fault::Endless(code, headers) => {
                upload.read().await?;
                let body = OpenBody::Endless.boxed_unsync();
                Ok(self.head_with(code, &headers).body(body)?)
            }
            Fault::Stall(code, headers, bytes) => {
                upload.read().await?;
                let body = OpenBody::Stall(bytes).boxed_unsync();
                Ok(self.head_with(code, &headers).body(body)?)
            }
            Fault::EarlyStatus(code) => self.early(code, upload),
            Fault::StatusAfter(bytes, code) => {
                upload.read_at_least(bytes).await?;
                self.early(code, upload)
            }
            Fault::CutBody => {
                let orders = self.orders.clone();
                let answer = match self.region.handler {
                    Some(_) => self.normal(upload, Duration::ZERO).await?,
                    None => {
                        upload.read().await?;
                        let head = self.head(200).header(CONTENT_LENGTH, 100);
                        head.body(whole(&b"0123456789"[..]))?
                    }
                };
                Ok(answer.map(|body| CutBody::new(body, orders).boxed_unsync()))
            }
            // A connection that Refuse is about to close brought one more request.
            Fault::Refuse | Fault::Reset => self.end(Ending::Reset).await,
            Fault::Close => self.end(Ending::Fin(Bytes::new())).await,
            Fault::HalfHead => {
                self.end(Ending::Fin(Bytes::from_static(b"HTTP/1.1 200 OK\r\nx-reg")))
                    .await
            }
            Fault::Garbage => {
                self.end(Ending::Fin(Bytes::from_static(
                    b"\x16\x03\x01 no HTTP\r\n\r\n",
                )))
                .await
            }
            Fault::GoAway => {
                let last_stream = stream_of_latest(self.earlier);
                self.end(Ending::Fin(go_away(last_stream))).await
            }
            Fault::RefusedStream => Err(h2::Error::from(h2::Reason::REFUSED_STREAM).into()),
            // hyper resets the stream with the code that it finds in a service's error.
            Fault::ResetStream(code) => Err(h2::Error::from(h2::Reason::from(code)).into()),
            Fault::First(..) | Fault::Nth(..) | Fault::Turns(..) => {
                unreachable!("a script hands out what is in them")
            }
            Fault::Late(..) => unreachable!("it was waited for above"),
        }
    }

    fn head(&self, code: u16) -> Builder {
        Response::builder()
            .status(code)
            .header("x-region", &self.region.name)
    }

    fn head_with(&self, code: u16, headers: &[(&'static str, String)]) -> Builder {
        headers.iter().fold(self.head(code), |head, (name, value)| {
            head.header(*name, value)
        })
    }

    async fn normal(self, mut upload: Upload, delay: Duration) -> Result<Answer, BoxError> {
        if let Some(handler) = &self.region.handler {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            let mut request = Request::from_parts(self.head, upload);
            // For answers that end their connection in a way of their own.
            request.extensions_mut().insert(self.orders);
            let answer = handler.answer(request).await?;
            return named(answer, &self.region.name);
        }
        let length = upload.read().await?;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let Some(listener) = &self.region.listener else {
            return self.greet(length);
        };
        match listener.answer(&upload.recorded()).await? {
            Outcome::Answer(answer) => named(answer.map(whole), &self.region.name),
            Outcome::Drop => self.end(Ending::Fin(Bytes::new())).await,
        }
    }

    fn greet(&self, length: usize) -> Result<Answer, BoxError> {
        let head = self.head(200).header("x-body-len", length);
        Ok(head.body(whole(format!("{}\n", self.region.name)))?)
    }

    fn status(&self, head: Builder, code: u16) -> Result<Answer, BoxError> {
        Ok(head.body(whole(format!("{} {code}\n", self.region.name)))?)
    }

    /// Answers while the request body stays open: hyper closes it only when it is dropped.
    fn early(&self, code: u16, upload: Upload) -> Result<Answer, BoxError> {
        self.spawner.execute(upload.trickle());
        Ok(self
            .head(code)
            .body(Empty::new().map_err(|never| match never {}).boxed_unsync())?)
    }

    async fn end(&self, ending: Ending) -> Result<Answer, BoxError> {
        // Nobody takes the order only when the connection has ended already.
        let _ = self.orders.send(Order::End(ending));
        pending().await
    }
}

fn named(mut answer: Answer, name: &str) -> Result<Answer, BoxError> {
    let name = HeaderValue::from_str(name)?;
    answer.headers_mut().insert("x-region", name);
    Ok(answer)
}

fn whole(body: impl Into<Bytes>) -> UnsyncBoxBody<Bytes, BoxError> {
    Full::new(body.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// The id of the last of so many streams that a client opened; they are odd and rise by two (RFC 9113 5.1.1).
///
/// Too low, if the client skipped an id, but never as high as the stream that comes next.
fn stream_of_latest(streams: u32) -> u32 {
    (streams * 2).saturating_sub(1)
}

/// A GOAWAY frame (RFC 9113 6.8). Neither hyper nor h2 sends one that denies a stream they took.
fn go_away(last_stream: u32) -> Bytes {
    let mut frame = BytesMut::with_capacity(17);
    frame.put_slice(&[0, 0, 8]); // length of the payload
    frame.put_u8(7); // GOAWAY
    frame.put_u8(0); // no flags
    frame.put_u32(0); // the connection
    frame.put_u32(last_stream);
    frame.put_u32(h2::Reason::NO_ERROR.into());
    frame.freeze()
}
