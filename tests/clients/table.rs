//! The scenarios that every stack goes through, and what has to come of each.

use std::{fmt, time::Duration};

use tower_failover::{
    AttemptRecord, Backoff, Error, ErrorKind, FailoverLayer, Regions,
    classify::{Classify, FailureKind, Reason},
};

use crate::recorder::{Recorder, Seen};

/// What happens to a call. The region `other` is well in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Nothing does.
    Healthy,
    /// `home` refuses connections. The request is not replayable.
    Refused,
    /// `home` answers that it is not available: 503, or UNAVAILABLE. The request is replayable.
    Unavailable,
    /// `home` ends the connection or the stream once it has the request, which is replayable.
    ResetReplayable,
    /// The same to a request that is not.
    ResetOnce,
    /// `home` never answers. The request is replayable, and the attempt timeout passes.
    BlackHole,
    /// `home` reads a streaming upload of more bytes than are kept, and then answers as in `Unavailable`. The
    /// request is replayable as far as its method goes.
    LongUpload,
    /// `home` answers, and breaks off in the middle of the body.
    CutBody,
    /// `home` never answers, and the total time is over before the attempt timeout.
    Deadline,
}

pub(crate) use Scenario::*;

pub(crate) const SCENARIOS: [Scenario; 9] = [
    Healthy,
    Refused,
    Unavailable,
    ResetReplayable,
    ResetOnce,
    BlackHole,
    LongUpload,
    CutBody,
    Deadline,
];

/// How many bytes of a body are kept for a replay in these tests.
pub(crate) const KEPT: usize = 64 * 1024;

impl Scenario {
    /// Whether the request is one that may be sent again once it may have been processed.
    pub(crate) fn is_replayable(self) -> bool {
        !matches!(self, Refused | ResetOnce)
    }

    /// The layer over the two regions, in their order, and what its classifier is going to see.
    pub(crate) fn layer(
        self,
        home: &str,
        other: &str,
        classifier: impl Classify,
    ) -> (FailoverLayer, Seen) {
        let short = Duration::from_millis(1);
        let (recorder, seen) = Recorder::new(classifier);
        // Short only where it is meant to pass, or a busy machine would fail the others.
        let attempt = match self {
            BlackHole => Duration::from_millis(200),
            _ => Duration::from_secs(10),
        };
        let total = (self == Deadline).then_some(Duration::from_millis(200));
        let regions = Regions::named([("home", home), ("other", other)]).unwrap();
        let layer = FailoverLayer::new(regions)
            .backoff(Backoff::exponential(short, short))
            .attempt_timeout(attempt)
            .total_timeout(total)
            .max_replay_body(KEPT)
            .classifier(recorder);
        (layer, seen)
    }

    /// As the page on failures names it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Healthy => "nothing",
            Refused => "connection refused, request not replayable",
            Unavailable => "region not available",
            ResetReplayable => "reset after sending",
            ResetOnce => "reset after sending, request not replayable",
            BlackHole => "no answer within the attempt timeout",
            LongUpload => "region not available, after more of an upload than is kept",
            CutBody => "body cut short",
            Deadline => "no answer within the total timeout",
        }
    }
}

/// How a call ended for its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With an answer of this region that is no failure, read to its end.
    Answer(String),
    /// With such an answer whose body ended early, by an error.
    Cut(String),
    /// With this region's answer that it is not available.
    Unavailable(String),
    /// With an error of the layer: its kind, or the code of the status that it became.
    Error(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(region) => write!(f, "answer of `{region}`"),
            Self::Cut(region) => write!(f, "answer of `{region}`, then the error of its body"),
            Self::Unavailable(region) => write!(f, "`{region}`'s answer, as it is"),
            Self::Error(kind) => write!(f, "error: {kind}"),
        }
    }
}

impl End {
    /// With this error of the layer.
    pub(crate) fn failed(error: &Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::NeverSent => "never sent",
            ErrorKind::Unknown => "unknown",
            ErrorKind::Timeout => "timeout",
            kind => panic!("{kind:?}"),
        };
        Self::Error(kind.to_owned())
    }
}

/// What the caller, the classifier and the servers saw of one call.
#[derive(Debug)]
pub(crate) struct Play {
    pub(crate) end: End,
    /// From `Served` or the error; none where the first answer of `home` was the last.
    pub(crate) attempts: Vec<AttemptRecord>,
    pub(crate) seen: Seen,
    /// How many requests reached `home` and `other`.
    pub(crate) hits: (usize, usize),
}

/// A client stack.
pub(crate) trait Stack {
    /// As the page on failures names it.
    const NAME: &'static str;
    /// How it says that a call's time is over.
    const TIMEOUT: &'static str = "timeout";

    /// Plays a scenario between two regions of its own.
    async fn play(scenario: Scenario) -> Play;
}

/// Plays all scenarios, each of which goes as it has to.
pub(crate) async fn check_all<S: Stack>() {
    for scenario in SCENARIOS {
        check::<S>(scenario).await;
    }
}

/// Plays a scenario, and makes sure that it goes as it has to.
pub(crate) async fn check<S: Stack>(scenario: Scenario) -> Play {
    let play = tokio::time::timeout(Duration::from_secs(20), S::play(scenario))
        .await
        .unwrap_or_else(|_| panic!("{}, {scenario:?}: no end", S::NAME));
    let what = format!("{}, {scenario:?}: {play:?}", S::NAME);
    let (home, other) = ("home".to_owned(), "other".to_owned());
    let (end, hits) = match scenario {
        Healthy => (End::Answer(home), (1, 0)),
        Refused => (End::Answer(other), (0, 1)),
        Unavailable | ResetReplayable | BlackHole => (End::Answer(other), (1, 1)),
        LongUpload => (End::Unavailable(home), (1, 0)),
        CutBody => (End::Cut(home), (1, 0)),
        Deadline => (End::Error(S::TIMEOUT.to_owned()), (1, 0)),
        ResetOnce => {
            assert!(matches!(play.end, End::Error(_)), "{what}");
            (play.end.clone(), (1, 0))
        }
    };
    assert_eq!(play.end, end, "{what}");
    assert_eq!(play.hits, hits, "{what}");
    let first = play.attempts.first();
    let kind = first.and_then(AttemptRecord::failure);
    let reason = first.map(AttemptRecord::reason);
    match scenario {
        Refused => {
            assert_eq!(kind, Some(FailureKind::NeverSent), "{what}");
            assert_eq!(reason, Some(Reason::Refused), "{what}");
        }
        ResetReplayable | ResetOnce => {
            assert_eq!(kind, Some(FailureKind::Unknown), "{what}");
            assert_eq!(reason, Some(Reason::Reset), "{what}");
        }
        BlackHole => {
            assert_eq!(kind, Some(FailureKind::Unknown), "{what}");
            assert_eq!(reason, Some(Reason::AttemptTimeout), "{what}");
        }
        Healthy | Unavailable | LongUpload | CutBody | Deadline => {}
    }
    play
}
