//! The second request of a call that is raced, beside the first.

use std::task::{Context, Poll};

use http::Response;
use http_body::Body;
use tokio::time::Instant;
use tower_service::Service;

use super::{AttemptsProj, End, FailedAttempt, State, with};
use crate::{
    BoxError,
    call::Cause,
    classify::{Blame, Failure, Outcome, Reason, Verdict},
    error::Error,
    replay::ReplayBody,
    report::Stop,
};

impl<S, B, R> AttemptsProj<'_, S, B>
where
    S: Service<http::Request<ReplayBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Send + 'static,
    R: Body + Send + 'static,
{
    /// Sends the call's request to a second region, if all allows it.
    pub(super) fn start_hedge(&mut self, cx: &mut Context<'_>, now: Instant) {
        // The timer was for this moment, or for one that a late wake passed over.
        self.timer.set(None);
        let Some(second) = self.call.hedge(now) else {
            return;
        };
        let (Some(body), Some(replays)) = (self.keeper.duplicate(), self.replays.as_mut()) else {
            return;
        };
        let mut service = replays.service.clone();
        // A client without room is one that needs no more load; one that fails is no use.
        if !matches!(service.poll_ready(cx), Poll::Ready(Ok(()))) {
            return;
        }
        let (region, number) = self.call.second(&second);
        let request = replays.request(self.call, region, number, body, now);
        *self.hedge = Some(Box::pin(service.call(request)));
        self.call.hedged(second, now);
    }

    /// Looks after the second request while the first is under way.
    pub(super) fn poll_hedge(&mut self, cx: &mut Context<'_>) -> Poll<End<R>> {
        let Some(hedge) = self.hedge else {
            return Poll::Pending;
        };
        let result = match hedge.as_mut().poll(cx) {
            Poll::Ready(result) => result,
            Poll::Pending => return Poll::Pending,
        };
        *self.hedge = None;
        let now = Instant::now();
        let (cause, outcome) = match result {
            Ok(response) => {
                let (verdict, reason, response) = self.classify(response);
                let cause = match verdict {
                    Verdict::Success => {
                        self.call.hedge_won(now);
                        // The loser goes, and with it its connection or stream.
                        self.state.set(State::Backoff);
                        return Poll::Ready(self.judged(verdict, reason, response));
                    }
                    // Such as a 429: that the hedge was too much is no answer to the call.
                    Verdict::Final => {
                        Cause::Failure(Failure::answered(response.status()).blame(Blame::None))
                    }
                    Verdict::WrongRegion => Cause::WrongRegion(reason),
                    Verdict::Failed(failure) => Cause::Failure(failure),
                };
                (cause, Ok(response))
            }
            Err(error) => {
                let error: BoxError = error.into();
                let cause = match self.call.classifier().classify(Outcome::Error(&*error)) {
                    Verdict::WrongRegion => Cause::WrongRegion(Reason::Other),
                    Verdict::Failed(failure) => Cause::Failure(failure),
                    // If the request is at fault the first one tells the caller.
                    _ => Cause::Failure(Failure::unknown(Reason::Request).blame(Blame::None)),
                };
                (cause, Err(Some(error)))
            }
        };
        self.call.hedge_failed(&cause, now);
        *self.second = Some(Box::new(FailedAttempt { cause, outcome }));
        // The first may go on for long.
        self.watch();
        // The first goes on, and what may follow it has changed.
        self.timer.set(None);
        Poll::Pending
    }

    /// The first request gave no answer in its time, and there is no further attempt: the second one's
    /// was what there is.
    pub(super) fn end_with_second(
        &mut self,
        second: FailedAttempt<Response<R>>,
        first: &Cause,
        why: Stop,
        now: Instant,
    ) -> Result<Response<R>, Error> {
        self.call.give_up(why);
        self.call.first_gave_nothing(first, now);
        match second.outcome {
            Ok(response) => Ok(with(Some(self.call.served_by_second()), response)),
            Err(error) => Err(self.call.exhausted(why, error)),
        }
    }

    /// The first request failed with this cause: goes on with the second, if there is one.
    pub(super) fn leave_it_to_hedge(&mut self, cause: &Cause, now: Instant) -> bool {
        let Some(future) = self.hedge.take() else {
            return false;
        };
        self.call.leave_it_to_hedge(cause, now);
        self.timer.set(None);
        self.state.set(State::Hedge { future });
        true
    }
}
