//! Calls that answer when a phone is picked up: to make one again is to dial again.

use super::{clock::*, *};

const DIALS: [&str; 3] = [
    SIP,
    "livekit.SIP/TransferSIPParticipant",
    "livekit.Connector/AcceptWhatsAppCall",
];

const OTHERS: [&str; 7] = [
    ROOMS,
    "livekit.SIP/CreateSIPOutboundTrunk",
    "livekit.SIP/PreCreateSIPParticipant",
    "livekit.SIP/CreateSIPParticipants",
    "livekit.SIP/createsipparticipant",
    "livekit.Connector/DialWhatsAppCall",
    "livekit.RoomService/CreateRoom?for=/CreateSIPParticipant",
];

/// Home never answers: when the call is made in the next region.
async fn left_after(method: &str, layer: &FailoverLayer, own: Override) -> Duration {
    let course = course_of(method, layer, &net(&[Act::Hang]), own).await;
    assert_eq!(course.result.unwrap(), 200, "{method}");
    assert_eq!(course.begun.len(), 2, "{method}");
    course.begun[1]
}

/// As long as the attempt timeout, and the wait between attempts.
#[track_caller]
fn assert_left(left: Duration, timeout: Duration, method: &str) {
    let most = timeout + millis(200) + 2 * ROUNDING;
    assert!((timeout..=most).contains(&left), "{method}: {left:?}");
}

/// Home answers after that long: how often the call is made, and how long it takes.
async fn picked_up(
    after_: Duration,
    method: &str,
    layer: &FailoverLayer,
    own: Override,
) -> (usize, Duration) {
    let net = net(&[after(after_, Act::Status(200))]);
    let course = course_of(method, layer, &net, own).await;
    assert_eq!(course.result.unwrap(), 200, "{method}");
    (course.begun.len(), course.took)
}

#[tokio::test(start_paused = true)]
async fn f1_a_phone_that_rings_for_11_s_or_nearly_32_is_dialled_once() {
    for method in DIALS {
        for ring in [secs(11), millis(31_900)] {
            let layer = FailoverLayer::livekit();
            let (dialled, took) = picked_up(ring, method, &layer, NO_OVERRIDE).await;
            assert_eq!((dialled, took), (1, ring), "{method}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn f1_a_phone_that_nobody_picks_up_in_32_s_is_dialled_in_the_next_region() {
    for method in DIALS {
        let layer = FailoverLayer::livekit();
        let left = left_after(method, &layer, NO_OVERRIDE).await;
        assert_left(left, secs(32), method);
    }
}

#[tokio::test(start_paused = true)]
async fn f4_a_call_that_has_3_s_ends_with_them_and_dials_once() {
    let own = Override::new().total_timeout(secs(3));
    for method in DIALS {
        let net = net(&[after(secs(4), Act::Status(200))]);
        let course = course_of(method, &FailoverLayer::livekit(), &net, own).await;
        assert_eq!(course.result.unwrap_err().kind(), ErrorKind::Timeout);
        assert!((secs(3)..=secs(3) + ROUNDING).contains(&course.took));
        assert_eq!((course.begun.len(), net.asked().len()), (1, 0), "{method}");

        let ring = millis(200);
        let dialled = picked_up(ring, method, &FailoverLayer::livekit(), own).await;
        assert_eq!(dialled, (1, ring), "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_that_fails_a_call_that_dials_is_left_at_once() {
    for act in [Act::Status(503), Act::Refuse] {
        let net = net(&[act]);
        let course = course_of(SIP, &FailoverLayer::livekit(), &net, NO_OVERRIDE).await;
        assert_eq!(course.result.unwrap(), 200);
        assert_left(course.begun[1], Duration::ZERO, SIP);
    }
}

#[tokio::test(start_paused = true)]
async fn other_methods_have_10_s() {
    for method in OTHERS {
        let layer = FailoverLayer::livekit();
        let (called, _) = picked_up(secs(11), method, &layer, NO_OVERRIDE).await;
        assert_eq!(called, 2, "{method}");
        let left = left_after(method, &layer, NO_OVERRIDE).await;
        assert_left(left, secs(10), method);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_timeout_of_the_calls_own_wins() {
    for timeout in [secs(3), secs(10), secs(47)] {
        let own = Override::new().attempt_timeout(timeout);
        for method in [SIP, ROOMS] {
            let left = left_after(method, &FailoverLayer::livekit(), own).await;
            assert_left(left, timeout, method);
        }
    }
    let own = Override::new().attempt_timeout(None);
    let dialled = picked_up(secs(90), SIP, &FailoverLayer::livekit(), own).await;
    assert_eq!(dialled, (1, secs(90)));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_timeout_that_is_set_on_the_layer_later_is_lengthened_to_32_s_and_no_shorter() {
    for (set, dials, others) in [(20, 32, 20), (1, 32, 1), (32, 32, 32), (45, 45, 45)] {
        let layer = FailoverLayer::livekit().attempt_timeout(secs(set));
        for (method, expected) in [(SIP, dials), (ROOMS, others)] {
            let left = left_after(method, &layer, NO_OVERRIDE).await;
            assert_left(left, secs(expected), method);
        }
    }
    let layer = FailoverLayer::livekit().attempt_timeout(None);
    for method in [SIP, ROOMS] {
        let called = picked_up(secs(90), method, &layer, NO_OVERRIDE).await;
        assert_eq!(called, (1, secs(90)), "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_preset_knows_of_calls_that_dial() {
    let layer = layer().replay(tower_failover::Replay::Always);
    let left = left_after(SIP, &layer, NO_OVERRIDE).await;
    assert_left(left, secs(5), SIP);
}
