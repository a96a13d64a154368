use std::{error::Error as StdError, fmt, time::Duration};

use http::{Method, uri::PathAndQuery};

use crate::{
    backoff::{Backoff, Jitter},
    report,
    time::scaled,
};

/// How long a probe may take: a slower answer than this is no sign of health.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// The shortest wait before a probe. Without one an address that refuses at once would be asked
/// without pause.
const MIN_WAIT: Duration = Duration::from_millis(10);
/// The share of its traffic that a region gets when it is back.
const FIRST_SHARE: f64 = 0.1;

/// What makes a region pass as failed, and how it comes back.
///
/// Outcomes are remembered per region and shared by all clones of a layer. A connect failure ejects
/// a region at once; `502`, `503`, `504`, resets and timeouts do so when
/// [`consecutive`](Self::consecutive) of them follow each other. Any other status of 500 or above that
/// is a failure, or an error that is not recognised, counts only if it came from another path than the
/// last one, so that one request that always fails ejects nothing. A success clears the record.
///
/// An ejected region is passed over, unless all are out: then the order counts again, for a dead end
/// is worse than a try. No call is spent on finding out whether it is back. While a region is out,
/// and only then, one background task per layer [probes](Self::probe) it through the wrapped client,
/// [now and then](Self::probe_every). Any answer below 500 is a sign of life, save for gRPC's
/// `UNAVAILABLE`; traffic then comes home over a [ramp](Self::ramp). A failure that counts ejects the
/// region again on the ramp, for longer, unless ten calls succeeded there for it.
///
/// The task runs on the Tokio runtime of the call that began it, with the settings and the client of
/// that call's layer. It ends with the last ejection, or with the last clone of the layer and of the
/// services made by it. A region without another that calls could go to is not probed: they go there
/// all the same.
///
/// # Defaults
///
/// Two in a row; `HEAD /` every 2 s, growing to every 15 s while the region stays down; home over 10 s.
#[derive(Clone, Debug)]
#[must_use]
pub struct Health {
    /// From one probe to the next; `None` remembers nothing.
    rhythm: Option<Backoff>,
    consecutive: u32,
    ramp: Duration,
    method: Method,
    path: PathAndQuery,
    is_invalid: bool,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            rhythm: Some(rhythm(Duration::from_secs(2), Duration::from_secs(15))),
            consecutive: 2,
            ramp: Duration::from_secs(10),
            method: Method::HEAD,
            path: PathAndQuery::from_static("/"),
            is_invalid: false,
        }
    }
}

impl Health {
    /// Remembers nothing and probes nothing: every call starts at home, save where a region is
    /// ejected by [`Handle::eject`](crate::Handle::eject).
    pub fn off() -> Self {
        Self {
            rhythm: None,
            ..Self::default()
        }
    }

    /// Sets how many counted failures in a row eject a region; 0 reads as 1.
    ///
    /// # Defaults
    ///
    /// 2: a single failure may be chance, and each further one costs a caller an attempt.
    pub fn consecutive(mut self, failures: u32) -> Self {
        self.consecutive = failures.max(1);
        self
    }

    /// Sets the request that finds out whether a region is back, by method and path (with a query, if
    /// need be).
    ///
    /// It goes through the wrapped client, and carries nothing of any caller: no header, no
    /// credentials, no body. What a layer inside adds to each request it adds to this one too.
    ///
    /// Any answer below 500 within 2 s is a sign of life (within the longest wait of
    /// [`probe_every`](Self::probe_every) where that is shorter, but not less than 0.5 s), `404` and
    /// `401` as well, so a path that is not served does as long as it is the service that says so. Where
    /// a gateway answers by itself, name a path that it passes on.
    ///
    /// A path that does not begin with a slash, and the method `CONNECT`, are refused: that is logged,
    /// [`validate`](Self::validate) says so, and the setting stays as it was.
    ///
    /// # Defaults
    ///
    /// `HEAD /`: every HTTP server has an answer to it, and it is a short one.
    pub fn probe(mut self, method: Method, path: &str) -> Self {
        let parsed = Some(path).filter(|path| path.starts_with('/'));
        match parsed.and_then(|path| path.parse().ok()) {
            Some(path) if method != Method::CONNECT => {
                self.method = method;
                self.path = path;
            }
            _ => {
                self.is_invalid = true;
                report::probe_refused();
            }
        }
        self
    }

