use std::{error::Error as StdError, iter};

use ::reqwest::{Body, Method, Request, Response, StatusCode, Url, Version};
use tokio::time::Instant;

use super::{
    fault::{Begun, Overdue},
    lent::Loan,
    nowhere::Nowhere,
    terms::Terms,
    watched::{Mark, Watched},
    whole::Whole,
};
use crate::{
    BoxError,
    classify::{Classify, FailureKind, Http, Outcome, Verdict},
    replay::ReplayBody,
};

/// One attempt, or request of the layer's own, as reqwest gets it.
pub(super) struct Outgoing {
    pub(super) request: Request,
    /// The same with a body that reqwest can send twice, for a redirect that asks for that.
    pub(super) again: Option<Request>,
    pub(super) sent: Sent,
}

/// What has to be known of a request to understand what came of it.
pub(super) struct Sent {
    url: Url,
    is_own: bool,
    terms: Terms,
    witness: Option<Witness>,
}

/// Of a request that must not be sent again once it was processed: what tells that an error is not of
/// another one, to which a redirect led.
enum Witness {
    /// It is not if reqwest had not begun to send it.
    Mark(Mark),
    /// It is not if the call had its body to the end.
    Loan(Loan),
}

impl Outgoing {
    /// What goes straight `to_client` is sent by nobody else, and ends where its future does.
    pub(super) fn new(
        request: http::Request<ReplayBody<Body>>,
        terms: Terms,
        to_client: bool,
    ) -> Result<Self, BoxError> {
        let (head, body) = request.into_parts();
        let is_own = body.is_own();
        let terms = if is_own { Terms::none() } else { terms };
        let mut request: Request = http::Request::from_parts(head, Body::default()).try_into()?;
        // Other methods keep their body on a `302`. Over HTTP/3 reqwest tries again after timeouts.
        let is_lent =
            to_client && request.method() == Method::POST && request.version() != Version::HTTP_3;
        let (mut again, mut witness) = (None, None);
        *request.body_mut() = match body.into_direct() {
            _ if is_own => Some(Body::wrap(Nowhere)),
            Ok(body) => Some(body).filter(|body| body.as_bytes() != Some(&[])),
            Err(body) => match body.at_hand() {
                Some(data) if !terms.is_once || !terms.may_redirect => data.map(Body::from),
                Some(Some(data)) if is_lent => {
                    let (data, loan) = Loan::new(data);
                    witness = Some(Witness::Loan(loan));
                    Some(data.into())
                }
                data => {
                    if let Some(data) = data.flatten() {
                        *request.body_mut() = Some(data.into());
                        again = request.try_clone();
                    }
                    let (body, mark) = Watched::new(body);
                    witness = Some(Witness::Mark(mark));
                    Some(Body::wrap(body))
                }
            },
        };
        let witness = witness.filter(|_| terms.may_redirect);
        let sent = Sent {
            url: request.url().clone(),
            is_own,
            terms,
            witness,
        };
        sent.bound(&mut request);
        Ok(Self {
            request,
            again,
            sent,
        })
    }
}

impl Sent {
    /// Gives a request what is left of the call's time.
    pub(super) fn bound(&self, request: &mut Request) {
        if let Some(deadline) = self.terms.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            *request.timeout_mut() = Some(left);
        }
    }

    /// Whether reqwest would have followed a redirect, had it been able to send the body again.
    pub(super) fn asks_again(&self, response: &Response) -> bool {
        matches!(
            response.status(),
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
        ) && !self.is_redirected(response)
    }

    /// The response as the layer is to see it: what the region itself said.
    pub(super) fn answered(&self, response: Response) -> http::Response<Whole> {
        if !self.is_redirected(&response) {
            return Whole::wrap(response, None);
        }
        if self.is_own {
            return Whole::redirect();
        }
        // The region did its work when it sent the request on. What came of that says nothing of
        // another region, nor that the first request was not processed.
        let is_elsewhere = self.terms.is_once || !has_origin_of(response.url(), &self.url);
        Whole::wrap(response, is_elsewhere.then_some(StatusCode::FOUND))
    }

    /// The error as the layer is to see it, once the call that it ended was [dropped](super::lent::end).
    pub(super) fn failed(&self, error: BoxError) -> BoxError {
        let is_over = |deadline| Instant::now() >= deadline;
        if self.terms.deadline.is_some_and(is_over) && is_timeout(&*error) {
            return Overdue(error).into();
        }
        if self.may_be_of_another() {
            let verdict = Http.classify(Outcome::Error(&*error));
            if matches!(verdict, Verdict::Failed(f) if f.kind() == FailureKind::NeverSent) {
                return Begun(error).into();
            }
        }
        error
    }

    fn may_be_of_another(&self) -> bool {
        match &self.witness {
            None => false,
            Some(Witness::Mark(is_begun)) => is_begun.is_set(),
            Some(Witness::Loan(loan)) => !loan.is_returned(),
        }
    }

    fn is_redirected(&self, response: &Response) -> bool {
        if !self.terms.may_redirect {
            return false;
        }
        let (asked, answered) = (&self.url, response.url());
        answered.as_str() != UNKNOWN_URL
            && !(has_origin_of(answered, asked)
                && answered.path() == asked.path()
                && answered.query() == asked.query())
    }
}

/// What reqwest gives a response that was made from one of `http`, as tests do, without a URL.
const UNKNOWN_URL: &str = "http://no.url.provided.local/";

fn has_origin_of(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

fn is_timeout(error: &(dyn StdError + 'static)) -> bool {
    iter::successors(Some(error), |&error| error.source())
        .filter_map(|error| error.downcast_ref::<::reqwest::Error>())
        .any(::reqwest::Error::is_timeout)
}
