//! What holds for every session, whatever happens to it: random scripts of a connector.

mod check;
mod says;
mod scripts;
mod world;

use proptest::{prelude::*, test_runner::RngSeed};

use self::{
    check::{backed_off, given_up, sound},
    scripts::case,
    world::run,
};

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

proptest! {
    #![proptest_config(config())]

    #[test]
    fn attempts_are_bounded_by_the_backoff(case in case(false)) {
        let seen = run(&case);
        sound(&case, &seen)?;
        backed_off(&case, &seen)?;
        given_up(&case, &seen)?;
    }

    /// With kicks, which begin attempts out of turn, but no closer together than 50 ms.
    #[test]
    fn a_program_that_kicks_at_random_does_no_harm(case in case(true)) {
        let seen = run(&case);
        sound(&case, &seen)?;
    }
}
