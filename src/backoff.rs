//! How long to wait before another attempt: a plain sequence of durations, no timer.

#[cfg(feature = "clap")]
mod args;
mod partial;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use self::partial::Partial;
use crate::time::scaled;

/// Waits that grow exponentially up to a cap, each shortened at random.
///
/// The wait before attempt n+1 is drawn from `min(cap, base * factor^(n-1))` by the [`Jitter`].
/// Every call draws for itself, so that calls that failed together do not return together.
///
/// # Defaults
///
/// 100 ms doubling up to 2 s, full jitter: the first replay is hardly felt, and a region that
/// suffers is not met by all its clients at the same moment (AWS Architecture Blog, "Exponential
/// Backoff And Jitter").
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_failover::{Backoff, Jitter};
///
/// let backoff = Backoff::exponential(Duration::from_millis(200), Duration::from_secs(1));
/// let waits: Vec<_> = backoff.jitter(Jitter::None).delays(0).take(4).collect();
/// assert_eq!(waits, [200, 400, 800, 1000].map(Duration::from_millis));
/// ```
///
/// # In files
///
/// It is read and written by serde, with the fields `base` and `cap` (such as `"250ms"`), `factor` and
/// `jitter`. A field that is not there has its default, save that a `cap` is then no less than the
/// `base` that is; one that is not known is refused, and so is a factor below 1.
///
/// ```
/// # use std::time::Duration;
/// # use tower_failover::Backoff;
/// let backoff: Backoff = serde_json::from_str(r#"{"base": "200ms", "cap": "1s"}"#)?;
/// assert_eq!(backoff, Backoff::exponential(Duration::from_millis(200), Duration::from_secs(1)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Partial", into = "Partial")]
#[must_use]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    factor: f64,
    jitter: Jitter,
}

/// Which part of a wait is left to chance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Jitter {
    /// Nothing: all clients wait alike. For tests.
    None,
    /// Half of it: between half of the wait and the whole.
    Equal,
    /// All of it: between nothing and the whole.
    #[default]
    Full,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::exponential(Duration::from_millis(100), Duration::from_secs(2))
    }
}

impl Backoff {
    /// Waits of at most `base` before the second attempt, doubling with each further one, and never
    /// more than `cap`.
    pub const fn exponential(base: Duration, cap: Duration) -> Self {
        Self {
            base,
            cap,
            factor: 2.0,
            jitter: Jitter::Full,
        }
    }

    /// Sets by what the wait grows from one attempt to the next. Anything that is not a number of
    /// at least 1 reads as 1, and infinity as the largest number there is.
    ///
    /// # Defaults
    ///
    /// 2.
    pub fn factor(mut self, factor: f64) -> Self {
        // `max` turns NaN into 1 as well, and JSON has no infinity to write.
        let factor = factor.max(1.0);
        self.factor = factor.min(f64::MAX);
        self
    }

    /// Sets the random part of the waits.
    ///
    /// # Defaults
    ///
    /// [`Jitter::Full`].
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// The waits one after the other, without end, from a generator with this seed.
    pub fn delays(self, seed: u64) -> impl Iterator<Item = Duration> {
        let mut rng = fastrand::Rng::with_seed(seed);
        (1..=u32::MAX)
            .chain(std::iter::repeat(u32::MAX))
            .map(move |n| self.delay(n, rng.f64()))
    }

    /// The wait after attempt `n`, for a `chance` drawn from `0.0..1.0`.
    pub(crate) fn delay(&self, n: u32, chance: f64) -> Duration {
        let ceiling = self.ceiling(n);
        let share = match self.jitter {
            Jitter::None => return ceiling,
            Jitter::Equal => 0.5 + chance / 2.0,
            Jitter::Full => chance,
        };
        scaled(ceiling, share).min(ceiling)
    }

    /// The most that the wait after attempt `n` can be.
    pub(crate) fn ceiling(&self, n: u32) -> Duration {
        let exponent = i32::try_from(n.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.base.as_secs_f64() * self.factor.powi(exponent);
        // Too large, infinite, or zero times infinity: base decides.
        match Duration::try_from_secs_f64(seconds) {
            Ok(wait) => wait.min(self.cap),
            Err(_) if self.base.is_zero() => Duration::ZERO,
            Err(_) => self.cap,
        }
    }

    pub(crate) fn base(&self) -> Duration {
        self.base
    }

    pub(crate) fn cap(&self) -> Duration {
        self.cap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn waits_double_up_to_the_cap() {
        let waits: Vec<_> = Backoff::exponential(100 * MS, 2000 * MS)
            .jitter(Jitter::None)
            .delays(7)
            .take(7)
            .collect();
        assert_eq!(
            waits,
            [100, 200, 400, 800, 1600, 2000, 2000].map(Duration::from_millis)
        );
    }

    #[test]
    fn extremes_saturate_at_the_cap() {
        for backoff in [
            Backoff::exponential(Duration::MAX, Duration::MAX),
            Backoff::exponential(MS, Duration::MAX).factor(f64::INFINITY),
            Backoff::exponential(MS, Duration::MAX).factor(f64::MAX),
        ] {
            for n in [0, 1, 2, 1000, u32::MAX] {
                for jitter in [Jitter::None, Jitter::Equal, Jitter::Full] {
                    for chance in [0.0, 0.5, 1.0 - f64::EPSILON / 2.0] {
                        let wait = backoff.jitter(jitter).delay(n, chance);
                        assert!(wait <= Duration::MAX);
                    }
                }
            }
            assert_eq!(
                backoff.jitter(Jitter::None).delay(u32::MAX, 0.0),
                Duration::MAX
            );
        }
    }

    #[test]
    fn nothing_grows_from_nothing() {
        let backoff = Backoff::exponential(Duration::ZERO, Duration::MAX).factor(f64::INFINITY);
        assert_eq!(backoff.jitter(Jitter::None).delay(9, 0.0), Duration::ZERO);
    }

    #[test]
    fn odd_factors_read_as_one() {
        for factor in [f64::NAN, f64::NEG_INFINITY, -1.0, 0.0, 0.5] {
            let backoff = Backoff::exponential(MS, 9 * MS)
                .factor(factor)
                .jitter(Jitter::None);
            assert_eq!(backoff.delay(5, 0.0), MS, "{factor}");
        }
    }

    #[test]
    fn full_jitter_is_uniform_and_on_average_half_of_the_ceiling() {
        let backoff = Backoff::exponential(1000 * MS, 1000 * MS);
        let waits: Vec<_> = backoff.delays(42).take(10_000).collect();
        assert!(waits.iter().all(|wait| *wait < 1000 * MS));
        let mut tenths = [0_i32; 10];
        for wait in &waits {
            tenths[wait.as_millis() as usize / 100] += 1;
        }
        // 1000 expected in each tenth, standard deviation 30.
        assert!(tenths.iter().all(|n| (n - 1000).abs() < 180), "{tenths:?}");
    }

    #[test]
    fn equal_jitter_keeps_half() {
        let backoff = Backoff::exponential(1000 * MS, 1000 * MS).jitter(Jitter::Equal);
        assert_eq!(backoff.delay(1, 0.0), 500 * MS);
        assert!(
            backoff
                .delays(1)
                .take(1000)
                .all(|w| (500 * MS..=1000 * MS).contains(&w))
        );
    }

    #[test]
    fn a_seed_gives_the_same_waits_and_another_seed_others() {
        let waits = |seed| Backoff::default().delays(seed).take(5).collect::<Vec<_>>();
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
    }
}
