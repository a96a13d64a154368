use std::{num::NonZeroU32, time::Duration};

use super::{Forgive, Limits, Settings};
use crate::backoff::{Backoff, Jitter};

const S: Duration = Duration::from_secs(1);

fn limits(file: &str) -> Limits {
    let settings: Settings = toml::from_str(file).unwrap();
    settings.limits().unwrap()
}

/// The field by which no supervisor can go, and what is said of it.
fn refused(settings: &Settings) -> (String, String) {
    let error = settings.limits().unwrap_err();
    assert_eq!(settings.clone().validate(), Err(error.clone()));
    (error.field().to_owned(), error.to_string())
}

#[test]
fn the_defaults_are_those_that_the_setters_name() {
    let defaults = Limits {
        backoff: Backoff::exponential(S, 30 * S)
            .factor(2.0)
            .jitter(Jitter::Full),
        healthy_after: 10 * S,
        attempt_timeout: 30 * S,
        give_up_after: None,
        per_target_attempts: NonZeroU32::new(3),
        total_attempts: None,
        resume_window: None,
        exclusion_ttl: 60 * S,
        forgive: Forgive::OnHealthy,
        drain: 10 * S,
        close_timeout: 5 * S,
    };
    assert_eq!(Settings::new().limits(), Ok(defaults.clone()));
    assert_eq!(limits(""), defaults);
}

#[test]
fn what_is_set_takes_the_place_of_the_defaults() {
    let set = Settings::new()
        .backoff(
            Backoff::exponential(2 * S, 4 * S)
                .factor(3.0)
                .jitter(Jitter::None),
        )
        .healthy_after(3 * S)
        .attempt_timeout(S)
        .give_up_after(5 * S)
        .per_target_attempts(6)
        .total_attempts(7)
        .resume_window(8 * S)
        .exclusion_ttl(9 * S)
        .forgive(Forgive::OnConnect)
        .drain(11 * S)
        .close_timeout(12 * S);
    let expected = Limits {
        backoff: Backoff::exponential(2 * S, 4 * S)
            .factor(3.0)
            .jitter(Jitter::None),
        healthy_after: 3 * S,
        attempt_timeout: S,
        give_up_after: Some(5 * S),
        per_target_attempts: NonZeroU32::new(6),
        total_attempts: NonZeroU32::new(7),
        resume_window: Some(8 * S),
        exclusion_ttl: 9 * S,
        forgive: Forgive::OnConnect,
        drain: 11 * S,
        close_timeout: 12 * S,
    };
    assert_eq!(set.limits().unwrap(), expected);
    // Also by way of a file, and under settings that say nothing.
    assert_eq!(limits(&toml::to_string(&set).unwrap()), expected);
    assert_eq!(Settings::new().or(set).limits().unwrap(), expected);
}

#[test]
fn the_numbers_of_another_system_leave_three_dials_in_its_window() {
    // M03 and M09: a window of 10 s, with dials bounded by 30 s if nothing else did.
    let moq = limits(
        r#"
        give_up_after = "10s"
        [backoff]
        base = "1s"
        factor = 2
        cap = "5s"
        "#,
    );
    assert_eq!(moq.backoff, Backoff::exponential(S, 5 * S));
    assert_eq!(moq.give_up_after, Some(10 * S));
    assert_eq!(moq.attempt_timeout, 10 * S / 3);
}

#[test]
fn an_attempt_gets_a_third_of_the_window_and_no_more_than_thirty_seconds() {
    for (window, timeout) in [
        ("0s", 30 * S),
        ("1h", 30 * S),
        ("90s", 30 * S),
        ("30s", 10 * S),
        ("1ns", S / 1000),
    ] {
        let limits = limits(&format!("give_up_after = {window:?}"));
        assert_eq!(limits.attempt_timeout, timeout, "{window}");
    }
    let own = limits("give_up_after = \"10s\"\nattempt_timeout = \"20s\"");
    assert_eq!(own.attempt_timeout, 10 * S / 3);
    let own = limits("give_up_after = \"10s\"\nattempt_timeout = \"2s\"");
    assert_eq!(own.attempt_timeout, 2 * S);
}

