use std::{collections::VecDeque, time::Duration};

use futures_util::stream::{FuturesUnordered, StreamExt};
use http::{
    HeaderMap, HeaderValue, Request,
    header::ACCEPT,
    uri::{PathAndQuery, Uri},
};
use tokio::time::timeout;

use super::{
    Client,
    client::Answer,
    document::{self, Document},
    error::Fault,
    freshness::{Freshness, freshness},
};
use crate::region::Origin;

/// A list as it was answered, before anybody looked at whom it names.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) document: Document,
    pub(super) freshness: Option<Freshness>,
}

/// Somebody who may know the list, and whether the caller's headers are for them.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) origin: Origin,
    pub(super) is_trusted: bool,
}

/// Who was asked and did not answer with a list, and how not.
pub(super) type Faults = Vec<(Option<Origin>, Fault)>;

/// Asks the targets for the document at `path`, one after the other: the next one when one has
/// failed, or has not answered for `patience`; it may still answer then. The first good answer
/// counts.
pub(super) async fn ask(
    client: &dyn Client,
    targets: Vec<Target>,
    path: &PathAndQuery,
    headers: &HeaderMap,
    patience: Duration,
    faults: &mut Faults,
) -> Option<Found> {
    let mut targets = VecDeque::from(targets);
    let mut asked = FuturesUnordered::new();
    loop {
        if let Some(target) = targets.pop_front() {
            let answer = client.get(request(&target, path, headers));
            // Until there is an answer, for who never gives one is named too.
            let turn = faults.len();
            faults.push((Some(target.origin), Fault::Timeout));
            asked.push(async move { (turn, answer.await.and_then(parse)) });
        }
        let answer = match targets.is_empty() {
            true => asked.next().await,
            false => match timeout(patience, asked.next()).await {
                Ok(answer) => answer,
                Err(_) => continue,
            },
        };
        match answer {
            Some((_, Ok(found))) => return Some(found),
            Some((turn, Err(fault))) => faults[turn].1 = fault,
            None => return None,
        }
    }
}

fn parse(answer: Answer) -> Result<Found, Fault> {
    Ok(Found {
        freshness: freshness(&answer.headers),
        document: document::parse(&answer.body).map_err(Fault::Document)?,
    })
}

fn request(target: &Target, path: &PathAndQuery, headers: &HeaderMap) -> Request<()> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(target.origin.uri_scheme().clone());
    parts.authority = Some(target.origin.authority().clone());
    parts.path_and_query = Some(path.clone());
    let uri = Uri::from_parts(parts).expect("scheme, authority and path together are a URI");
    let mut request = Request::new(());
    *request.uri_mut() = uri;
    if target.is_trusted {
        *request.headers_mut() = headers.clone();
    }
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(ACCEPT, json);
    request
}
