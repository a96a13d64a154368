//! The addresses it has, one after the other.

use std::time::Duration;

use tower_failover::{
    Regions,
    session::{ErrorKind, Settings},
};

use super::{classify, settings};
use crate::{
    support::{Play::*, SECOND, Script, regions},
    upstream::{dialed, start},
};

/// M26, M31: in their order.
#[tokio::test(start_paused = true)]
async fn it_walks_past_the_dead_addresses() {
    let script = Script::new([Refuse("dead"), Refuse("dead"), Up]);
    let settings = || settings().per_target_attempts(1);
    let handle = start(&script, regions("bca"), settings(), classify);
    let live = handle.established().await.unwrap();
    assert_eq!(live.region.name(), "a", "M26");
    assert_eq!(script.regions().concat(), "bca", "M26, M31");

    let script = Script::new([Refuse("dead")]);
    let handle = start(&script, regions("ba"), settings(), classify);
    let error = handle.closed().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GaveUp, "M26");
    let tried: String = error.tried().iter().map(|region| region.name()).collect();
    assert_eq!(tried, "ba", "M26, M31");
}

/// M31.
#[test]
fn there_is_no_list_without_an_address() {
    assert!(Regions::fixed([""; 0]).is_err(), "M31");
}

/// M28: a settled status ends the walk; another one does not.
#[tokio::test(start_paused = true)]
async fn a_settled_status_ends_the_walk() {
    for (status, dials) in [("404", "a"), ("503", "ab")] {
        let script = Script::new([Refuse(status), Refuse("401")]);
        let settings = settings().per_target_attempts(1);
        let handle = start(&script, regions("ab"), settings, classify);
        assert!(handle.closed().await.is_err());
        assert_eq!(script.regions().concat(), dials, "M28");
    }
}

/// M29: the window begins with the first failure, so a first dial does not spend it. Without one there
/// is no end.
#[tokio::test(start_paused = true)]
async fn only_a_redial_spends_the_window() {
    let set = |settings: Settings| settings.attempt_timeout(30 * SECOND);
    let script = Script::new([Hang]);
    let handle = start(&script, regions("a"), set(settings()), classify);
    let error = handle.closed().await.unwrap_err();
    // And none takes more than a third of it, whatever is set.
    assert_eq!(error.attempts(), 4, "M29");
    assert!((10 * SECOND..14 * SECOND).contains(&error.elapsed()), "M29");

    let script = Script::new([Refuse("503")]);
    let settings = settings().give_up_after(Duration::ZERO);
    let _handle = start(&script, regions("a"), settings, classify);
    dialed(&script, 200).await;
}

/// M30: an attempt has a third of the window, and 30 s at most, whichever address it goes to.
#[tokio::test(start_paused = true)]
async fn a_black_hole_costs_a_share_of_the_window() {
    for (window, share) in [
        (2, 666),
        (10, 3333),
        (60, 20_000),
        (0, 30_000),
        (3600, 30_000),
    ] {
        let script = Script::new([Hang, Hang, Up]);
        let settings = settings()
            .give_up_after(window * SECOND)
            .per_target_attempts(1);
        let handle = start(&script, regions("abc"), settings, classify);
        let live = handle.established().await.unwrap();
        assert_eq!(live.region.name(), "c", "M30");
        for dial in script.dials() {
            let time = dial.attempt.deadline - dial.at;
            assert_eq!(time.as_millis(), share, "M30");
        }
    }
}