#[test]
fn a_retry_without_a_pause_is_refused_and_one_without_growth_is_not() {
    // M01.
    for (file, field) in [
        ("backoff.base = \"0s\"", "backoff.base"),
        ("backoff.cap = \"0s\"", "backoff.cap"),
    ] {
        let (refused, said) = refused(&toml::from_str(file).unwrap());
        assert_eq!(refused, field);
        assert!(
            said.starts_with(&format!("{field} may not be zero: ")),
            "{said}"
        );
    }
    let error = toml::from_str::<Settings>("backoff.factor = 0").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("0 is not a number of at least 1"),
        "{error}"
    );
    let even = limits("give_up_after = \"0s\"\nbackoff.factor = 1");
    assert_eq!(even.give_up_after, None);
    assert_eq!(even.backoff, Backoff::exponential(S, 30 * S).factor(1.0));
    // By the setter as well.
    let unpaced = Settings::new().backoff(Backoff::exponential(Duration::ZERO, S));
    assert_eq!(refused(&unpaced).0, "backoff.base");
}

#[test]
fn times_that_may_not_be_zero_are_refused_by_name() {
    for field in ["healthy_after", "attempt_timeout", "exclusion_ttl"] {
        let (refused, said) = refused(&toml::from_str(&format!("{field} = \"0s\"")).unwrap());
        assert_eq!(refused, field);
        assert!(said.starts_with(field), "{said}");
    }
}

#[test]
fn zero_is_none_or_nothing_elsewhere() {
    let zeros = limits(
        r#"
        give_up_after = "0s"
        per_target_attempts = 0
        total_attempts = 0
        resume_window = "0s"
        drain = "0s"
        close_timeout = "0s"
        "#,
    );
    assert_eq!(zeros.give_up_after, None);
    assert_eq!(zeros.per_target_attempts, None);
    assert_eq!(zeros.total_attempts, None);
    assert_eq!(zeros.resume_window, None);
    assert_eq!(zeros.drain, Duration::ZERO);
    assert_eq!(zeros.close_timeout, Duration::ZERO);
    // A setting that says "none" is set: it wins over one below it.
    let none = Settings::new().give_up_after(None);
    let five = Settings::new().give_up_after(5 * S);
    assert_eq!(none.or(five).limits().unwrap().give_up_after, None);
}

#[test]
fn a_cap_that_is_not_set_does_not_shorten_the_base_that_is() {
    let base = limits("backoff.base = \"2m\"");
    assert_eq!(base.backoff, Backoff::exponential(120 * S, 120 * S));
    let cap = limits("backoff.cap = \"500ms\"");
    assert_eq!(cap.backoff, Backoff::exponential(S, S / 2));
}

#[cfg(feature = "clap")]
#[test]
fn the_help_names_the_defaults_that_hold() {
    use clap::{Args as _, Command, FromArgMatches as _};

    let command = Settings::augment_args(Command::new("program"));
    let mut compared = 0;
    for arg in command.get_arguments() {
        let flag = arg.get_long().unwrap();
        let help = arg.get_help().unwrap().to_string();
        let (_, default) = help.split_once("[default: ").unwrap();
        let default = default.strip_suffix(']').unwrap();
        // It depends.
        if flag == "session-attempt-timeout" {
            continue;
        }
        let given = ["program".to_owned(), format!("--{flag}={default}")];
        let matches = command.clone().try_get_matches_from(given).unwrap();
        let settings = Settings::from_arg_matches(&matches).unwrap();
        assert_ne!(settings, Settings::new(), "{flag}");
        assert_eq!(settings.limits(), Settings::new().limits(), "{flag}");
        compared += 1;
    }
    assert_eq!(compared, 13);
}
