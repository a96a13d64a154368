use std::{
    convert::Infallible,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::time::sleep;
use tower_failover::{BoxError, replay::ReplayBody};

use super::{Seen, json_of, origin};

/// What a host does to a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Status(u16),
    With(u16, &'static str, &'static str),
    /// As [`Act::Status`], once the request's body was read; `x-body-len` tells its length.
    AfterBody(u16),
    /// As [`Act::Status`], at once, and goes on with the request's body.
    BeforeBody(u16),
    /// Answers with a list of these hosts, to be used for a minute.
    List(&'static [&'static str]),
    /// Answers with this document, and this `Cache-Control`.
    Document(Option<&'static str>, String),
    /// Answers with the head of a list, and no more than this of its body.
    Stall(&'static str),
    Reset,
    /// Refuses the connection; of a host that does so to calls, discoveries too.
    Refuse,
    Hang,
    After(Duration, Box<Act>),
    /// What this says of the request.
    By(fn(&Seen) -> Act),
}

impl Act {
    /// Settles what it leaves to the request.
    pub(super) fn decide(&mut self, seen: &Seen) {
        match self {
            Self::By(decide) => *self = decide(seen),
            Self::After(_, act) => act.decide(seen),
            _ => {}
        }
    }

    /// Does it to a request with this body; who has the answer has the token.
    pub(super) async fn answer<B>(
        self,
        mut body: ReplayBody<B>,
        token: Arc<()>,
    ) -> Result<Response<Document>, BoxError>
    where
        B: Body + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let mut act = self;
        while let Act::After(wait, next) = act {
            sleep(wait).await;
            act = *next;
        }
        let mut head = Response::builder();
        let mut document = Document {
            text: None,
            stalls: false,
            _token: token,
        };
        match act {
            Act::AfterBody(status) => {
                let mut length = 0;
                while let Some(frame) = body.frame().await {
                    length += frame?.data_ref().map_or(0, Bytes::len);
                }
                head = head.status(status).header("x-body-len", length);
            }
            Act::BeforeBody(status) => {
                head = head.status(status);
                tokio::spawn(async move { while let Some(Ok(_)) = body.frame().await {} });
            }
            Act::Status(status) => head = head.status(status),
            Act::With(status, name, value) => head = head.status(status).header(name, value),
            Act::List(hosts) => {
                let origins: Vec<_> = hosts.iter().map(|host| origin(host)).collect();
                document.text = Some(json_of(&origins));
                head = head.header("cache-control", "max-age=60");
            }
            Act::Document(cache_control, text) => {
                document.text = Some(text);
                if let Some(value) = cache_control {
                    head = head.header("cache-control", value);
                }
            }
            Act::Stall(text) => {
                document.text = Some(text.to_owned());
                document.stalls = true;
            }
            Act::Reset => return Err(fault(io::ErrorKind::ConnectionReset)),
            Act::Refuse => return Err(fault(io::ErrorKind::ConnectionRefused)),
            Act::Hang | Act::After(..) | Act::By(_) => std::future::pending().await,
        }
        Ok(head.body(document).expect("a response"))
    }
}

fn fault(kind: io::ErrorKind) -> BoxError {
    io::Error::from(kind).into()
}

pub(crate) fn after(wait: Duration, act: Act) -> Act {
    Act::After(wait, Box::new(act))
}

/// Answers with a list of these origins, and this `Cache-Control`.
pub(crate) fn listing(cache_control: &'static str, origins: &[impl AsRef<str>]) -> Act {
    Act::Document(Some(cache_control), json_of(origins))
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) struct Document {
    text: Option<String>,
    stalls: bool,
    _token: Arc<()>,
}

impl Body for Document {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.text.take() {
            Some(text) => Poll::Ready(Some(Ok(Frame::data(text.into())))),
            None if self.stalls => Poll::Pending,
            None => Poll::Ready(None),
        }
    }
}
