//! What holds for every call, whatever happens to it: random calls over random scripts.

use std::{
    collections::{HashSet, VecDeque},
    convert::Infallible,
    io::ErrorKind,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header::HOST};
use http_body::{Frame, SizeHint};
use http_body_util::Empty;
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::select,
    test_runner::{RngSeed, TestCaseResult},
};
use tokio::time::{Instant, Sleep, sleep};
use tower::{Layer, ServiceExt};
use tower_failover::{Backoff, Budget, Error, ErrorKind as Kind, Health, Override, Replay, Served};

use crate::support::{Act, Script, Seen, layer, no_wait, wait_of};

const MS: Duration = Duration::from_millis(1);
const YEAR: Duration = Duration::from_secs(365 * 86_400);
const GRPC_TIMEOUT: &str = "grpc-timeout";

/// 512 cases, the same on every machine; `PROPTEST_CASES` and `PROPTEST_RNG_SEED` look further.
fn config() -> ProptestConfig {
    let mut config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    config.cases = config.cases.max(512);
    if let RngSeed::Random = config.rng_seed {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

/// What a region does once it has read as much of the body as it wants, and after how long.
#[derive(Clone, Debug)]
struct Outcome {
    ending: Ending,
    frames: usize,
    after: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Status(u16),
    Fail(ErrorKind),
    Hang,
}

impl Outcome {
    fn act(&self) -> Act {
        let act = match self.ending {
            Ending::Status(status) => Act::Early(status),
            Ending::Fail(kind) => Act::Fail(kind),
            Ending::Hang => Act::Hang,
        };
        Act::After(
            self.after,
            Box::new(Act::AfterFrames(self.frames, Box::new(act))),
        )
    }
}

/// Whether an attempt that ended so may be followed by another one.
fn may_be_followed(ending: Ending, replayable: bool) -> bool {
    match ending {
        Ending::Fail(ErrorKind::ConnectionRefused) | Ending::Status(421 | 451) => true,
        Ending::Fail(_) | Ending::Hang | Ending::Status(500 | 502..=504) => replayable,
        Ending::Status(_) => false,
    }
}

fn outcomes() -> impl Strategy<Value = Vec<Outcome>> {
    let statuses = vec![200, 204, 404, 421, 429, 451, 500, 501, 502, 503, 504];
    let errors = vec![
        ErrorKind::ConnectionRefused,
        ErrorKind::ConnectionReset,
        ErrorKind::TimedOut,
        ErrorKind::Other,
    ];
    let ending = prop_oneof![
        4 => select(statuses).prop_map(Ending::Status),
        3 => Just(Ending::Status(503)),
        1 => select(vec![421, 451]).prop_map(Ending::Status),
        3 => select(errors).prop_map(Ending::Fail),
        2 => Just(Ending::Hang),
    ];
    let frames = prop_oneof![Just(0), 1..4_usize, Just(usize::MAX)];
    let after = prop_oneof![2 => Just(0), 1 => 1..8000_u64].prop_map(Duration::from_millis);
    let outcome = (ending, frames, after).prop_map(|(ending, frames, after)| Outcome {
        ending,
        frames,
        after,
    });
    vec(outcome, 0..6)
}

/// A body: steps, and how much it says of itself.
#[derive(Clone, Debug)]
struct Plan {
    steps: Vec<Step>,
    says_length: bool,
    says_end: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    /// Pending, and woken at once.
    Yield,
    /// Pending for this long.
    Wait(Duration),
}

impl Plan {
    fn data(&self) -> Vec<u8> {
        let frames = self.steps.iter().filter_map(|step| match step {
            Step::Data(data) => Some(&data[..]),
            _ => None,
        });
        frames.collect::<Vec<_>>().concat()
    }

    fn trailers(&self) -> Option<&HeaderMap> {
        match self.steps.last() {
            Some(Step::Trailers(trailers)) => Some(trailers),
            _ => None,
        }
    }
}

fn plans() -> impl Strategy<Value = Plan> {
    let step = prop_oneof![
        4 => vec(any::<u8>(), 0..24).prop_map(|data| Step::Data(data.into())),
        1 => Just(Step::Yield),
        1 => (0..3000_u64).prop_map(|wait| Step::Wait(Duration::from_millis(wait))),
    ];
    let steps = prop_oneof![
        Just(vec![]),
        vec(any::<u8>(), 0..24).prop_map(|data| vec![Step::Data(data.into())]),
        vec(step, 0..6),
    ];
    let trailers = option::of((0..3_u32).prop_map(|n| {
        let pairs = (0..n).map(|n| (HeaderName::from_static("x-sum"), HeaderValue::from(n)));
        HeaderMap::from_iter(pairs)
    }));
    (steps, trailers, any::<bool>(), any::<bool>()).prop_map(
        |(mut steps, trailers, says_length, says_end)| {
            steps.extend(trailers.map(Step::Trailers));
            Plan {
                steps,
                says_length,
                says_end,
            }
        },
    )
}

struct Upload {
    plan: Plan,
    left: VecDeque<Step>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Upload {
    fn new(plan: Plan) -> Self {
        let left = plan.steps.clone().into();
        Self {
            plan,
            left,
            timer: None,
        }
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if let Some(timer) = &mut self.timer {
                ready!(timer.as_mut().poll(cx));
                self.timer = None;
            }
            match self.left.pop_front() {
                Some(Step::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Some(Step::Trailers(map)) => return Poll::Ready(Some(Ok(Frame::trailers(map)))),
                Some(Step::Wait(wait)) => self.timer = Some(Box::pin(sleep(wait))),
                Some(Step::Yield) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                None => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.plan.says_end && self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let left: usize = self
            .left
            .iter()
            .map(|step| match step {
                Step::Data(data) => data.len(),
                _ => 0,
            })
            .sum();
        if self.plan.says_length {
            SizeHint::with_exact(left as u64)
        } else {
            SizeHint::default()
        }
    }
}

/// A request as the caller makes it.
#[derive(Clone, Debug)]
struct Caller {
    method: Method,
    path: &'static str,
    host: Option<&'static str>,
    key: bool,
    grpc_timeout: Option<u64>,
    body: Plan,
    own: Option<Replay>,
}

impl Caller {
    fn request(&self) -> Request<Upload> {
        let uri = format!("http://a{}", self.path);
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(uri)
            .header("accept", "x")
            .header("accept", "y");
        if let Some(host) = self.host {
            request = request.header(HOST, host);
        }
        if self.key {
            request = request.header("idempotency-key", "k");
        }
        if let Some(millis) = self.grpc_timeout {
            request = request.header(GRPC_TIMEOUT, format!("{millis}m"));
        }
        if let Some(replay) = self.own {
            request = request.extension(Override::new().replay(replay));
        }
        request.body(Upload::new(self.body.clone())).unwrap()
    }

    fn is_replayable(&self, policy: Replay) -> bool {
        let safe = self.key || !matches!(self.method, Method::POST | Method::PATCH);
        match self.own.unwrap_or(policy) {
            Replay::Always => true,
            Replay::Never => false,
            _ => safe,
        }
    }
}

fn replays() -> impl Strategy<Value = Replay> {
    prop_oneof![4 => Just(Replay::Safe), 2 => Just(Replay::Always), 1 => Just(Replay::Never)]
}

fn callers() -> impl Strategy<Value = Caller> {
    let methods = vec![
        Method::GET,
        Method::HEAD,
        Method::PUT,
        Method::DELETE,
        Method::POST,
        Method::POST,
        Method::PATCH,
    ];
    (
        select(methods),
        select(&["/", "/x?y=%20&z", "/a/b/c"][..]),
        option::of(select(&["a", "A:80", "other"][..])),
        prop::bool::weighted(0.2),
        option::weighted(0.2, 0..20_000_u64),
        plans(),
        option::weighted(0.2, replays()),
    )
        .prop_map(
            |(method, path, host, key, grpc_timeout, body, own)| Caller {
                method,
                path,
                host,
                key,
                grpc_timeout,
                body,
                own,
            },
        )
}

/// The settings of a layer.
#[derive(Clone, Debug)]
struct Settings {
    regions: u8,
    max_attempts: u32,
    replay: Replay,
    attempt_timeout: Option<Duration>,
    total_timeout: Option<Duration>,
    min_attempt_time: Duration,
    max_replay_body: usize,
    backoff: Backoff,
    tokens: Option<u32>,
    remembers: bool,
}

impl Settings {
    fn layer(&self, budget: Budget) -> tower_failover::FailoverLayer {
        layer(self.regions)
            .max_attempts(self.max_attempts)
            .replay(self.replay)
            .attempt_timeout(self.attempt_timeout)
            .total_timeout(self.total_timeout)
            .min_attempt_time(self.min_attempt_time)
            .max_replay_body(self.max_replay_body)
            .backoff(self.backoff)
            .budget(budget)
            .health(if self.remembers {
                Health::default()
            } else {
                Health::off()
            })
    }

    fn budget(&self) -> Budget {
        match self.tokens {
            Some(cap) => Budget::default().cap(cap),
            None => Budget::unlimited(),
        }
    }
}

fn settings() -> impl Strategy<Value = Settings> {
    let millis = |range: std::ops::Range<u64>| range.prop_map(Duration::from_millis);
    (
        1..5_u8,
        0..6_u32,
        replays(),
        option::weighted(0.8, millis(0..6000)),
        option::weighted(0.5, millis(0..20_000)),
        prop_oneof![Just(Duration::ZERO), millis(0..5000)],
        prop_oneof![0..80_usize, Just(usize::MAX)],
        prop_oneof![
            Just(no_wait()),
            Just(Backoff::default()),
            millis(0..3000).prop_map(wait_of),
        ],
        option::of(0..7_u32),
        any::<bool>(),
    )
        .prop_map(|settings| {
            let (regions, max_attempts, replay, attempt_timeout, total_timeout, ..) = settings;
            let (.., min_attempt_time, max_replay_body, backoff, tokens, remembers) = settings;
            Settings {
                regions,
                max_attempts,
                replay,
                attempt_timeout,
                total_timeout,
                min_attempt_time,
                max_replay_body,
                backoff,
                tokens,
                remembers,
            }
        })
}

fn with_paused_clock<F: Future>(test: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test)
}

/// One call and all there is to know of it.
struct Observed<'a> {
    settings: &'a Settings,
    caller: &'a Caller,
    outcomes: &'a [Outcome],
    start: Instant,
    end: Instant,
    seen: Vec<Seen>,
    /// `None` when the call waits without end.
    result: Option<Result<Response<Empty<Bytes>>, Error>>,
}

impl Observed<'_> {
    fn ending(&self, attempt: usize) -> Ending {
        let outcome = self.outcomes.get(attempt);
        outcome.map_or(Ending::Status(200), |outcome| outcome.ending)
    }

    fn total(&self) -> Option<Duration> {
        let own = self.caller.grpc_timeout.map(Duration::from_millis);
        [self.settings.total_timeout, own]
            .into_iter()
            .flatten()
            .min()
    }

    fn attempts_are_few_and_each_goes_elsewhere(&self) -> TestCaseResult {
        let most = self.settings.max_attempts.max(1) as usize;
        prop_assert!((1..=most).contains(&self.seen.len()));
        let asked: HashSet<_> = self.seen.iter().map(Seen::authority).collect();
        prop_assert_eq!(asked.len(), self.seen.len());
        Ok(())
    }

    fn nothing_is_replayed_that_must_not_be(&self) -> TestCaseResult {
        let replayable = self.caller.is_replayable(self.settings.replay);
        for attempt in 0..self.seen.len() - 1 {
            let ending = self.ending(attempt);
            let timed_out = self.seen[attempt + 1].at
                >= self.seen[attempt].at + self.settings.attempt_timeout.unwrap_or(YEAR);
            prop_assert!(
                may_be_followed(ending, replayable) || (replayable && timed_out),
                "{ending:?} of attempt {attempt} was followed by another"
            );
        }
        Ok(())
    }

    fn bodies_are_the_callers(&self) -> TestCaseResult {
        let plan = &self.caller.body;
        let data = plan.data();
        for (n, seen) in self.seen.iter().enumerate() {
            prop_assert!(data.starts_with(&seen.body), "attempt {n}");
            if seen.complete {
                prop_assert_eq!(&seen.body, &data, "attempt {}", n);
                prop_assert_eq!(seen.trailers.as_ref(), plan.trailers(), "attempt {}", n);
            }
            if n + 1 < self.seen.len() {
                prop_assert!(seen.body.len() <= self.settings.max_replay_body);
            }
        }
        Ok(())
    }

    fn time_is_kept(&self) -> TestCaseResult {
        let Some(total) = self.total() else {
            return Ok(());
        };
        let deadline = self.start + total;
        prop_assert!(self.end <= deadline + MS, "{:?}", self.end - self.start);
        for (before, seen) in self.seen[1..].iter().enumerate() {
            let left = deadline.saturating_duration_since(seen.at);
            // A request that was sent away is worth another attempt in any time.
            let min = match self.ending(before) {
                Ending::Status(421 | 451) => Duration::ZERO,
                _ => self.settings.min_attempt_time,
            };
            prop_assert!(!left.is_zero() && left >= min);
        }
        if let Some(Err(error)) = &self.result {
            if error.kind() == Kind::Timeout {
                prop_assert!(self.end >= deadline, "{:?}", self.end - self.start);
            }
        }
        Ok(())
    }

    fn heads_are_the_callers(&self) -> TestCaseResult {
        let (head, _) = self.caller.request().into_parts();
        for (n, seen) in self.seen.iter().enumerate() {
            prop_assert_eq!(&seen.method, &head.method);
            prop_assert_eq!(seen.version, head.version);
            prop_assert_eq!(seen.uri.path_and_query(), head.uri.path_and_query());
            let mut expected = head.headers.clone();
            if let Some(host) = expected.get_mut(HOST) {
                if self.caller.host != Some("other") && seen.authority() != "a" {
                    *host = HeaderValue::from_str(seen.authority()).unwrap();
                }
            }
            if n > 0 {
                // Home's name may be written in another form once the request was aimed there.
                if seen.authority() == "a" && self.caller.host == Some("A:80") {
                    expected.insert(HOST, HeaderValue::from_static("a"));
                }
                let told = expected.remove(GRPC_TIMEOUT).is_some();
                prop_assert_eq!(told, seen.headers.contains_key(GRPC_TIMEOUT));
            }
            let mut headers = seen.headers.clone();
            if n > 0 {
                headers.remove(GRPC_TIMEOUT);
            }
            prop_assert_eq!(headers, expected, "attempt {}", n);
            let number = (n > 0).then_some(n as u32 + 1);
            prop_assert_eq!(seen.attempt, number);
        }
        if self.seen[0].authority() == "a" {
            prop_assert_eq!(&self.seen[0].uri, &head.uri);
        }
        Ok(())
    }

    fn the_last_outcome_is_returned(&self) -> TestCaseResult {
        let last = self.seen.len() - 1;
        match &self.result {
            Some(Ok(response)) => {
                match self.ending(last) {
                    Ending::Status(status) => prop_assert_eq!(response.status(), status),
                    ending => prop_assert!(false, "{ending:?} became a response"),
                }
                let served = response.extensions().get::<Served>();
                let usual = last == 0 && self.seen[0].authority() == "a";
                prop_assert_eq!(served.is_none(), usual);
                if let Some(served) = served {
                    prop_assert_eq!(served.attempts().len(), self.seen.len());
                    prop_assert_eq!(served.region().origin().host(), self.seen[last].authority());
                }
            }
            Some(Err(error)) => {
                let timeout = error.kind() == Kind::Timeout;
                prop_assert!(
                    timeout || matches!(self.ending(last), Ending::Fail(_)),
                    "{error}"
                );
                prop_assert_eq!(error.attempts().len(), self.seen.len());
            }
            None => {
                prop_assert!(matches!(self.ending(last), Ending::Hang));
                prop_assert!(self.total().is_none());
            }
        }
        Ok(())
    }

    fn all_is_well(&self) -> TestCaseResult {
        self.attempts_are_few_and_each_goes_elsewhere()?;
        self.nothing_is_replayed_that_must_not_be()?;
        self.bodies_are_the_callers()?;
        self.time_is_kept()?;
        self.heads_are_the_callers()?;
        self.the_last_outcome_is_returned()
    }
}

/// Makes a call and waits for its end, or for a year.
async fn observe<'a>(
    layer: &tower_failover::FailoverLayer,
    settings: &'a Settings,
    caller: &'a Caller,
    outcomes: &'a [Outcome],
) -> Result<Observed<'a>, TestCaseError> {
    let script = Script::new(outcomes.iter().map(Outcome::act));
    let client = layer.layer(script.clone());
    let start = Instant::now();
    let result = tokio::time::timeout(YEAR, client.oneshot(caller.request())).await;
    prop_assert_eq!(script.in_flight(), 0);
    Ok(Observed {
        settings,
        caller,
        outcomes,
        start,
        end: Instant::now(),
        seen: script.seen(),
        result: result.ok(),
    })
}

