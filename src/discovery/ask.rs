use std::{collections::VecDeque, time::Duration};

use futures_util::stream::{FuturesUnordered, StreamExt};
use http::{HeaderMap, HeaderValue, Request, header::ACCEPT, uri::PathAndQuery};
use tokio::time::timeout;

use super::{Answer, Fault};
use crate::{client::Client, region::Origin, request};

/// Somebody who may know the list, and whether the caller's headers are for them.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) origin: Origin,
    pub(super) is_trusted: bool,
}

/// Who was asked and did not answer with a list, and how not.
pub(super) type Faults = Vec<(Option<Origin>, Fault)>;

/// Asks the targets for the document at `path`, one after the other: the next one when one has
/// failed, or has not answered for `patience`; it may still answer then. The first answer counts that
/// is accepted.
pub(super) async fn ask<T>(
    client: &dyn Client,
    targets: Vec<Target>,
    path: &PathAndQuery,
    headers: &HeaderMap,
    patience: Duration,
    accept: impl Fn(Answer) -> Result<T, Fault>,
    faults: &mut Faults,
) -> Option<T> {
    let mut targets = VecDeque::from(targets);
    let mut asked = FuturesUnordered::new();
    loop {
        if let Some(target) = targets.pop_front() {
            let answer = client.get(question(&target, path, headers));
            // Until there is an answer, for who never gives one is named too.
            let turn = faults.len();
            faults.push((Some(target.origin), Fault::Timeout));
            asked.push(async move { (turn, answer.await) });
        }
        let answer = match targets.is_empty() {
            true => asked.next().await,
            false => match timeout(patience, asked.next()).await {
                Ok(answer) => answer,
                Err(_) => continue,
            },
        };
        let (turn, answer) = answer?;
        match answer.and_then(&accept) {
            Ok(found) => return Some(found),
            Err(fault) => faults[turn].1 = fault,
        }
    }
}

fn question(target: &Target, path: &PathAndQuery, headers: &HeaderMap) -> Request<()> {
    let mut question = Request::new(());
    *question.uri_mut() = request::uri(&target.origin, path.clone());
    if target.is_trusted {
        *question.headers_mut() = headers.clone();
    }
    let json = HeaderValue::from_static("application/json");
    question.headers_mut().insert(ACCEPT, json);
    question
}
