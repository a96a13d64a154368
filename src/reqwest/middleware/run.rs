use std::pin::pin;

use ::reqwest::{Request, Response};
use futures_util::future::{Either, select};
use http::Extensions;
use reqwest_middleware::{Next, Result};
use tokio::sync::oneshot;

use super::fault;
use crate::{
    BoxError,
    report::Attempt,
    reqwest::{outgoing::Outgoing, whole::Whole},
};

pub(super) type Outcome = std::result::Result<http::Response<Whole>, BoxError>;

/// An attempt that is to be made.
pub(super) struct Order {
    pub(super) outgoing: Outgoing,
    pub(super) attempt: Option<Attempt>,
    pub(super) reply: oneshot::Sender<Outcome>,
}

/// Makes an attempt by what comes next, until nobody waits for it any more.
pub(super) async fn run(order: Order, next: Next<'_>, extensions: &Extensions) {
    let Order {
        outgoing,
        attempt,
        mut reply,
    } = order;
    let outcome = {
        let attempt = pin!(make(outgoing, attempt, next, extensions));
        let gone = pin!(reply.closed());
        match select(attempt, gone).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(((), _)) => return,
        }
    };
    // Whoever waited may have gone just now.
    let _ = reply.send(outcome);
}

async fn make(
    outgoing: Outgoing,
    attempt: Option<Attempt>,
    next: Next<'_>,
    before: &Extensions,
) -> Outcome {
    let Outgoing {
        request,
        again,
        sent,
    } = outgoing;
    let begin = || {
        let mut extensions = before.clone();
        if let Some(attempt) = &attempt {
            extensions.insert(attempt.clone());
        }
        extensions
    };
    let mut extensions = begin();
    let mut result = send(&next, request, &mut extensions).await;
    if let (Ok(response), Some(mut again)) = (&result, again) {
        if sent.asks_again(response) {
            drop(result);
            extensions = begin();
            sent.bound(&mut again);
            result = send(&next, again, &mut extensions).await;
        }
    }
    let response = result.map_err(|error| sent.failed(fault::boxed(error)))?;
    extensions.remove::<Attempt>();
    let mut response = sent.answered(response);
    response.body_mut().extensions = Some(extensions);
    Ok(response)
}

async fn send(next: &Next<'_>, request: Request, extensions: &mut Extensions) -> Result<Response> {
    next.clone().run(request, extensions).await
}
