use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Response, StatusCode};

use super::directives::Directives;
use super::discovery::Discovery;
use super::twirp;
use crate::BoxError;
use crate::record::Recorded;

/// Answers the requests of one region of a project.
#[derive(Debug)]
pub(crate) struct Listener {
    index: usize,
    discovery: Arc<Discovery>,
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    Answer(Response<Bytes>),
    /// The connection is closed without an answer.
    Drop,
}

impl Listener {
    pub(super) fn new(index: usize, discovery: Arc<Discovery>) -> Self {
        Listener { index, discovery }
    }

    pub(crate) async fn answer(&self, request: &Recorded) -> Result<Outcome, BoxError> {
        let directives = Directives::read(&request.headers);
        let path = request.uri.path();
        let answer = match (&request.method, path) {
            (_, "/" | "/_test/health") => text(StatusCode::OK, "ok")?,
            (&Method::GET, "/settings/regions") => {
                self.discovery.answer(self.index, &directives)?
            }
            (&Method::POST, _) => match twirp::method(path) {
                Some(method) => {
                    return twirp::answer(self.index, method, request, directives).await;
                }
                None => not_found()?,
            },
            _ => not_found()?,
        };
        Ok(Outcome::Answer(answer))
    }
}

fn not_found() -> Result<Response<Bytes>, BoxError> {
    text(StatusCode::NOT_FOUND, "404 page not found")
}

pub(super) fn text(status: StatusCode, text: &'static str) -> Result<Response<Bytes>, BoxError> {
    Ok(Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "text/plain; charset=utf-8")
        .body(Bytes::from_static(text.as_bytes()))?)
}
