use std::time::Duration;

use tower_failover::{Backoff, Settings, session};

#[test]
fn the_extremes_are_read_as_they_were_written() {
    for time in [
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_nanos(999_999_999),
        Duration::from_millis(1500),
        Duration::from_secs(u64::MAX),
        Duration::MAX,
    ] {
        for factor in [1.0, 1.0 + f64::EPSILON, f64::MAX, f64::NAN, f64::INFINITY] {
            let backoff = Backoff::exponential(time, Duration::MAX).factor(factor);
            let set = session::Settings::new().backoff(backoff).drain(time);
            let json = serde_json::to_string(&set).unwrap();
            assert_eq!(
                serde_json::from_str::<session::Settings>(&json).unwrap(),
                set
            );
            let toml = toml::to_string(&set).unwrap();
            assert_eq!(toml::from_str::<session::Settings>(&toml).unwrap(), set);
        }
    }
}

#[test]
fn a_duration_may_be_several_with_space_between_them_or_none() {
    let hour = Settings::new().attempt_timeout(Duration::from_millis(5_400_500));
    for text in [
        "1h 30m 500ms",
        "1h30m500ms",
        " 1 h  30min\t0.5 s ",
        "5400500 ms",
    ] {
        let toml = format!("attempt_timeout = {text:?}");
        assert_eq!(toml::from_str::<Settings>(&toml).unwrap(), hour, "{text}");
    }
}
