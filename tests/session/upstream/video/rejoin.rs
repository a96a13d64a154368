//! What a later session tells the server of the one before it.

use tower::service_fn;
use tower_failover::{
    BoxError, Discovery, Query, RegionList, Regions,
    session::{Attempt, ErrorKind, Event, Phase, Step, Targets},
};

use super::{classify, settings};
use crate::{
    support::{Dial, Play::*, SECOND, Script, Token, regions, until},
    upstream::{dialed, start},
};

/// The part of the connector that fills in the request to join.
#[derive(Debug, Default, PartialEq)]
struct Details {
    previous_session: String,
    from: String,
    reason: String,
    /// Whether the session keeps its id.
    is_same: bool,
}

fn details(attempt: &Attempt<Token>) -> Details {
    let reason = attempt.cause.as_ref().and_then(|cause| cause.reason());
    let mut details = Details {
        reason: reason.unwrap_or_default().into(),
        ..Details::default()
    };
    match attempt.step {
        Step::Rejoin => {
            let previous = attempt.resume.map(|id| id.to_string());
            details.previous_session = previous.unwrap_or_default();
        }
        Step::Migrate => {
            let from = attempt.previous.as_ref();
            details.from = from.map_or("", |region| region.name()).into();
            details.is_same = attempt.resume.is_some();
        }
        _ => details.is_same = attempt.resume.is_some(),
    }
    details
}

/// A session with the id 1 ends like this after a healthy run, and the next attempts fail likewise.
async fn after(name: &'static str, failures: usize) -> Vec<Dial> {
    let plays = [UpFor(20 * SECOND, name)]
        .into_iter()
        .chain(vec![Refuse(name); failures])
        .chain([Up]);
    let script = Script::new(plays);
    let handle = start(&script, regions("abc"), settings(), classify);
    handle.established().await.unwrap();
    script.tell(0, Event::Resume(1));
    dialed(&script, 2 + failures).await;
    script.dials()
}

#[tokio::test(start_paused = true)]
async fn what_the_server_learns_of_the_session_before() {
    // S38: a rejoin is a new session. S39: what goes on is the same one.
    let rows = [
        ("S39, S40", "FAST", "", "", true),
        ("S38, S41", "REJOIN", "1", "", false),
        ("S42, S45", "MIGRATE", "", "a", true),
        ("S44", "EVENT_LOST", "", "", true),
    ];
    for (case, name, previous_session, from, is_same) in rows {
        let expected = Details {
            previous_session: previous_session.into(),
            from: from.into(),
            // S44: the reason comes along.
            reason: name.into(),
            is_same,
        };
        let dials = after(name, 0).await;
        assert_eq!(details(&dials[1].attempt), expected, "{case}");
    }
}

/// S43: there is no session before the first one. Nor is there one to name when a rejoin is made of
/// something less because its token is of no use any more.
#[tokio::test(start_paused = true)]
async fn a_rejoin_may_have_no_session_before_it() {
    let script = Script::new([Refuse("REJOIN"), Up]);
    let _handle = start(&script, regions("ab"), settings(), classify);
    dialed(&script, 2).await;
    let attempt = &script.dials()[1].attempt;
    assert_eq!(attempt.step, Step::Rejoin, "S43");
    assert_eq!(details(attempt).previous_session, "", "S43");

    // Its attempt takes all the 10 s there are.
    let script = Script::new([UpFor(20 * SECOND, "FAST"), Hang, Up]);
    let handle = start(&script, regions("ab"), settings(), classify);
    handle.established().await.unwrap();
    script.tell(0, Event::Resume(1));
    dialed(&script, 3).await;
    let dials = script.dials();
    assert_eq!(dials[1].attempt.step, Step::Resume);
    assert!(details(&dials[1].attempt).is_same);
    // S33, as upstream means it: after 10 s there is no fast reconnect any more.
    assert_eq!(dials[2].attempt.step, Step::Rejoin, "S33, S43");
    assert_eq!(details(&dials[2].attempt).previous_session, "", "S43");
}

/// The number that its servers are told: what the connector counts by the step.
#[tokio::test(start_paused = true)]
async fn only_new_places_and_new_sessions_count_as_reconnects() {
    let rows = [
        ("S35: FAST does not count", "FAST", 1, 0),
        ("S36: REJOIN counts", "REJOIN", 0, 1),
        ("S37: and adds up", "REJOIN", 1, 2),
        ("MIGRATE counts", "MIGRATE", 1, 2),
    ];
    for (case, name, failures, expected) in rows {
        let dials = after(name, failures).await;
        let steps = dials.iter().map(|dial| dial.attempt.step);
        assert_eq!(
            steps.filter(|step| *step >= Step::Migrate).count(),
            expected,
            "{case}"
        );
    }
}

/// S32, S34: a fast reconnect whose peer is stale becomes a rejoin, and that is no place to stay.
#[tokio::test(start_paused = true)]
async fn a_stale_peer_makes_it_rejoin() {
    let stale = UpFor(SECOND / 10, "PEER_STALE");
    let script = Script::new([UpFor(20 * SECOND, "FAST"), stale, Up]);
    let handle = start(&script, regions("ab"), settings(), classify);
    dialed(&script, 3).await;
    let steps: Vec<_> = script
        .dials()
        .iter()
        .map(|dial| dial.attempt.step)
        .collect();
    assert_eq!(steps, [Step::First, Step::Resume, Step::Rejoin], "S32");
    let connected = until(&mut handle.status(), Phase::Connected).await;
    assert_eq!(connected.epoch, 3, "S34");
}

/// S32: without a location the call ends.
#[tokio::test(start_paused = true)]
async fn a_rejoin_with_nowhere_to_go_is_the_end_if_the_classifier_says_so() {
    let coordinator = service_fn(|_: Query| async { Ok::<_, BoxError>(RegionList::new(vec![])) });
    let targets = Targets::from(Regions::discover(Discovery::service(coordinator)))
        .coordinator("https://coordinator.sfu.test")
        .unwrap();
    let script = Script::new([Up]);
    let handle = start(&script, targets, settings(), classify);
    let error = handle.closed().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed, "S32");
    assert_eq!(handle.status().borrow().phase, Phase::Stopped, "S32, S34");
    assert!(script.dials().is_empty());
}
