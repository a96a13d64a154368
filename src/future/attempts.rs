//! The attempt loop: states and polls. What to do next is decided by [`Call`].

mod hedging;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tower_service::Service;

use crate::{
    BoxError,
    call::{Call, Cause, Next, Step},
    classify::{Blame, Failure, Outcome, Reason, Verdict},
    client::Through,
    discovery::Flight,
    error::Error,
    region::Region,
    replay::{Keeper, ReplayBody},
    report::{Served, Stop},
    request::Template,
};

pin_project! {
    #[project = AttemptsProj]
    pub(crate) struct Attempts<S, B>
    where
        S: Service<Request<ReplayBody<B>>>,
    {
        #[pin]
        state: State<S, S::Future, S::Response>,
        // One timer serves all states: the attempt's alarm, the wait, the bound on readiness.
        #[pin]
        timer: Option<Sleep>,
        call: Call,
        keeper: Keeper<B>,
        // `None` where there is never another attempt.
        replays: Option<Replays<S, B>>,
        // More regions are being asked for.
        search: Option<Flight>,
        // A second request is under way beside the attempt.
        hedge: Option<Pin<Box<S::Future>>>,
        // It came to nothing, which is still the answer if the attempt gives none.
        second: Option<Box<FailedAttempt<S::Response>>>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F, R> {
        /// Waiting for the response to an attempt; when that takes too long, for more regions too.
        Attempt { #[pin] future: F },
        /// Waiting for the response to the second request of a call, since the first one failed.
        Hedge { future: Pin<Box<F>> },
        /// Waiting for more regions, with the outcome at hand.
        Search { failed: Option<Box<FailedAttempt<R>>> },
        /// Waiting between attempts. Holds no permit and no response.
        Backoff,
        /// Waiting for the inner service to be ready for the next attempt.
        Readiness { service: S },
    }
}

/// An attempt that failed, and what the caller gets if there is no other.
struct FailedAttempt<R> {
    cause: Cause,
    /// The error is absent when the attempt was not begun in time.
    outcome: Result<R, Option<BoxError>>,
}

/// What it takes to make another attempt.
#[derive(Debug)]
pub(crate) struct Replays<S, B> {
    template: Template,
    /// Made the first attempt, or is a clone that was never polled. Each later attempt is made by a
    /// clone of it, for an instance that failed to become ready must not be used again.
    service: S,
    /// The body of the next attempt, from the decision for it until it is sent.
    body: Option<ReplayBody<B>>,
}

impl<S, B> Replays<S, B> {
    pub(crate) fn new(template: Template, service: S) -> Self {
        Self {
            template,
            service,
            body: None,
        }
    }

    /// Makes the body of the next attempt, which ends the upload of the one before.
    fn make_body(&mut self, keeper: &Keeper<B>) -> Result<(), Stop> {
        if self.body.is_none() {
            // While it is being sent the body may outgrow what is kept at any moment.
            self.body = Some(keeper.supersede().ok_or(Stop::Body)?);
        }
        Ok(())
    }

    /// The request of an attempt of the call.
    fn request(
        &self,
        call: &Call,
        region: &Region,
        number: u32,
        body: ReplayBody<B>,
        now: Instant,
    ) -> Request<ReplayBody<B>> {
        let home = call.home().origin();
        let head = self.template.head(home, region, number, call.left(now));
        Request::from_parts(head, body)
    }

    /// The request of the call's current attempt.
    fn next_request(&mut self, call: &Call, now: Instant) -> Request<ReplayBody<B>> {
        let body = self.body.take();
        let body = body.expect("the decision for an attempt makes its body");
        self.request(call, call.region(), call.number(), body, now)
    }
}

fn replays<S, B>(replays: &mut Option<Replays<S, B>>) -> &mut Replays<S, B> {
    replays
        .as_mut()
        .expect("there is a wait only before an attempt that can be made")
}

/// The response, with where it came from if that is not the usual place.
fn with<R>(served: Option<Served>, mut response: Response<R>) -> Response<R> {
    if let Some(served) = served {
        response.extensions_mut().insert(served);
    }
    response
}

impl<S, B> Attempts<S, B>
where
    S: Service<Request<ReplayBody<B>>>,
{
    /// Follows a call from its first attempt, which is `future`.
    pub(crate) fn new(
        future: S::Future,
        call: Call,
        keeper: Keeper<B>,
        replays: Option<Replays<S, B>>,
    ) -> Self {
        Self {
            state: State::Attempt { future },
            timer: None,
            call,
            keeper,
            replays,
            search: None,
            hedge: None,
            second: None,
        }
    }
}

impl<S, B, R> Attempts<S, B>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Send + 'static,
    R: Body + Send + 'static,
{
    pub(super) fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<R>, Error>> {
        let mut this = self.project();
        loop {
            let end = match this.state.as_mut().project() {
                StateProj::Attempt { future } => {
                    let result = future.poll(cx);
                    ready!(this.attempted(result, cx))
                }
                StateProj::Hedge { future } => {
                    let result = future.as_mut().poll(cx);
                    ready!(this.attempted(result, cx))
                }
                StateProj::Search { .. } => {
                    if this.poll_search(cx).is_pending() {
                        ready!(this.poll_timer(cx));
                    }
                    this.go_on()
                }
                StateProj::Backoff => {
                    if this.timer.is_some() {
                        ready!(this.poll_timer(cx));
                    }
                    this.await_readiness();
                    None
                }
                StateProj::Readiness { service } => match service.poll_ready(cx) {
                    Poll::Ready(Ok(())) => {
                        let now = Instant::now();
                        if this.call.is_too_late(now) {
                            Some(Err(this.call.timed_out(&NOT_READY, None, now)))
                        } else {
                            let request = replays(this.replays).next_request(this.call, now);
                            let future = service.call(request);
                            this.call.sent(now);
                            this.timer.set(None);
                            this.state.set(State::Attempt { future });
                            None
                        }
                    }
                    Poll::Ready(Err(error)) => this.not_ready(Some(error.into())),
                    Poll::Pending => {
                        ready!(this.poll_timer(cx));
                        this.not_ready(None)
                    }
                },
            };
            this.watch();
            if let Some(result) = end {
                // The upload may go on long after the response; it is not kept any longer. Nor are the
                // search for others to share, and a request that was overtaken.
                this.keeper.release();
                *this.search = None;
                *this.hedge = None;
                *this.second = None;
                return Poll::Ready(result);
            }
        }
    }
}

const NOT_READY: Cause = Cause::Failure(Failure::never_sent(Reason::NotReady));

/// The client's own timer ended the call's time.
#[cfg(feature = "reqwest")]
const OVERDUE: Cause = Cause::Failure(Failure::unknown(Reason::Timeout));

/// How the call ends, or `None` when it goes on in another state.
type End<R> = Option<Result<Response<R>, Error>>;

impl<S, B, R> AttemptsProj<'_, S, B>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Send + 'static,
    R: Body + Send + 'static,
{
    /// Takes up what became of the attempt, and looks after what goes on beside it.
    fn attempted(
        &mut self,
        result: Poll<Result<Response<R>, S::Error>>,
        cx: &mut Context<'_>,
    ) -> Poll<End<R>> {
        match result {
            Poll::Ready(Ok(response)) => {
                let (verdict, reason, response) = self.classify(response);
                Poll::Ready(self.judged(verdict, reason, response))
            }
            Poll::Ready(Err(error)) => Poll::Ready(self.failed(error.into())),
            Poll::Pending => {
                if let Poll::Ready(end) = self.poll_hedge(cx) {
                    return Poll::Ready(end);
                }
                if self.poll_search(cx).is_pending() {
                    self.set_alarm();
                    ready!(self.poll_timer(cx));
                }
                Poll::Ready(self.overdue(cx))
            }
        }
    }

    fn classify(&self, response: Response<R>) -> (Verdict, Reason, Response<R>) {
        let (head, body) = response.into_parts();
        let verdict = self.call.classifier().classify(Outcome::Response(&head));
        let reason = Reason::Status(head.status);
        (verdict, reason, Response::from_parts(head, body))
    }

    fn judged(&mut self, verdict: Verdict, reason: Reason, response: Response<R>) -> End<R> {
        let cause = match verdict {
            Verdict::Success => {
                let served = self.call.succeeded(reason, Instant::now);
                return Some(Ok(with(served, response)));
            }
            Verdict::Final => {
                // Any answer below 500 is a sign of life.
                if response.status().as_u16() < 500 {
                    self.call.note_answer(false);
                }
                let served = self.call.answered(reason, None, Instant::now);
                return Some(Ok(with(served, response)));
            }
            Verdict::WrongRegion => {
                self.call.note_answer(false);
                Cause::WrongRegion(reason)
            }
            Verdict::Failed(failure) => Cause::Failure(failure),
        };
        self.try_next(cause, Ok(response), Instant::now())
    }

    fn failed(&mut self, error: BoxError) -> End<R> {
        let now = Instant::now();
        if self.keeper.has_failed() {
            #[cfg(feature = "tonic")]
            let error = crate::tonic::failed_with(self.keeper.take_status(), error);
            return Some(Err(self.call.refused(Reason::Body, error, now)));
        }
        #[cfg(feature = "reqwest")]
        let error = match crate::reqwest::overdue(error) {
            Ok(error) => return Some(Err(self.call.timed_out(&OVERDUE, Some(error), now))),
            Err(error) => error,
        };
        let cause = match self.call.classifier().classify(Outcome::Error(&*error)) {
            Verdict::Success | Verdict::Final => {
                return Some(Err(self.call.refused(Reason::Request, error, now)));
            }
            Verdict::WrongRegion => Cause::WrongRegion(Reason::Other),
            // A client that heeds the request's `grpc-timeout` may be the first to notice.
            Verdict::Failed(failure)
                if failure.reason() == Reason::Timeout && self.call.is_over(now) =>
            {
                let cause = Cause::Failure(failure);
                return Some(Err(self.call.timed_out(&cause, Some(error), now)));
            }
            // The proof that a GOAWAY does not give by itself.
            Verdict::Failed(failure)
                if failure.reason() == Reason::GoAway && !self.keeper.has_begun() =>
            {
                Cause::Failure(Failure::unknown(Reason::GoAway))
            }
            Verdict::Failed(failure) => Cause::Failure(failure),
        };
        self.try_next(cause, Err(Some(error)), now)
    }

    /// The timer of an attempt fired, or there are more regions for one that takes too long.
    fn overdue(&mut self, cx: &mut Context<'_>) -> End<R> {
        let now = Instant::now();
        let mut failure = Failure::unknown(Reason::AttemptTimeout);
        if self.keeper.awaits_caller() {
            // The region waits as we do.
            failure = failure.blame(Blame::None);
        }
        let cause = Cause::Failure(failure);
        if self.call.is_over(now) {
            return Some(Err(self.call.timed_out(&cause, None, now)));
        }
        if self.call.is_hedge_due(now) {
            self.start_hedge(cx, now);
            return None;
        }
        if self.hedge.is_some() {
            return self.try_next(cause, Err(None), now);
        }
        if self.search.is_some() {
            match self.call.search_left(now) {
                // The attempt may hold the last permit, which the search needs. It has had its time.
                Some(_) if self.is_saturated(cx) => return self.try_next(cause, Err(None), now),
                Some(left) => {
                    self.timer.set(Some(sleep(left)));
                    return None;
                }
                None => {
                    *self.search = None;
                    self.call.searched_in_vain(&cause, now);
                }
            }
        }
        match self.next(&cause, now) {
            Ok(Step::Attempt(next)) => {
                self.call.note_failure(&cause, now);
                self.move_on(&cause, next, now);
            }
            Ok(Step::Search) => {
                self.search(&cause);
                self.call.stay(&cause, now);
                let half = self.call.search_beside(&cause, now);
                self.timer.set(Some(sleep(half)));
            }
            Err(why) => {
                if let Some(second) = self.second.take() {
                    self.call.note_failure(&cause, now);
                    return Some(self.end_with_second(*second, &cause, why, now));
                }
                // Nowhere else to go, so the attempt is worth more than no attempt.
                self.call.stay(&cause, now);
                self.call.give_up(why);
                self.timer.set(None);
            }
        }
        None
    }

    /// The inner service is not ready for the next attempt, by an error or in time.
    fn not_ready(&mut self, error: Option<BoxError>) -> End<R> {
        let now = Instant::now();
        if self.call.is_too_late(now) {
            return Some(Err(self.call.timed_out(&NOT_READY, None, now)));
        }
        self.try_next(NOT_READY, Err(error), now)
    }

    /// After a failed attempt: goes on to the wait before the next one, if there is one.
    fn try_next(
        &mut self,
        cause: Cause,
        outcome: Result<Response<R>, Option<BoxError>>,
        now: Instant,
    ) -> End<R> {
        self.call.note_failure(&cause, now);
        if self.leave_it_to_hedge(&cause, now) {
            return None;
        }
        self.decide(FailedAttempt { cause, outcome }, now)
    }

    /// After the search for more regions: as [`try_next`](Self::try_next).
    fn go_on(&mut self) -> End<R> {
        let StateProj::Search { failed } = self.state.as_mut().project() else {
            unreachable!("only a call in this state goes on from it");
        };
        let failed = failed.take().expect("it is put there with the state");
        let now = Instant::now();
        if self.search.take().is_some() {
            self.call.searched_in_vain(&failed.cause, now);
        }
        self.decide(*failed, now)
    }

    fn decide(&mut self, failed: FailedAttempt<Response<R>>, now: Instant) -> End<R> {
        match self.next(&failed.cause, now) {
            Ok(Step::Attempt(next)) => {
                // A response goes before the wait, and with it the connection or stream it holds.
                drop(failed.outcome);
                self.move_on(&failed.cause, next, now);
                None
            }
            Ok(Step::Search) => {
                self.search(&failed.cause);
                self.call.end_attempt(now);
                // The upload may not outgrow what is kept of it, now that it is for nothing. A body that
                // was made for the next attempt is not being sent.
                if replays(self.replays).body.is_none() {
                    self.keeper.hold();
                }
                let bound = self.call.search_within(&failed.cause, now);
                self.timer.set(Some(sleep(bound)));
                let failed = Some(Box::new(failed));
                self.state.set(State::Search { failed });
                None
            }
            Err(why) => {
                self.call.give_up(why);
                Some(self.end(failed, why, now))
            }
        }
    }

    /// Ends the call with the outcome of its last attempt.
    fn end(
        &mut self,
        failed: FailedAttempt<Response<R>>,
        why: Stop,
        now: Instant,
    ) -> Result<Response<R>, Error> {
        let cause = failed.cause;
        match failed.outcome {
            Ok(response) => {
                let served = self.call.answered(cause.reason(), cause.kind(), || now);
                Ok(with(served, response))
            }
            Err(error) => Err(self.call.failed(&cause, why, error, now)),
        }
    }

    /// Decides on another attempt, and makes its body.
    fn next(&mut self, cause: &Cause, now: Instant) -> Result<Step, Stop> {
        let made = |replays: &Replays<S, B>| replays.body.is_some() || self.keeper.can_replay();
        let body = self.replays.as_ref().is_none_or(made);
        let step = self.call.next(cause, body, now)?;
        let replays = self.replays.as_mut().ok_or(Stop::Regions)?;
        if let Step::Attempt(_) = step {
            replays.make_body(self.keeper)?;
        }
        Ok(step)
    }

    /// Has the regions probed that this call found to be out.
    fn watch(&mut self) {
        if let Some(replays) = self.replays {
            let client = || Arc::new(Through::<S, B>::new(replays.service.clone())) as _;
            self.call.watch(client);
        }
    }

    /// Whether the inner service has no room for another request.
    fn is_saturated(&mut self, cx: &mut Context<'_>) -> bool {
        let mut service = replays(self.replays).service.clone();
        service.poll_ready(cx).is_pending()
    }

    /// Asks for more regions, unless that is under way.
    fn search(&mut self, cause: &Cause) {
        if self.search.is_none() {
            let replays = replays(self.replays);
            // As before a wait: see `move_on`.
            replays.service = replays.service.clone();
            let headers = self.call.carried(&replays.template.headers());
            let client = Arc::new(Through::<S, B>::new(replays.service.clone()));
            *self.search = Some(self.call.search(cause, headers, client));
        }
    }

    /// Waits for more regions where they are asked for, and takes them up.
    fn poll_search(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(search) = self.search else {
            return Poll::Pending;
        };
        let fetched = ready!(Pin::new(search).poll(cx));
        *self.search = None;
        self.call.searched(fetched);
        Poll::Ready(())
    }

    /// Ends the current attempt and waits before the next one.
    fn move_on(&mut self, cause: &Cause, next: Next, now: Instant) {
        // The instance that made the first attempt goes with it. Under load shedding it may have been
        // called while it still stood in line for a permit, and would get one during the wait.
        let replays = replays(self.replays);
        replays.service = replays.service.clone();
        // A list may have come from elsewhere. This search was for the attempt that is over, and what
        // it finds must not end the next one.
        *self.search = None;
        // No wait, no timer.
        let timer = (!next.wait.is_zero()).then(|| sleep(next.wait));
        self.call.move_on(cause, next, now);
        self.timer.set(timer);
        *self.second = None;
        self.state.set(State::Backoff);
    }

    fn await_readiness(&mut self) {
        let service = replays(self.replays).service.clone();
        let bound = self.call.ready_within(Instant::now());
        self.timer.set(Some(sleep(bound)));
        self.state.set(State::Readiness { service });
    }

    fn set_alarm(&mut self) {
        if !self.call.is_timed() {
            self.call.sent(Instant::now());
        }
        if self.timer.is_none() {
            let alarm = self.call.alarm();
            self.timer.set(alarm.map(sleep_until));
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.timer.as_mut().as_pin_mut() {
            Some(timer) => timer.poll(cx),
            None => Poll::Pending,
        }
    }
}
