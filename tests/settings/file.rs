use std::time::Duration;

use serde::de::DeserializeOwned;
use tower_failover::{Settings, session};

use super::support::{FILE, Program, config, file, keys, layer};

/// What is said of a file that is refused.
fn refused<T: DeserializeOwned>(text: &str) -> String {
    match toml::from_str::<T>(text) {
        Ok(_) => panic!("{text} is read"),
        Err(error) => error.to_string(),
    }
}

/// The names that are known where `table` stands, as the error for another one gives them.
fn known(table: &str) -> Vec<String> {
    let said = refused::<Program>(&format!("[{table}]\nunknown = 1"));
    let (_, names) = said.split_once("expected one of ").unwrap();
    let names = names.split(", ");
    names
        .map(|name| name.trim().trim_matches('`').to_owned())
        .collect()
}

#[test]
fn every_setting_there_is_stands_in_the_file_of_these_tests() {
    let file: toml::Table = FILE.parse().unwrap();
    for table in ["failover", "session"] {
        let file = file[table].as_table().unwrap();
        let mut known_here = known(table);
        known_here.sort();
        let mut written: Vec<_> = file.keys().cloned().collect();
        written.sort();
        assert_eq!(known_here, written, "{table}");
        for (key, inner) in file {
            let Some(inner) = inner.as_table() else {
                continue;
            };
            let mut known_here = known(&format!("{table}.{key}"));
            known_here.sort();
            let mut written: Vec<_> = inner.keys().cloned().collect();
            written.sort();
            assert_eq!(known_here, written, "{table}.{key}");
        }
    }
}

#[test]
fn every_setting_of_a_file_reaches_the_layer() {
    let all: toml::Table = FILE.parse().unwrap();
    for (table, key) in keys() {
        // What an answered call pays is not shown: see the tests of the budget's settings.
        if table == "session" || key == "budget.ratio" {
            continue;
        }
        let value = key
            .split('.')
            .fold(&all[&table], |value, name| &value[name]);
        let settings: Settings = toml::from_str(&format!("{key} = {value}")).unwrap();
        assert_ne!(layer(settings), layer(Settings::new()), "{key}");
    }
}

#[test]
fn the_setters_say_what_a_file_says() {
    let file: Settings = toml::from_str(
        r#"
        max_attempts = 7
        attempt_timeout = "7s"
        total_timeout = "0s"
        min_attempt_time = "70ms"
        replay = "never"
        max_replay_body = 77
        idempotency_key = "X-Seven"
        retry_same_region = false
        backoff = { base = "7ms", cap = "70ms", factor = 2.0, jitter = "full" }
        "#,
    )
    .unwrap();
    let set = Settings::new()
        .max_attempts(7)
        .attempt_timeout(Duration::from_secs(7))
        .total_timeout(None)
        .min_attempt_time(Duration::from_millis(70))
        .replay(tower_failover::Replay::Never)
        .max_replay_body(77)
        .idempotency_key(http::HeaderName::from_static("x-seven"))
        .retry_same_region(false)
        .backoff(tower_failover::Backoff::exponential(
            Duration::from_millis(7),
            Duration::from_millis(70),
        ));
    assert_eq!(file, set);
}

#[test]
fn what_a_file_does_not_say_stays_as_the_layer_has_it() {
    let regions = tower_failover::Regions::fixed(["https://eu.api.example.com"]).unwrap();
    let own = tower_failover::FailoverLayer::new(regions)
        .max_attempts(9)
        .attempt_timeout(Duration::from_secs(9))
        .backoff(tower_failover::Backoff::exponential(
            Duration::from_secs(9),
            Duration::from_secs(99),
        ))
        .health(tower_failover::Health::default().consecutive(9));
    let before = config(&own);
    assert_eq!(config(&own.clone().settings(Settings::new())), before);
    let settings = toml::from_str("backoff.base = \"7s\"\nhealth.ramp = \"7s\"").unwrap();
    let after = config(&own.settings(settings));
    assert_eq!(
        after,
        before
            .replacen("base: 9s", "base: 7s", 1)
            .replacen("ramp: 10s", "ramp: 7s", 1)
    );
    assert_ne!(after, before);
}

#[test]
fn zero_switches_a_timeout_off() {
    let set = |file: &str| layer(toml::from_str(file).unwrap());
    assert!(layer(Settings::new()).contains("attempt_timeout: Some(5s)"));
    assert!(set("attempt_timeout = \"0s\"").contains("attempt_timeout: None"));
    assert!(set("total_timeout = \"0s\"").contains("total_timeout: None"));
    assert!(set("total_timeout = \"9s\"").contains("total_timeout: Some(9s)"));
    // Over a file that switches it on.
    let settings = Settings::new().total_timeout(None);
    let file = toml::from_str("total_timeout = \"9s\"").unwrap();
    assert!(layer(settings.or(file)).contains("total_timeout: None"));
}