/// How many attempts a call of a `GET` makes that nothing but its outcomes limits.
fn attempts_by_the_rules(outcomes: &[Outcome], most: usize) -> usize {
    let mut redirected = false;
    for (n, outcome) in outcomes.iter().enumerate().take(most) {
        let redirect = matches!(outcome.ending, Ending::Status(421 | 451));
        if !may_be_followed(outcome.ending, true) || (redirect && redirected) {
            return n + 1;
        }
        redirected |= redirect;
    }
    most.min(outcomes.len() + 1)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_call_keeps_the_rules(
        settings in settings(),
        calls in vec((callers(), outcomes()), 1..4),
    ) {
        with_paused_clock(async {
            let budget = settings.budget();
            let layer = settings.layer(budget.clone());
            for (caller, outcomes) in &calls {
                observe(&layer, &settings, caller, outcomes).await?.all_is_well()?;
                let available = budget.available();
                let most = settings.tokens.map_or(f64::INFINITY, f64::from);
                prop_assert!((0.0..=most).contains(&available), "{available} tokens");
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_call_that_succeeds_at_once_is_the_callers_request_and_nothing_else(
        settings in settings(),
        caller in callers(),
        status in select(&[200_u16, 201, 304, 400, 404][..]),
    ) {
        with_paused_clock(async {
            let outcomes = [Outcome {
                ending: Ending::Status(status),
                frames: 0,
                after: Duration::ZERO,
            }];
            let layer = settings.layer(settings.budget());
            let observed = observe(&layer, &settings, &caller, &outcomes).await?;
            observed.all_is_well()?;
            prop_assert_eq!(observed.seen.len(), 1);
            prop_assert_eq!(observed.end, observed.start);
            let seen = &observed.seen[0];
            let (head, _) = caller.request().into_parts();
            prop_assert_eq!(&seen.uri, &head.uri);
            prop_assert_eq!(&seen.headers, &head.headers);
            prop_assert_eq!(seen.extensions.len(), head.extensions.len());
            prop_assert_eq!(observed.result.unwrap().unwrap().status(), status);
            Ok(())
        })?;
    }

    #[test]
    fn a_call_that_nothing_limits_goes_on_until_an_outcome_is_final(
        mut settings in settings(),
        mut caller in callers(),
        outcomes in outcomes(),
    ) {
        with_paused_clock(async {
            settings.replay = Replay::Always;
            settings.attempt_timeout.get_or_insert(Duration::from_secs(60));
            settings.total_timeout = None;
            settings.tokens = None;
            settings.max_replay_body = usize::MAX;
            (caller.own, caller.grpc_timeout) = (None, None);
            caller.body.steps.clear();
            // Slow regions are another matter.
            let outcomes: Vec<_> = outcomes
                .into_iter()
                .map(|outcome| Outcome { after: Duration::ZERO, ..outcome })
                .collect();
            let layer = settings.layer(settings.budget());
            let observed = observe(&layer, &settings, &caller, &outcomes).await?;
            observed.all_is_well()?;
            let most = settings.max_attempts.clamp(1, u32::from(settings.regions));
            let expected = attempts_by_the_rules(&outcomes, most as usize);
            prop_assert_eq!(observed.seen.len(), expected);
            Ok(())
        })?;
    }
}
