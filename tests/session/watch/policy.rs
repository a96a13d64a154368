//! What follows from what, as rows. Where the rows of the upstream system say "backoff", the wait is the
//! supervisor's.

use std::time::Duration;

use http::StatusCode;
use tower_failover::session::{
    Directive, Outcome,
    watch::{self, ConnectError, ConnectErrorKind as Kind, Exit, Lease, Lost, Policy},
};

const SECOND: Duration = Duration::from_secs(1);
const HALF_A_MINUTE: Duration = Duration::from_secs(30);

fn failed(kind: Kind, retry_after: Option<u64>) -> Directive {
    let wait = retry_after.map(Duration::from_secs);
    let error = ConnectError::new(kind).retry_later(wait);
    watch::classify::<()>(Outcome::ConnectFailed(&error))
}

fn ended(exit: Exit<&'static str>, healthy: bool) -> Directive {
    let ran = if healthy { 60 * SECOND } else { SECOND / 10 };
    watch::classify(Outcome::exited(&exit, ran, healthy))
}

fn retry_after(seconds: u64) -> Directive {
    Directive::retry().after(Duration::from_secs(seconds))
}

#[test]
fn f03_to_f07_failed_connects() {
    let status = |status| Kind::Status(StatusCode::from_u16(status).unwrap());
    let retry = Directive::retry;
    let conflict = || Directive::retry().after(HALF_A_MINUTE).drop_resume();
    for (row, kind, told, expected) in [
        ("F03", Kind::Unauthorized, None, Directive::fail()),
        (
            "F03, whatever else it says",
            Kind::Unauthorized,
            Some(5),
            Directive::fail(),
        ),
        ("F04", Kind::Conflict, None, conflict()),
        (
            "F04, FW7",
            Kind::Conflict,
            Some(5),
            retry_after(5).drop_resume(),
        ),
        ("F05", Kind::ContentType, None, retry_after(30)),
        ("F05, FW7", Kind::ContentType, Some(5), retry_after(5)),
        ("F05", Kind::Encoded, None, retry_after(30)),
        ("F06", Kind::Ended, None, retry()),
        ("F06", Kind::Broken, None, retry()),
        ("F06", Kind::Malformed, None, retry()),
        ("F06", Kind::Client, None, retry()),
        ("F06", status(404), None, retry()),
        ("F06", status(500), None, retry()),
        (
            "the lease is dead",
            status(410),
            None,
            retry().drop_resume(),
        ),
        ("FW7", status(429), Some(7), retry_after(7)),
        ("FW7", status(503), Some(0), retry_after(0)),
        ("FW7, too long", status(503), Some(86_400), retry_after(300)),
        ("never sent", Kind::Request, None, Directive::fail()),
    ] {
        assert_eq!(failed(kind.clone(), told), expected, "{row}: {kind:?}");
    }
    let timed_out = watch::classify::<()>(Outcome::TimedOut);
    assert_eq!(timed_out, retry(), "F07");
}

#[test]
fn f08_to_f18_ends_of_watches() {
    let done = || Exit::Done {
        value: "wake",
        lease: Lease::new("lease"),
    };
    let broken = || Exit::Broken("cut".into());
    let malformed = || Exit::Malformed("no JSON".into());
    let beat = Exit::Heartbeat;
    let soft = |why| Directive::resume().soft().because(why);
    let gone = Directive::resume().drop_resume().soft();
    let conflict = Directive::retry().after(HALF_A_MINUTE).drop_resume();
    let retry = || Directive::retry().because("stream broken");
    for (row, exit, healthy, expected) in [
        ("F08", done(), false, Directive::finish()),
        ("F09", Exit::ReadTimeout, false, soft("silence")),
        ("F10", Exit::Ended, false, soft("stream ended")),
        ("F11", broken(), true, soft("stream broken")),
        ("F12, F13", broken(), false, retry()),
        ("F11", malformed(), true, soft("stream broken")),
        ("F12, F13", malformed(), false, retry()),
        (
            "F14",
            beat(Lost::Conflict),
            true,
            conflict.because("lease conflict"),
        ),
        ("F15", beat(Lost::Gone), true, gone.because("lease gone")),
        (
            "F16",
            beat(Lost::Unauthorized),
            true,
            Directive::fail().because("unauthorized"),
        ),
        ("F17", beat(Lost::Missed), true, soft("heartbeats missed")),
        // F18: heartbeats cannot vanish, as they are part of the session.
    ] {
        let shown = format!("{exit:?}");
        assert_eq!(ended(exit, healthy), expected, "{row}: {shown}");
    }
}

#[test]
fn waits_can_be_set() {
    let policy = Policy::default()
        .conflict(SECOND)
        .content_type(2 * SECOND)
        .max_retry_after(3 * SECOND);
    let failed = |error: ConnectError| policy.classify::<()>(Outcome::ConnectFailed(&error));
    let conflict = retry_after(1).drop_resume();
    assert_eq!(failed(ConnectError::new(Kind::Conflict)), conflict);
    assert_eq!(failed(ConnectError::new(Kind::ContentType)), retry_after(2));
    let busy = ConnectError::new(Kind::Status(StatusCode::TOO_MANY_REQUESTS));
    assert_eq!(failed(busy.retry_later(9 * SECOND)), retry_after(3));
    let lost = Exit::<()>::Heartbeat(Lost::Conflict);
    let lost = policy.classify(Outcome::exited(&lost, SECOND, true));
    assert_eq!(lost, conflict.because("lease conflict"));
}
