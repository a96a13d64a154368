//! What follows a connect that fails and a watch that ends.

use std::time::Duration;

use tower_failover::session::{Closed, ErrorKind, Event};

use super::{classify, settings};
use crate::{
    support::{Exit, MS, Play, Play::*, SECOND, Script, regions},
    upstream::{dialed, start},
};

/// What follows, how long after, and with which lease.
#[derive(Debug, PartialEq)]
enum Next {
    Dial(u64, Option<u32>),
    /// After 30 s, and up to a quarter more.
    DialLate(Option<u32>),
    Finished(Exit),
    Failed,
}

/// What follows the last play, and then, after one more failure, how long that waits: the state of the
/// backoff. The first session has a lease, 1, which is still in use at the last play.
async fn after(plays: &[Play]) -> (Next, Option<u128>) {
    let more = [Refuse("eof"), Up];
    let script = Script::new(plays.iter().cloned().chain(more));
    let handle = start(&script, regions("a"), settings(), classify);
    handle.established().await.unwrap();
    script.tell(0, Event::Resume(1));
    let carried = (plays.len() > 1).then_some(1);
    tokio::select! {
        () = dialed(&script, plays.len() + 2) => {}
        closed = handle.closed() => {
            assert_eq!(script.dials().len(), plays.len());
            assert_eq!(script.dials()[plays.len() - 1].attempt.resume, carried);
            return (match closed {
                Ok(Closed::Exited(exit)) => Next::Finished(*exit),
                Err(error) if error.kind() == ErrorKind::Failed => Next::Failed,
                other => panic!("{other:?}"),
            }, None);
        }
    }
    let dials = script.dials();
    let (last, next) = (&dials[plays.len() - 1], &dials[plays.len()]);
    assert_eq!(last.attempt.resume, carried);
    let wait = (next.at - last.at - ran(&plays[plays.len() - 1])).as_millis();
    let lease = next.attempt.resume;
    let next = match wait {
        30_000.. if wait <= 37_500 && wait != 30_000 => Next::DialLate(lease),
        _ => Next::Dial(wait.try_into().unwrap(), lease),
    };
    (next, script.gaps().last().copied())
}

fn ran(play: &Play) -> Duration {
    match play {
        UpFor(time, _) => *time,
        _ => Duration::ZERO,
    }
}

/// A watch that is healthy, and ends; then so many failures, whose waits are 1 s, 2 s, 4 s and so on.
fn failed(times: usize, last: Play) -> Vec<Play> {
    let mut plays = vec![UpFor(60 * SECOND, "stream ended")];
    plays.extend(vec![Refuse("eof"); times]);
    plays.push(last);
    plays
}

#[tokio::test(start_paused = true)]
async fn connects_that_fail_keep_the_lease_unless_it_is_in_conflict() {
    let (late, kept) = (Next::DialLate(None), Some(1));
    let rows = [
        ("F03", failed(2, Refuse("unauthorized")), Next::Failed, None),
        // The state is that of the backoff before: 2 s, and then what comes after it.
        ("F04", failed(1, Refuse("conflict")), late, Some(2000)),
        (
            "F05",
            failed(1, Refuse("wrong content type")),
            Next::DialLate(kept),
            Some(2000),
        ),
        (
            "F06",
            failed(1, Refuse("eof")),
            Next::Dial(2000, kept),
            Some(4000),
        ),
        (
            "F07",
            failed(5, After(Duration::ZERO, Box::new(Refuse("hello timeout")))),
            Next::Dial(30_000, kept),
            Some(30_000),
        ),
    ];
    for (case, plays, next, state) in rows {
        assert_eq!(after(&plays).await, (next, state), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_follows_a_watch_that_ends() {
    let short = |exit| UpFor(100 * MS, exit);
    let long = |exit| UpFor(60 * SECOND, exit);
    let (kept, late) = (Some(1), Next::DialLate(None));
    let rows = [
        ("F08", failed(3, long("wake")), Next::Finished("wake"), None),
        (
            "F09",
            vec![short("read timeout")],
            Next::Dial(0, kept),
            Some(1000),
        ),
        (
            "F10",
            vec![short("stream ended")],
            Next::Dial(0, kept),
            Some(1000),
        ),
        (
            "F11: upstream keeps the state; by our choice a healthy run resets it",
            failed(2, long("stream error")),
            Next::Dial(0, kept),
            Some(1000),
        ),
        (
            "F12: the state that upstream cannot reach (FW1)",
            failed(2, short("stream error")),
            Next::Dial(4000, kept),
            Some(8000),
        ),
        (
            "F13",
            failed(5, short("stream error")),
            Next::Dial(30_000, kept),
            Some(30_000),
        ),
        (
            "F14",
            failed(3, short("heartbeat conflict")),
            late,
            Some(8000),
        ),
        (
            "F15",
            vec![long("heartbeat gone")],
            Next::Dial(0, None),
            Some(1000),
        ),
        (
            "F16",
            vec![long("heartbeat unauthorized")],
            Next::Failed,
            None,
        ),
        (
            "F17",
            vec![long("heartbeat failed")],
            Next::Dial(0, kept),
            Some(1000),
        ),
        (
            "F18: upstream stops; by our choice it is a failure like others",
            vec![long("heartbeat task gone")],
            Next::Dial(1000, kept),
            Some(2000),
        ),
    ];
    for (case, plays, next, state) in rows {
        assert_eq!(after(&plays).await, (next, state), "{case}");
    }
}