    /// Sets how long an ejected region is left alone before it is probed: `min` at first, doubling up
    /// to `max` while it stays down. Each wait is made shorter or longer by up to a third, at random, so
    /// that clients do not return together; none is shorter than 10 ms. A region that fails again
    /// within `max`, or on its [ramp](Self::ramp), goes on where it stood.
    ///
    /// After the first of an ejection, probes are paid from the [`Budget`](crate::Budget) as long as it
    /// stays half full. When it cannot spare a token, one probe in twice `max` is sent for all regions
    /// together: in an outage of all of them, probes are load too. While all are out the calls
    /// themselves find out about the region that they follow the order to. `max` also bounds what a
    /// `Retry-After` can ask for; that time is made longer by up to a third.
    ///
    /// No effect after [`off`](Self::off).
    ///
    /// # Defaults
    ///
    /// 2 s and 15 s: short enough that traffic is home soon, rare enough to be no load: 10,000
    /// clients of a dead region send it 667 probes a second.
    pub fn probe_every(mut self, min: Duration, max: Duration) -> Self {
        if self.rhythm.is_some() {
            self.rhythm = Some(rhythm(min, max));
        }
        self
    }

    /// Sets the time over which the calls of a region that is back return to it: a tenth of them at
    /// once, then evenly more. Zero brings them back at once.
    ///
    /// # Defaults
    ///
    /// 10 s: a region that has just started is not met by everything at once.
    pub fn ramp(mut self, ramp: Duration) -> Self {
        self.ramp = ramp;
        self
    }

    /// Says whether a setting was refused.
    ///
    /// # Errors
    ///
    /// When [`probe`](Self::probe) was given what cannot be sent.
    pub fn validate(&self) -> Result<(), InvalidProbe> {
        match self.is_invalid {
            true => Err(InvalidProbe(())),
            false => Ok(()),
        }
    }

    pub(crate) fn is_off(&self) -> bool {
        self.rhythm.is_none()
    }

    /// The shortest and the longest wait before a probe, on average.
    pub(crate) fn probe_waits(&self) -> Option<(Duration, Duration)> {
        self.rhythm.map(|rhythm| (rhythm.base(), rhythm.cap()))
    }

    /// How many failures in a row are enough.
    pub(super) fn enough(&self) -> u32 {
        self.consecutive
    }

    /// The wait before the next probe of a region that has failed so often since it was last well.
    pub(super) fn wait(&self, failed: u32) -> Duration {
        let wait = self.rhythm.map_or(Duration::ZERO, |rhythm| {
            rhythm.delay(failed.saturating_add(1), 0.0)
        });
        jittered(wait)
    }

    /// The longest wait before a probe, on average.
    pub(crate) fn longest_wait(&self) -> Duration {
        self.rhythm.map_or(Duration::ZERO, |rhythm| rhythm.cap())
    }

    /// From one probe to the next for which the budget has no token. When all regions are overloaded
    /// it is on all probes that it has none, and at a call a second from each client a probe in 15 s is
    /// load enough to keep them so for half as long again.
    pub(crate) fn unpaid(&self) -> Duration {
        jittered(self.longest_wait().saturating_mul(2))
    }

    /// How long a region is left alone that asks for this. Not less, but not all clients for the same
    /// time; and not for ever.
    pub(super) fn rest(&self, wish: Duration) -> Duration {
        let wait = wish.min(self.longest_wait());
        scaled(wait, 1.0 + fastrand::f64() / 3.0)
    }

    /// For how long after its return a region that fails again counts as the same trouble.
    pub(super) fn trial(&self) -> Duration {
        self.ramp.max(self.longest_wait())
    }

    pub(super) fn ramp_time(&self) -> Duration {
        self.ramp
    }

    /// The share of its traffic that a region gets so long after it came back.
    pub(super) fn share(&self, back: Duration) -> f64 {
        if back >= self.ramp {
            return 1.0;
        }
        FIRST_SHARE + (1.0 - FIRST_SHARE) * back.as_secs_f64() / self.ramp.as_secs_f64()
    }

    pub(crate) fn probe_timeout(&self) -> Duration {
        self.longest_wait().clamp(PROBE_TIMEOUT / 4, PROBE_TIMEOUT)
    }

    pub(crate) fn probe_request(&self) -> (&Method, &PathAndQuery) {
        (&self.method, &self.path)
    }
}

fn rhythm(min: Duration, max: Duration) -> Backoff {
    Backoff::exponential(min, max).jitter(Jitter::None)
}

/// The wait, made shorter or longer by up to a third: a region that is back is then home within 30 s
/// by the defaults, and on average the wait is the one that was set.
fn jittered(wait: Duration) -> Duration {
    scaled(wait, (2.0 + 2.0 * fastrand::f64()) / 3.0).max(MIN_WAIT)
}

/// A probe that cannot be sent: its path does not begin with a slash or is no URI's, or its method
/// is `CONNECT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidProbe(());

impl fmt::Display for InvalidProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the path of a probe begins with a slash and is a URI's; its method is not CONNECT",
        )
    }
}

impl StdError for InvalidProbe {}
