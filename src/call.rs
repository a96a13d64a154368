//! The memory of one call, and the decision after each attempt. No futures, timers or HTTP types.

mod hedge;
mod outcome;
mod search;

use std::{sync::Arc, time::Duration};

use hedge::Hedging;
use tokio::time::Instant;

use crate::{
    budget::Withdrawal,
    classify::{Blame, Classify, Failure, FailureKind, Pushback, Reason},
    client::Client,
    config::Shared,
    discovery::{Home, View},
    policy::{Policy, Replay},
    region::{Board, Region},
    regions::Scope,
    report::{self, AttemptRecord, Stop},
};

/// How much longer than the backoff a region may make a call wait to be asked again.
///
/// A region's wish is heard, but it is input from outside: it cannot hold a caller for minutes.
const MAX_PUSHBACK: Duration = Duration::from_secs(5);

/// The most that tokio's timer adds to a wait: it counts in whole milliseconds.
const TIMER_ROUNDING: Duration = Duration::from_nanos(999_999);

#[derive(Debug)]
pub(crate) struct Call {
    shared: Arc<Shared>,
    policy: Policy,
    /// Whether the request does no harm when it arrives twice.
    idempotent: bool,
    route: u64,
    /// `None` where the regions are fixed.
    found: Option<Found>,
    home: usize,
    deadline: Option<Instant>,
    #[cfg(feature = "tonic")]
    grpc: bool,
    /// How much of the call's time the current attempt takes at least.
    min_time: Duration,

    /// Where the current attempt goes.
    place: usize,
    number: u32,
    /// How many attempts were made, the current one included.
    attempts: u32,
    hedging: Hedging,
    /// When the current attempt was sent; `None` while its future has not been waited for.
    sent: Option<Instant>,
    /// What the current attempt cost, when it is a replay.
    token: Option<Withdrawal>,
    /// Whether the attempt timeout of the current attempt passed with nowhere else to go.
    patient: bool,

    /// What came before the current attempt. The usual call has no past, and does not carry one.
    past: Option<Box<Past>>,
}

/// A home whose regions are discovered, and what the call knows of them.
#[derive(Debug)]
struct Found {
    home: Arc<Home>,
    view: Arc<View>,
}

#[derive(Debug, Default)]
struct Past {
    /// The places of the attempts that failed.
    tried: Vec<usize>,
    /// Until when regions that failed wished to be left alone.
    wishes: Vec<(usize, Instant)>,
    records: Vec<AttemptRecord>,
    /// The region that sent the call away; there is no second time.
    wrong: Option<usize>,
    /// When the current attempt ended, if the call waits for more regions since.
    ended: Option<Instant>,
    search: Search,
    /// Until when the call waits for more regions beside its attempt.
    search_until: Option<Instant>,
    /// Whether it waits for what another call asks.
    is_joined: bool,
    /// Whether what another call asked was denied.
    was_denied: bool,
}

/// Whether a call has asked for more regions. It does so once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Search {
    #[default]
    NotYet,
    Found,
    Failed,
}

/// What the request brings with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    pub(crate) idempotent: bool,
    pub(crate) route: u64,
    pub(crate) deadline: Option<Instant>,
    /// Whether it is a call of gRPC.
    #[cfg(feature = "tonic")]
    pub(crate) grpc: bool,
}

/// The decision on how a call goes on.
#[derive(Debug)]
pub(crate) enum Step {
    Attempt(Next),
    /// To ask for more regions first.
    Search,
}

/// The decision to make another attempt.
#[derive(Debug)]
pub(crate) struct Next {
    place: usize,
    /// `None` where nothing is to be paid: the region did nothing with the request, or the current
    /// attempt was never sent, so that its token is good for the next.
    token: Option<Withdrawal>,
    /// How long to wait before it.
    pub(crate) wait: Duration,
}

/// Why another attempt is considered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cause {
    Failure(Failure),
    /// The region does not serve the request; its answer has this reason.
    WrongRegion(Reason),
}

impl Cause {
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Failure(failure) => failure.reason(),
            Self::WrongRegion(reason) => *reason,
        }
    }

    pub(crate) fn kind(&self) -> Option<FailureKind> {
        match self {
            Self::Failure(failure) => Some(failure.kind()),
            Self::WrongRegion(_) => None,
        }
    }
}

impl Call {
    /// A call whose first attempt goes home, or where else the regions' health sends it.
    pub(crate) fn new(shared: Arc<Shared>, policy: Policy, scope: Scope, traits: Traits) -> Self {
        let Shared {
            config, directory, ..
        } = &*shared;
        let (found, home) = match scope {
            Scope::Fixed(home) => (None, home),
            Scope::Discovered(home) => {
                let view = directory.first_view_of(&home);
                let place = view.home;
                (Some(Found { home, view }), place)
            }
        };
        let (place, sent) = if policy.enabled {
            let board = found.as_ref().map_or(&directory.fixed, |f| &f.view.board);
            board.first(&config.health, home)
        } else {
            (home, None)
        };
        config.budget.called();
        report::attempt(1);
        Self {
            policy,
            idempotent: traits.idempotent,
            route: traits.route,
            found,
            home,
            deadline: traits.deadline,
            #[cfg(feature = "tonic")]
            grpc: traits.grpc,
            min_time: config.min_attempt_time,
            place,
            number: 1,
            attempts: 1,
            hedging: Hedging::Off,
            sent,
            token: None,
            patient: false,
            past: None,
            shared,
        }
    }

