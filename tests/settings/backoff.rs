use std::time::Duration;

use proptest::prelude::*;
use tower_failover::{Backoff, Jitter};

const MS: Duration = Duration::from_millis(1);

fn read(file: &str) -> Backoff {
    toml::from_str(file).unwrap()
}

#[test]
fn it_is_read_with_its_own_defaults() {
    assert_eq!(read(""), Backoff::default());
    assert_eq!(
        read("base = \"50ms\"\njitter = \"equal\""),
        Backoff::exponential(50 * MS, 2000 * MS).jitter(Jitter::Equal)
    );
    assert_eq!(
        read("factor = 3"),
        Backoff::exponential(100 * MS, 2000 * MS).factor(3.0)
    );
    assert_eq!(
        read("base = \"5s\""),
        Backoff::exponential(5000 * MS, 5000 * MS)
    );
}

#[test]
fn growth_saturates_before_the_cap_is_applied() {
    // M02. The longest time there is, as it is written.
    let longest = humantime::format_duration(Duration::MAX);
    let backoff = read(&format!(
        "base = \"{longest}\"\ncap = \"{longest}\"\nfactor = {}\njitter = \"none\"",
        u32::MAX
    ));
    let waits: Vec<_> = backoff.delays(0).take(3).collect();
    assert_eq!(waits, [Duration::MAX; 3]);
}

#[test]
fn waits_grow_to_the_cap() {
    // M25, the half about growth.
    let backoff = read("base = \"100ms\"\ncap = \"400ms\"\njitter = \"none\"");
    let waits: Vec<_> = backoff.delays(0).take(4).collect();
    assert_eq!(waits, [100 * MS, 200 * MS, 400 * MS, 400 * MS]);
}

#[test]
fn unknown_fields_are_refused() {
    let error = toml::from_str::<Backoff>("initial = \"1s\"").unwrap_err();
    assert!(
        error.to_string().contains("unknown field `initial`"),
        "{error}"
    );
}

#[test]
fn growth_without_bound_is_written_as_a_number() {
    let backoff = Backoff::default().factor(f64::INFINITY);
    assert_eq!(backoff, Backoff::default().factor(f64::MAX));
    let json = serde_json::to_string(&backoff).unwrap();
    assert_eq!(serde_json::from_str::<Backoff>(&json).unwrap(), backoff);
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(
        base: Duration,
        cap: Duration,
        factor in 1.0..f64::MAX,
        jitter in prop::sample::select(vec![Jitter::None, Jitter::Equal, Jitter::Full]),
    ) {
        let backoff = Backoff::exponential(base, cap).factor(factor).jitter(jitter);
        prop_assert_eq!(read(&toml::to_string(&backoff).unwrap()), backoff);
    }
}
