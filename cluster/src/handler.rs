//! Answers of somebody else's, in place of a region's own.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;

use crate::BoxError;
use crate::answer::Answer;
use crate::upload::Upload;

type Answering = Pin<Box<dyn Future<Output = Result<Answer, BoxError>> + Send>>;

/// Gives the normal answers of a region, to requests whose bodies are still to be read.
#[derive(Clone)]
pub(crate) struct Handler(Arc<dyn Fn(Request<Upload>) -> Answering + Send + Sync>);

impl Handler {
    pub(crate) fn new<H, F, B>(handler: H) -> Self
    where
        H: Fn(Request<Upload>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Response<B>, BoxError>> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Handler(Arc::new(move |request| {
            let answer = handler(request);
            Box::pin(async move {
                Ok(answer
                    .await?
                    .map(|body| body.map_err(Into::into).boxed_unsync()))
            })
        }))
    }

    pub(crate) fn answer(&self, request: Request<Upload>) -> Answering {
        (self.0)(request)
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").finish_non_exhaustive()
    }
}