    fn board(&self) -> &Board {
        match &self.found {
            None => &self.shared.directory.fixed,
            Some(found) => &found.view.board,
        }
    }

    pub(crate) fn classifier(&self) -> &dyn Classify {
        &*self.shared.config.classifier
    }

    /// Has the regions that are out probed, by this client.
    pub(crate) fn watch(&self, client: impl FnOnce() -> Arc<dyn Client>) {
        self.shared.prober.watch(&self.shared, client);
    }

    pub(crate) fn is_home(&self) -> bool {
        self.place == self.home
    }

    pub(crate) fn home(&self) -> &Region {
        self.board().region(self.home)
    }

    pub(crate) fn region(&self) -> &Region {
        self.board().region(self.place)
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// What is left of the call's time.
    pub(crate) fn left(&self, now: Instant) -> Option<Duration> {
        Some(self.deadline?.saturating_duration_since(now))
    }

    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }

    /// Whether too little of the call's time is left for the current attempt to be sent.
    pub(crate) fn is_too_late(&self, now: Instant) -> bool {
        self.left(now).is_some_and(|left| left <= self.min_time)
    }

    /// The current attempt is on its way.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.sent = Some(now);
        if let Some(token) = &mut self.token {
            token.sent();
        }
        if self.number > 1 {
            report::attempt(self.number);
        }
    }

    pub(crate) fn is_timed(&self) -> bool {
        self.sent.is_some()
    }

    /// When to look at the current attempt if it has not ended by then: to hedge it, after the attempt
    /// timeout, if the call could then go elsewhere, and at the end of its time.
    pub(crate) fn alarm(&self) -> Option<Instant> {
        let patience = self.policy.attempt_timeout.filter(|_| self.may_move_on());
        let patience = patience.and_then(|timeout| self.sent?.checked_add(timeout));
        earlier(self.hedge_at(), earlier(patience, self.deadline))
    }

    /// How long to wait for the inner service to become ready for the current attempt.
    pub(crate) fn ready_within(&self, now: Instant) -> Duration {
        const BOUND: Duration = Duration::from_secs(5);
        let bound = self.policy.attempt_timeout.unwrap_or(BOUND);
        let left = self.left(now);
        let left = left.map(|left| left.saturating_sub(self.min_time));
        left.map_or(bound, |left| left.min(bound))
    }

    fn past(&mut self) -> &mut Past {
        self.past.get_or_insert_default()
    }

    fn tried(&self) -> &[usize] {
        self.past.as_ref().map_or(&[], |past| &past.tried)
    }

    fn wrong(&self) -> Option<usize> {
        self.past.as_ref()?.wrong
    }

    fn may_move_on(&self) -> bool {
        !self.patient && self.has_second() || self.may_try_another()
    }

    fn may_try_another(&self) -> bool {
        self.policy.enabled
            && !self.patient
            && self.attempts < self.policy.max_attempts
            && self.may_replay(FailureKind::Unknown)
            && (self.shared.config.retry_same_region
                || self.may_search()
                || self.board().has_other(self.home, |place| {
                    place == self.place || self.tried().contains(&place)
                }))
    }

    /// Whether the request may be sent again after a failure of this kind.
    pub(crate) fn may_replay(&self, kind: FailureKind) -> bool {
        match (kind, self.policy.replay) {
            (FailureKind::NeverSent, _) | (_, Replay::Always) => true,
            (FailureKind::Declined, Replay::Safe) => true,
            (_, Replay::Safe) => self.idempotent,
            (_, Replay::Never) => false,
        }
    }

    /// Decides whether there is another attempt, and takes the token for it. `body` says whether the
    /// request's body can still be sent again.
    pub(crate) fn next(&mut self, cause: &Cause, body: bool, now: Instant) -> Result<Step, Stop> {
        match cause {
            Cause::Failure(_) if !self.policy.enabled => return Err(Stop::Disabled),
            Cause::Failure(failure) if !self.may_replay(failure.kind()) => {
                return Err(Stop::NotReplayable);
            }
            // Once: a second region that sends the call away may send it in circles.
            Cause::WrongRegion(_) if self.wrong().is_some() => {
                self.doubt_list();
                return Err(Stop::Regions);
            }
            _ => {}
        }
        if self.attempts >= self.policy.max_attempts {
            return Err(Stop::Attempts);
        }
        if !body {
            return Err(Stop::Body);
        }
        if self.has_to_search(cause, now) {
            self.can_afford(cause, now)?;
            return Ok(Step::Search);
        }
        let Shared { config, .. } = &*self.shared;
        let board = self.board();
        let tried = [self.tried(), &[self.place]].concat();
        let place = match board.next(&config.health, self.home, &tried, now) {
            None if config.retry_same_region => {
                let wrong = match cause {
                    Cause::Failure(_) => self.wrong(),
                    Cause::WrongRegion(_) => Some(self.place),
                };
                board.again(&config.health, self.home, &tried, wrong, now)
            }
            place => place,
        };
        let place = place.ok_or_else(|| self.no_region())?;
        let wait = match cause {
            Cause::Failure(failure) => self.wait(failure, place, now)?,
            Cause::WrongRegion(_) => Duration::ZERO,
        };
        if let Some(left) = self.left(now) {
            // As strict as the check after the wait, else the outcome at hand would be lost to it.
            let wait = match wait {
                Duration::ZERO => wait,
                _ => wait.saturating_add(TIMER_ROUNDING),
            };
            if left <= wait.saturating_add(self.min_time_after(cause)) {
                return Err(Stop::Deadline);
            }
        }
        let token = match self.costs(cause) {
            true => Some(config.budget.withdraw().ok_or(Stop::Budget)?),
            false => None,
        };
        report::budget(|| config.budget.available());
        Ok(Step::Attempt(Next { place, token, wait }))
    }

    /// Whether another attempt has to be paid.
    fn costs(&self, cause: &Cause) -> bool {
        match (cause, &self.token) {
            (Cause::WrongRegion(_), _) => false,
            (_, Some(token)) => token.is_sent(),
            _ => true,
        }
    }

    /// How much time an attempt must have that is made because of `cause`: one that was sent away
    /// was not processed, and is worth making in any time.
    fn min_time_after(&self, cause: &Cause) -> Duration {
        match cause {
            Cause::Failure(_) => self.shared.config.min_attempt_time,
            Cause::WrongRegion(_) => Duration::ZERO,
        }
    }

    /// The backoff, or as long as the region that is asked next wished not to be, within bounds.
    fn wait(&self, failure: &Failure, place: usize, now: Instant) -> Result<Duration, Stop> {
        let Shared { config, .. } = &*self.shared;
        let wait = config.backoff.delay(self.attempts, fastrand::f64());
        let wish = match failure.pushed_back() {
            Some(Pushback::Never) => return Err(Stop::Pushback),
            Some(Pushback::After(wish)) if place == self.place => wish,
            _ => {
                let wishes = self.past.iter().flat_map(|past| &past.wishes);
                wishes
                    .filter(|(region, _)| *region == place)
                    .map(|(_, until)| until.saturating_duration_since(now))
                    .max()
                    .unwrap_or_default()
            }
        };
        Ok(wait.max(wish.min(wait.saturating_add(MAX_PUSHBACK))))
    }

    /// Ends the current attempt for another one.
    pub(crate) fn move_on(&mut self, cause: &Cause, next: Next, now: Instant) {
        self.record(cause.reason(), cause.kind(), now);
        let place = self.place;
        let board = self.board();
        let to = board.region(next.place);
        report::failing_over(self.number, self.region(), to, cause.reason(), next.wait);
        self.heed(place, self.sent, cause, next.place, now);
        let min_time = self.min_time_after(cause);
        let past = self.past();
        past.tried.push(place);
        past.ended = None;
        self.min_time = min_time;
        self.place = next.place;
        self.attempts += 1;
        self.number = self.attempts;
        self.sent = None;
        self.token = next.token.or(self.token.take());
        self.patient = false;
        self.hedging = Hedging::Off;
    }

    /// What a region says of itself with what it fails: that it is the wrong one, or wishes to be left
    /// alone. When another one is asked it can be, by this call and by all others.
    fn heed(
        &mut self,
        place: usize,
        sent: Option<Instant>,
        cause: &Cause,
        next: usize,
        now: Instant,
    ) {
        let failure = match cause {
            Cause::Failure(failure) => failure,
            Cause::WrongRegion(_) => {
                self.past().wrong = Some(place);
                return;
            }
        };
        let Some(Pushback::After(wish)) = failure.pushed_back() else {
            return;
        };
        if next == place {
            return;
        }
        if let Some(until) = now.checked_add(wish) {
            self.past().wishes.push((place, until));
        }
        // A quota is one caller's: it says nothing of the region to others.
        if failure.blamed() == Blame::None {
            return;
        }
        let (board, health) = (self.board(), &self.shared.config.health);
        let failed = self.failed_attempt(failure, sent);
        if let Some(wait) = board.rest(health, place, wish, &failed, now) {
            self.ejected(place, failure.reason(), wait, now);
        }
    }

    /// The attempt timeout passed, but there is nowhere else to go yet: the attempt goes on.
    pub(crate) fn stay(&mut self, cause: &Cause, now: Instant) {
        self.blame(cause, now);
        self.patient = true;
    }
}

fn earlier(one: Option<Instant>, two: Option<Instant>) -> Option<Instant> {
    match (one, two) {
        (Some(one), Some(two)) => Some(one.min(two)),
        (one, two) => one.or(two),
    }
}