#[test]
fn a_wait_that_is_set_alone_is_not_cut_short() {
    let set = |file: &str| layer(toml::from_str(file).unwrap());
    assert!(set("backoff.base = \"9s\"").contains("Backoff { base: 9s, cap: 9s"));
    assert!(set("backoff.cap = \"50ms\"").contains("Backoff { base: 100ms, cap: 50ms"));
    assert!(set("health.probe_min = \"60s\"").contains("Backoff { base: 60s, cap: 60s"));
    assert!(set("health.probe_max = \"1s\"").contains("Backoff { base: 2s, cap: 1s"));
}

#[test]
fn what_was_read_is_written_as_it_was() {
    let read = file();
    let toml = toml::to_string(&read).unwrap();
    assert_eq!(toml.parse::<toml::Table>(), FILE.parse::<toml::Table>());
    assert_eq!(toml::from_str::<Program>(&toml).unwrap(), read);
    let json = serde_json::to_string(&read).unwrap();
    assert_eq!(serde_json::from_str::<Program>(&json).unwrap(), read);
    // Nothing of what was not set.
    assert_eq!(serde_json::to_string(&Settings::new()).unwrap(), "{}");
    assert_eq!(
        serde_json::to_string(&session::Settings::new()).unwrap(),
        "{}"
    );
}

#[test]
fn where_settings_are_flattened_serde_reads_over_names_that_are_not_known() {
    // As the docs say.
    #[derive(serde::Deserialize)]
    struct Program {
        name: String,
        #[serde(flatten)]
        session: session::Settings,
    }
    let file = "name = \"x\"\ndrain = \"1s\"\nbackoff.factor = 3\ndran = \"2s\"";
    let program: Program = toml::from_str(file).unwrap();
    assert_eq!(program.name, "x");
    let session = toml::from_str("drain = \"1s\"\nbackoff.factor = 3").unwrap();
    assert_eq!(program.session, session);
}

#[test]
fn names_that_are_not_known_are_refused() {
    for table in [
        "failover",
        "failover.backoff",
        "failover.budget",
        "failover.health",
        "session",
        "session.backoff",
    ] {
        let said = refused::<Program>(&format!("[{table}]\nattempt_timout = \"5s\""));
        assert!(
            said.contains("unknown field `attempt_timout`"),
            "{table}: {said}"
        );
    }
}

#[test]
fn values_that_no_setting_can_have_are_refused() {
    for (line, why) in [
        ("attempt_timeout = 5", "a duration such as \"250ms\""),
        ("attempt_timeout = \"5\"", "time unit needed"),
        ("attempt_timeout = \"\"", "value was empty"),
        ("attempt_timeout = \"-5s\"", "expected number"),
        ("attempt_timeout = \"5 parsecs\"", "unknown time unit"),
        ("attempt_timeout = \"99999999999999y\"", "too large"),
        // The longest time there is and a nanosecond, at which humantime 2.4 panics.
        (
            "attempt_timeout = \"18446744073709551615s 1000ms\"",
            "too large",
        ),
        (
            "attempt_timeout = \"307445734561825860m15s1000ms\"",
            "too large",
        ),
        ("max_attempts = -1", "invalid value"),
        ("max_attempts = 4294967296", "invalid value"),
        (
            "replay = \"Safe\"",
            "expected one of `safe`, `always`, `never`",
        ),
        (
            "idempotency_key = \"no header\"",
            "a header such as \"idempotency-key\"",
        ),
        ("hedge = \"p99\"", "\"50ms\", \"p95\" or \"off\""),
        ("backoff.factor = 0.9", "0.9 is not a number of at least 1"),
        ("backoff.factor = nan", "NaN is not a number of at least 1"),
        ("backoff.factor = inf", "inf is not a number of at least 1"),
        ("backoff.jitter = \"half\"", "unknown variant `half`"),
        ("budget.ratio = -0.1", "-0.1 is not a number of at least 0"),
        ("budget.ratio = inf", "inf is not a number of at least 0"),
        ("health.probe = \"/healthz\"", "no path"),
        ("health.probe = \"GET healthz\"", "slash"),
        ("health.probe = \"GET /a b\"", "not a URI's"),
        ("health.probe = \"G{T /\"", "no such method"),
        ("health.probe = \"CONNECT /\"", "tunnel"),
    ] {
        let said = refused::<Settings>(line);
        assert!(said.contains(why), "{line}: {said}");
        // And where it stands.
        assert!(said.contains(line), "{line}: {said}");
    }
    let said = refused::<session::Settings>("forgive = \"never\"");
    assert!(
        said.contains("expected `on-healthy` or `on-connect`"),
        "{said}"
    );
}

#[test]
fn a_probe_is_read_whatever_its_case() {
    let set = |file: &str| layer(toml::from_str(file).unwrap());
    let probe = set("health.probe = \"get  /healthz\"");
    assert!(
        probe.contains("method: GET") && probe.contains("/healthz"),
        "{probe}"
    );
}
