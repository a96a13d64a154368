//! Arithmetic of times that never panics: settings may be as large as a `Duration` can be.

use std::time::Duration;

use tokio::time::Instant;

/// The time after a wait.
pub(crate) fn after(now: Instant, wait: Duration) -> Instant {
    // An instant that the clock cannot express is one nobody will live to see; any far one does.
    now.checked_add(wait)
        .unwrap_or_else(|| now + Duration::from_secs(30 * 365 * 24 * 3600))
}

/// A share of a time, or a multiple.
pub(crate) fn scaled(time: Duration, factor: f64) -> Duration {
    // Not `mul_f64`, which panics where the product is rounded up beyond `Duration::MAX`.
    Duration::try_from_secs_f64(time.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_too_long() {
        for factor in [0.9, 1.0, 1.5] {
            assert!(scaled(Duration::MAX, factor) > Duration::from_secs(1));
        }
        assert_eq!(scaled(Duration::MAX, 1.5), Duration::MAX);
        assert_eq!(scaled(Duration::from_secs(4), 0.25), Duration::from_secs(1));
        let now = Instant::now();
        assert!(after(now, Duration::MAX) > after(now, Duration::from_secs(3600)));
    }
}
