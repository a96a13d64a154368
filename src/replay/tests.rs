mod scripted;

use std::{
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    task::{Context, Poll, Waker},
    thread,
};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::{
    BodyExt, Empty, Full,
    combinators::{BoxBody, UnsyncBoxBody},
};
use proptest::{collection::vec, prelude::*};
use tokio_test::task::{Spawn, spawn};

use self::scripted::{Broken, Scripted, Step, TRAILERS_LEN, data, trailers};
use super::{Keeper, ReplayBody, Repr, Superseded, source::max_frames};
use crate::BoxError;

const MAX: usize = usize::MAX;

type Polled = Poll<Option<Result<Frame<Bytes>, BoxError>>>;
type Upload<B> = Spawn<ReplayBody<B>>;

/// The body of the first attempt, in a task of its own, and the call's end of it.
fn wrap<B>(body: B, max_bytes: usize) -> (Upload<B>, Keeper<B>)
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    let (body, keeper) = super::wrap(body, Some(max_bytes), true);
    (spawn(body), keeper)
}

/// The body of the next attempt, in a task of its own.
#[track_caller]
fn supersede<B>(keeper: &Keeper<B>) -> Upload<B> {
    assert!(keeper.can_replay());
    spawn(keeper.supersede().expect("all that was sent is kept"))
}

#[track_caller]
fn assert_committed<B>(keeper: &Keeper<B>) {
    assert!(!keeper.can_replay());
    assert!(keeper.supersede().is_none());
}

fn poll<B>(upload: &mut Upload<B>) -> Polled
where
    ReplayBody<B>: Body<Data = Bytes, Error = BoxError>,
{
    upload.enter(|cx, body| body.poll_frame(cx))
}

/// A frame, in a form that can be compared.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl From<Frame<Bytes>> for Seen {
    fn from(frame: Frame<Bytes>) -> Self {
        match frame.into_data() {
            Ok(data) => Self::Data(data),
            Err(frame) => Self::Trailers(frame.into_trailers().unwrap()),
        }
    }
}

fn seen(data: &'static str) -> Seen {
    Seen::Data(Bytes::from_static(data.as_bytes()))
}

#[track_caller]
fn next<B>(upload: &mut Upload<B>) -> Seen
where
    ReplayBody<B>: Body<Data = Bytes, Error = BoxError>,
{
    match poll(upload) {
        Poll::Ready(Some(Ok(frame))) => frame.into(),
        other => panic!("no frame but {other:?}"),
    }
}

#[track_caller]
fn next_data<B>(upload: &mut Upload<B>) -> Bytes
where
    ReplayBody<B>: Body<Data = Bytes, Error = BoxError>,
{
    match next(upload) {
        Seen::Data(data) => data,
        Seen::Trailers(trailers) => panic!("no data but {trailers:?}"),
    }
}

/// All that is left, to the end.
#[track_caller]
fn rest<B>(upload: &mut Upload<B>) -> Vec<Seen>
where
    ReplayBody<B>: Body<Data = Bytes, Error = BoxError>,
{
    let mut frames = Vec::new();
    loop {
        match poll(upload) {
            Poll::Ready(Some(Ok(frame))) => frames.push(frame.into()),
            Poll::Ready(None) => return frames,
            other => panic!("after {frames:?} no frame but {other:?}"),
        }
    }
}

#[track_caller]
fn assert_pending<B>(upload: &mut Upload<B>)
where
    ReplayBody<B>: Body<Data = Bytes, Error = BoxError>,
{
    let polled = poll(upload);
    assert!(polled.is_pending(), "{polled:?}");
}

#[track_caller]
fn assert_end<B>(upload: &mut Upload<B>)
where
    ReplayBody<B>: Body<Data = Bytes, Error = BoxError>,
{
    let polled = poll(upload);
    assert!(matches!(polled, Poll::Ready(None)), "{polled:?}");
}

#[track_caller]
fn next_error<B>(upload: &mut Upload<B>) -> BoxError
where
    ReplayBody<B>: Body<Data = Bytes, Error = BoxError>,
{
    match poll(upload) {
        Poll::Ready(Some(Err(error))) => error,
        other => panic!("no error but {other:?}"),
    }
}

#[track_caller]
fn assert_superseded<B>(upload: &mut Upload<B>)
where
    ReplayBody<B>: Body<Data = Bytes, Error = BoxError>,
{
    let error = next_error(upload);
    assert!(error.is::<Superseded>(), "{error:?}");
}

#[track_caller]
fn assert_broken<B>(upload: &mut Upload<B>)
where
    ReplayBody<B>: Body<Data = Bytes, Error = BoxError>,
{
    let error = next_error(upload);
    assert!(error.is::<Broken>(), "{error:?}");
}

/// Whether the body is at its end, and how many bytes it says are left.
fn outlook<B>(upload: &Upload<B>) -> (bool, Option<u64>)
where
    ReplayBody<B>: Body + Unpin,
{
    (upload.is_end_stream(), upload.size_hint().exact())
}

/// The body, and a way to tell whether it still exists.
fn marked(body: Scripted) -> (impl Body<Data = Bytes, Error = Broken> + Unpin, Weak<()>) {
    let alive = Arc::new(());
    let weak = Arc::downgrade(&alive);
    let body = body.map_frame(move |frame| {
        let _alive = &alive;
        frame
    });
    (body, weak)
}

/// Data of which can be told whether anybody still holds it.
fn tracked(text: &str) -> (Step, Weak<str>) {
    struct Owner(Arc<str>);

    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            self.0.as_bytes()
        }
    }

    let text = Arc::from(text);
    let weak = Arc::downgrade(&text);
    (Step::Data(Bytes::from_owner(Owner(text))), weak)
}

fn is_held(data: &Weak<str>) -> bool {
    data.strong_count() > 0
}

// Bodies that are not shared.

#[test]
fn an_empty_body_is_not_shared_nor_polled() {
    let body = Scripted::sized([]);
    let probe = body.probe.clone();
    let (mut first, keeper) = wrap(body, 0);
    assert!(matches!(first.repr, Repr::Ready { data: None, .. }));
    assert_eq!(outlook(&first), (true, Some(0)));
    assert_end(&mut first);
    let mut second = supersede(&keeper);
    assert!(matches!(second.repr, Repr::Ready { data: None, .. }));
    assert_eq!(outlook(&second), (true, Some(0)));
    assert_end(&mut second);
    assert_eq!(probe.polls(), 0);
}

#[test]
fn a_body_that_finds_out_that_it_is_empty_when_polled_is_not_shared() {
    let body = Scripted::new([]).with_length();
    let probe = body.probe.clone();
    let (mut first, keeper) = wrap(body, 0);
    assert_eq!(probe.polls(), 1);
    assert!(matches!(first.repr, Repr::Ready { data: None, .. }));
    assert_end(&mut first);
    assert_end(&mut supersede(&keeper));
    assert_eq!(probe.polls(), 1);
}

#[test]
fn a_body_that_is_one_ready_frame_is_not_shared() {
    let bytes = Bytes::from_static(b"abc");
    let (mut first, keeper) = wrap(Full::new(bytes.clone()), 3);
    assert!(matches!(first.repr, Repr::Ready { data: Some(_), .. }));
    assert!(!keeper.has_failed());
    assert_eq!(outlook(&first), (false, Some(3)));
    assert_eq!(next_data(&mut first).as_ptr(), bytes.as_ptr());
    assert_eq!(outlook(&first), (true, Some(0)));
    assert_end(&mut first);
    for _ in 0..3 {
        let mut later = supersede(&keeper);
        assert!(matches!(later.repr, Repr::Ready { data: Some(_), .. }));
        assert_eq!(outlook(&later), (false, Some(3)));
        assert_eq!(next_data(&mut later).as_ptr(), bytes.as_ptr());
        assert_eq!(outlook(&later), (true, Some(0)));
        assert_end(&mut later);
    }
}

#[test]
fn a_body_of_trailers_alone_is_not_taken_for_empty() {
    let body = Scripted::sized([Step::Trailers(trailers())]);
    let (mut upload, keeper) = wrap(body, TRAILERS_LEN);
    for _ in 0..3 {
        assert_eq!(outlook(&upload), (false, Some(0)));
        assert_eq!(next(&mut upload), Seen::Trailers(trailers()));
        assert_eq!(outlook(&upload), (true, Some(0)));
        assert_end(&mut upload);
        upload = supersede(&keeper);
    }
}

#[test]
fn trailers_alone_that_do_not_fit_are_sent_but_not_kept() {
    let body = Scripted::sized([Step::Trailers(trailers())]);
    let (mut first, keeper) = wrap(body, TRAILERS_LEN - 1);
    assert_eq!(outlook(&first), (false, Some(0)));
    assert_eq!(rest(&mut first), [Seen::Trailers(trailers())]);
    assert_committed(&keeper);
}

#[test]
fn one_ready_frame_that_may_not_be_the_last_is_shared() {
    let (mut first, keeper) = wrap(Scripted::new([data("abc")]).with_length(), 3);
    assert!(matches!(first.repr, Repr::Shared { .. }));
    assert_eq!(outlook(&first), (false, Some(3)));
    assert_eq!(rest(&mut first), [seen("abc")]);
    assert_eq!(rest(&mut supersede(&keeper)), [seen("abc")]);
}

#[test]
fn a_direct_body_is_the_callers_own() {
    let body = Scripted::sized([data("ab"), Step::Trailers(trailers())]);
    let probe = body.probe.clone();
    let mut direct = spawn(ReplayBody::direct(body));
    assert_eq!(probe.polls(), 0);
    assert_eq!(outlook(&direct), (false, Some(2)));
    assert_eq!(next(&mut direct), seen("ab"));
    assert_eq!(outlook(&direct), (false, Some(0)));
    assert_eq!(next(&mut direct), Seen::Trailers(trailers()));
    assert_eq!(outlook(&direct), (true, Some(0)));
    assert_broken(&mut spawn(ReplayBody::direct(Scripted::new([Step::Error]))));
}

// The first look at a body of known length.

#[test]
fn a_body_of_unknown_length_is_not_polled_before_it_is_sent() {
    let body = Scripted::new([data("abc")]);
    let probe = body.probe.clone();
    let (mut first, _keeper) = wrap(body, MAX);
    assert_eq!(probe.polls(), 0);
    assert_eq!(first.size_hint().upper(), None);
    assert_eq!(next(&mut first), seen("abc"));
}

#[test]
fn a_body_over_the_cap_is_not_polled_before_it_is_sent() {
    let body = Scripted::sized([data("abc")]);
    let probe = body.probe.clone();
    let (mut first, keeper) = wrap(body, 2);
    assert_eq!(probe.polls(), 0);
    assert_eq!(outlook(&first), (false, Some(3)));
    // Nothing was sent yet, so all that was sent is at hand.
    let mut second = supersede(&keeper);
    assert_superseded(&mut first);
    assert_eq!(rest(&mut second), [seen("abc")]);
    assert_committed(&keeper);
}

#[test]
fn a_body_that_is_pending_at_the_first_look_wakes_who_waits_for_it_later() {
    let body = Scripted::sized([Step::Pending, Step::Pending, data("abc")]);
    let probe = body.probe.clone();
    let (mut first, _keeper) = wrap(body, 3);
    assert_eq!(probe.polls(), 1);
    assert_pending(&mut first);
    assert!(!first.is_woken());
    probe.wake();
    assert!(first.is_woken());
    assert_eq!(rest(&mut first), [seen("abc")]);
}

#[test]
fn an_error_at_the_first_look_is_the_first_attempts() {
    let body = Scripted::new([Step::Error]).claiming(3);
    let probe = body.probe.clone();
    let (mut first, keeper) = wrap(body, 3);
    // A client that is told of 0 bytes would send an empty request and never meet the error.
    assert_eq!(outlook(&first), (false, Some(3)));
    assert!(!keeper.has_failed());
    assert_broken(&mut first);
    assert!(keeper.has_failed());
    assert_committed(&keeper);
    assert_end(&mut first);
    assert_eq!(probe.polls(), 1);
}

#[test]
fn an_error_at_the_first_look_is_the_second_attempts_when_the_first_did_not_ask() {
    let body = Scripted::new([Step::Error]).claiming(3);
    let probe = body.probe.clone();
    let (mut first, keeper) = wrap(body, 3);
    let mut second = supersede(&keeper);
    assert_superseded(&mut first);
    assert!(!keeper.has_failed());
    assert_eq!(outlook(&second), (false, Some(3)));
    assert_broken(&mut second);
    assert!(keeper.has_failed());
    assert_committed(&keeper);
    assert_eq!(probe.polls(), 1);
}

#[test]
fn a_body_shorter_than_it_said_does_not_pass_as_whole() {
    for steps in [vec![], vec![Step::Pending]] {
        let (mut first, keeper) = wrap(Scripted::new(steps).claiming(5), 5);
        if matches!(poll(&mut first), Poll::Pending) {
            assert_end(&mut first);
        }
        // Clients fail a request whose body ends before its content-length.
        assert_eq!(outlook(&first), (false, Some(5)));
        let mut second = supersede(&keeper);
        assert_eq!(outlook(&second), (false, Some(5)));
        assert_end(&mut second);
    }
    for with_end in [false, true] {
        let mut body = Scripted::new([data("abc")]).claiming(5);
        if with_end {
            body = body.with_end();
        }
        let (mut first, keeper) = wrap(body, 5);
        assert_eq!(outlook(&first), (false, Some(5)));
        assert_eq!(next(&mut first), seen("abc"));
        let mut second = supersede(&keeper);
        assert_eq!(outlook(&second), (false, Some(5)));
        assert_eq!(rest(&mut second), [seen("abc")]);
        assert_eq!(outlook(&second), (false, Some(2)));
    }
}

// What is handed out, and again.

#[test]
fn frames_are_handed_out_as_they_came_and_again() {
    let steps = [data("a"), data("bc"), data("d"), Step::Trailers(trailers())];
    let expected = [seen("a"), seen("bc"), seen("d"), Seen::Trailers(trailers())];
    for body in [Scripted::new(steps.clone()), Scripted::sized(steps)] {
        let (mut first, keeper) = wrap(body, MAX);
        assert_eq!(rest(&mut first), expected);
        assert_end(&mut first);
        for _ in 0..3 {
            let mut later = supersede(&keeper);
            assert_eq!(rest(&mut later), expected);
            assert_end(&mut later);
        }
    }
}

#[test]
fn bytes_are_not_copied() {
    let (one, two) = (Bytes::from(vec![1; 100]), Bytes::from(vec![2; 100]));
    let steps = [Step::Data(one.clone()), Step::Data(two.clone())];
    let (mut first, keeper) = wrap(Scripted::new(steps), MAX);
    assert_eq!(next_data(&mut first).as_ptr(), one.as_ptr());
    let mut second = supersede(&keeper);
    for _ in 0..2 {
        assert_eq!(next_data(&mut second).as_ptr(), one.as_ptr());
        assert_eq!(next_data(&mut second).as_ptr(), two.as_ptr());
        second = supersede(&keeper);
    }
}

#[test]
fn data_of_another_type_is_copied_once() {
    let body = Scripted::new([data("a"), Step::Trailers(trailers())])
        .map_frame(|frame| frame.map_data(|data| data.chain(Bytes::from_static(b"bc"))));
    let (mut first, keeper) = wrap(body, MAX);
    let copy = next_data(&mut first);
    assert_eq!(copy, "abc");
    let mut second = supersede(&keeper);
    assert_eq!(next_data(&mut second).as_ptr(), copy.as_ptr());
    assert_eq!(rest(&mut second), [Seen::Trailers(trailers())]);
}

#[test]
fn frames_without_data_are_passed_on_but_take_no_place() {
    let empty = (0..10_000).map(|_| data(""));
    let (mut first, keeper) = wrap(Scripted::new(empty.chain([data("a")])), 1);
    for _ in 0..10_000 {
        assert_eq!(next(&mut first), seen(""));
    }
    assert_eq!(rest(&mut first), [seen("a")]);
    assert_eq!(rest(&mut supersede(&keeper)), [seen("a")]);
}

// Superseding.

#[test]
fn an_upload_under_way_is_woken_to_find_itself_superseded() {
    let body = Scripted::new([data("ab"), data("c"), Step::Pending, data("d")]);
    let probe = body.probe.clone();
    let (mut old, keeper) = wrap(body, MAX);
    assert_eq!(next(&mut old), seen("ab"));
    assert_eq!(next(&mut old), seen("c"));
    assert_pending(&mut old);
    assert!(!old.is_woken());

    let mut new = supersede(&keeper);
    assert!(old.is_woken());
    assert_eq!(outlook(&old), (false, None));
    assert_superseded(&mut old);
    assert_superseded(&mut old);
    assert!(!keeper.has_failed());
    assert_eq!(probe.polls(), 3);

    assert_eq!(rest(&mut new), [seen("ab"), seen("c"), seen("d")]);
    // Were the old one at its end too, a client that has not begun it would send an empty request.
    assert_eq!(outlook(&old), (false, None));
    assert_superseded(&mut old);
}

#[test]
fn an_upload_is_not_woken_without_need() {
    let body = Scripted::new([Step::Pending, data("a")]);
    let (mut old, keeper) = wrap(body, MAX);
    assert_pending(&mut old);
    let new = supersede(&keeper);
    assert!(old.is_woken());
    assert_superseded(&mut old);
    // Neither by a later change of generation, nor is one that never waited.
    let _newest = supersede(&keeper);
    assert!(!old.is_woken());
    assert!(!new.is_woken());
}

#[test]
fn who_polled_last_is_woken() {
    let body = Scripted::new([Step::Pending, Step::Pending]);
    let (mut old, keeper) = wrap(body, MAX);
    assert_pending(&mut old);
    let mut moved = spawn(old.into_inner());
    assert_pending(&mut moved);
    let _new = supersede(&keeper);
    assert!(moved.is_woken());
    assert_superseded(&mut moved);
}

#[test]
fn the_new_upload_waits_where_the_old_one_did() {
    let body = Scripted::new([data("a"), Step::Pending, Step::Pending, data("b")]);
    let probe = body.probe.clone();
    let (mut old, keeper) = wrap(body, MAX);
    assert_eq!(next(&mut old), seen("a"));
    assert_pending(&mut old);
    let mut new = supersede(&keeper);
    assert_superseded(&mut old);
    assert_eq!(next(&mut new), seen("a"));
    assert_pending(&mut new);
    probe.wake();
    assert!(new.is_woken());
    assert!(!old.is_woken());
    assert_eq!(rest(&mut new), [seen("b")]);
}

#[test]
fn a_body_on_hold_asks_for_nothing_and_goes_on_when_the_call_is_over() {
    let body = Scripted::new([data("a"), data("b"), data("c")]);
    let probe = body.probe.clone();
    let (mut upload, keeper) = wrap(body, 2);
    assert_eq!(next(&mut upload), seen("a"));
    keeper.hold();
    assert_pending(&mut upload);
    assert_pending(&mut upload);
    assert_eq!(probe.polls(), 1);
    assert_eq!(upload.size_hint().exact(), None);
    assert!(!upload.is_woken());
    drop(keeper);
    assert!(upload.is_woken());
    assert_eq!(rest(&mut upload), [seen("b"), seen("c")]);
}

#[test]
fn a_body_on_hold_is_woken_to_find_itself_superseded_and_the_next_is_not_on_hold() {
    let (mut old, keeper) = wrap(Scripted::new([data("a"), data("b")]), MAX);
    assert_eq!(next(&mut old), seen("a"));
    keeper.hold();
    assert_pending(&mut old);
    let mut new = supersede(&keeper);
    assert!(old.is_woken());
    assert_superseded(&mut old);
    assert_eq!(rest(&mut new), [seen("a"), seen("b")]);
}

#[test]
fn a_body_on_hold_that_was_not_asked_has_nobody_to_wake() {
    let (mut upload, keeper) = wrap(Scripted::new([data("a")]), MAX);
    keeper.hold();
    drop(keeper);
    assert!(!upload.is_woken());
    assert_eq!(rest(&mut upload), [seen("a")]);
}

#[test]
fn a_failover_before_the_first_poll_sends_each_byte_once() {
    let steps = [data("ab"), data("c"), Step::Trailers(trailers())];
    let expected = [seen("ab"), seen("c"), Seen::Trailers(trailers())];
    for body in [Scripted::new(steps.clone()), Scripted::sized(steps)] {
        let (mut old, keeper) = wrap(body, MAX);
        let mut new = supersede(&keeper);
        assert_eq!(rest(&mut new), expected);
        assert_superseded(&mut old);
        let mut newest = supersede(&keeper);
        assert_eq!(rest(&mut newest), expected);
    }
}

#[test]
fn the_old_body_may_be_dropped_before_or_after_the_new_one_is_made() {
    for before in [true, false] {
        let (mut old, keeper) = wrap(Scripted::new([data("a"), data("b")]), MAX);
        assert_eq!(next(&mut old), seen("a"));
        let mut old = Some(old);
        if before {
            old = None;
        }
        let mut new = supersede(&keeper);
        drop(old);
        assert_eq!(rest(&mut new), [seen("a"), seen("b")]);
    }
}

#[test]
fn each_generation_begins_at_the_first_byte() {
    let pieces = ["a", "bc", "d", "ef", "g"];
    let (mut upload, keeper) = wrap(Scripted::new(pieces.map(data)), MAX);
    // The nth reads n frames, the last of them from the source.
    for n in 0..pieces.len() {
        for piece in &pieces[..n] {
            assert_eq!(next(&mut upload), seen(piece));
        }
        let new = supersede(&keeper);
        assert_superseded(&mut upload);
        upload = new;
    }
    // And once more, ending within what is kept.
    assert_eq!(next(&mut upload), seen("a"));
    upload = supersede(&keeper);
    assert_eq!(rest(&mut upload), pieces.map(seen));
}

#[test]
fn superseded_has_a_message_of_its_own() {
    assert_eq!(
        Superseded.to_string(),
        "request superseded by a later attempt"
    );
}

// Length and end at each step.

#[test]
fn a_known_length_is_what_is_left_to_send() {
    let body = Scripted::sized([data("ab"), data("c"), data("de")]);
    let (mut first, keeper) = wrap(body, MAX);
    assert_eq!(outlook(&first), (false, Some(5)));
    next(&mut first);
    assert_eq!(outlook(&first), (false, Some(3)));
    next(&mut first);
    assert_eq!(outlook(&first), (false, Some(2)));

    let mut second = supersede(&keeper);
    assert_eq!(outlook(&first), (false, None));
    for left in [5, 3, 2] {
        assert_eq!(outlook(&second), (false, Some(left)));
        next(&mut second);
    }
    assert_eq!(outlook(&second), (true, Some(0)));
    assert_end(&mut second);

    let mut third = supersede(&keeper);
    assert_eq!(outlook(&second), (false, None));
    for left in [5, 3, 2] {
        assert_eq!(outlook(&third), (false, Some(left)));
        next(&mut third);
    }
    assert_eq!(outlook(&third), (true, Some(0)));
}

#[test]
fn an_unknown_length_becomes_known_when_the_source_has_ended() {
    let (mut first, keeper) = wrap(Scripted::new([data("ab"), data("c")]), MAX);
    next(&mut first);
    let mut second = supersede(&keeper);
    let hint = second.size_hint();
    assert_eq!((hint.lower(), hint.upper()), (2, None));
    assert!(!second.is_end_stream());
    rest(&mut second);
    assert_eq!(outlook(&second), (true, Some(0)));
    let mut third = supersede(&keeper);
    assert_eq!(outlook(&third), (false, Some(3)));
    next(&mut third);
    assert_eq!(outlook(&third), (false, Some(1)));
    next(&mut third);
    assert_eq!(outlook(&third), (true, Some(0)));
}

#[test]
fn trailers_come_before_the_end() {
    let body = Scripted::sized([data("a"), Step::Trailers(trailers())]);
    let (mut upload, keeper) = wrap(body, MAX);
    for _ in 0..3 {
        assert_eq!(outlook(&upload), (false, Some(1)));
        assert_eq!(next(&mut upload), seen("a"));
        assert_eq!(outlook(&upload), (false, Some(0)));
        assert_eq!(next(&mut upload), Seen::Trailers(trailers()));
        assert_eq!(outlook(&upload), (true, Some(0)));
        assert_end(&mut upload);
        upload = supersede(&keeper);
    }
}

#[test]
fn a_length_at_the_end_of_what_can_be_counted_is_no_harm() {
    let (mut first, keeper) = wrap(Scripted::new([data("ab")]).claiming(u64::MAX), 2);
    assert_eq!(outlook(&first), (false, Some(u64::MAX)));
    next(&mut first);
    assert_eq!(outlook(&first), (false, Some(u64::MAX - 2)));
    assert_eq!(outlook(&supersede(&keeper)), (false, Some(u64::MAX)));
    // Longer than it said.
    let (mut first, keeper) = wrap(Scripted::new([data("ab"), data("c")]).claiming(1), MAX);
    rest(&mut first);
    assert_eq!(outlook(&first), (true, Some(0)));
    assert_eq!(rest(&mut supersede(&keeper)), [seen("ab"), seen("c")]);
}

// The cap.

#[test]
fn a_body_exactly_at_the_cap_is_kept() {
    for body in [
        Scripted::new([data("ab"), data("c")]),
        Scripted::sized([data("ab"), data("c")]),
    ] {
        let (mut first, keeper) = wrap(body, 3);
        assert_eq!(rest(&mut first), [seen("ab"), seen("c")]);
        assert_eq!(rest(&mut supersede(&keeper)), [seen("ab"), seen("c")]);
    }
}

#[test]
fn one_byte_over_the_cap_commits_the_call() {
    for body in [
        Scripted::new([data("ab"), data("c"), data("d")]),
        Scripted::sized([data("ab"), data("c"), data("d")]),
    ] {
        let (mut first, keeper) = wrap(body, 2);
        next(&mut first);
        assert!(keeper.can_replay());
        assert_eq!(next(&mut first), seen("c"));
        assert_committed(&keeper);
        // The upload itself goes on.
        assert_eq!(rest(&mut first), [seen("d")]);
        assert!(!keeper.has_failed());
        assert_committed(&keeper);
    }
}

#[test]
fn a_later_generation_commits_the_call_as_well() {
    let (mut first, keeper) = wrap(Scripted::new([data("ab"), data("c"), data("d")]), 2);
    next(&mut first);
    let mut second = supersede(&keeper);
    assert_eq!(next(&mut second), seen("ab"));
    assert_eq!(next(&mut second), seen("c"));
    assert_committed(&keeper);
    assert_eq!(rest(&mut second), [seen("d")]);
    assert_superseded(&mut first);
}

#[test]
fn trailers_count_towards_the_cap() {
    for (room, fits) in [(TRAILERS_LEN, true), (TRAILERS_LEN - 1, false)] {
        let body = Scripted::new([data("a"), Step::Trailers(trailers())]);
        let (mut first, keeper) = wrap(body, 1 + room);
        assert_eq!(rest(&mut first), [seen("a"), Seen::Trailers(trailers())]);
        assert_eq!(keeper.can_replay(), fits);
        assert_eq!(keeper.supersede().is_some(), fits);
    }
}

#[test]
fn a_cap_of_zero_keeps_only_nothing() {
    let (mut first, keeper) = wrap(Scripted::new([]), 0);
    assert_end(&mut first);
    assert_end(&mut supersede(&keeper));

    let (_first, keeper) = wrap(Full::new(Bytes::from_static(b"a")), 0);
    let mut second = supersede(&keeper);
    assert_eq!(next(&mut second), seen("a"));
    assert_committed(&keeper);
}

#[test]
fn a_cap_without_end_keeps_all() {
    let (mut first, keeper) = wrap(Scripted::new([data("a"), data("b")]), MAX);
    rest(&mut first);
    assert_eq!(rest(&mut supersede(&keeper)), [seen("a"), seen("b")]);
}

// Memory.

#[test]
fn what_was_sent_is_kept_until_the_call_is_committed() {
    let (first_step, first_data) = tracked("ab");
    let (second_step, second_data) = tracked("c");
    let (mut upload, keeper) = wrap(Scripted::new([first_step, second_step]), 2);
    next(&mut upload);
    assert!(is_held(&first_data));
    next(&mut upload);
    assert!(!is_held(&first_data));
    assert!(!is_held(&second_data));
    assert_committed(&keeper);
}

#[test]
fn what_was_sent_is_kept_until_the_call_ends() {
    let (step, data) = tracked("ab");
    let (mut upload, keeper) = wrap(Scripted::new([step, Step::Pending]), MAX);
    next(&mut upload);
    assert_pending(&mut upload);
    assert!(is_held(&data));
    drop(keeper);
    assert!(!is_held(&data));
    assert_end(&mut upload);
}

#[test]
fn what_is_still_to_be_sent_outlives_the_call() {
    let (steps, held): (Vec<_>, Vec<_>) = ["a", "b", "c"].map(tracked).into_iter().unzip();
    let held = || held.iter().map(is_held).collect::<Vec<_>>();
    let (mut first, keeper) = wrap(Scripted::new(steps), MAX);
    rest(&mut first);
    let mut second = supersede(&keeper);
    assert_eq!(next(&mut second), seen("a"));
    drop((first, keeper));
    assert_eq!(held(), [false, true, true]);
    assert_eq!(second.size_hint().exact(), Some(2));
    assert_eq!(next(&mut second), seen("b"));
    assert_eq!(held(), [false, false, true]);
    assert_eq!(outlook(&second), (false, Some(1)));
    assert_eq!(next(&mut second), seen("c"));
    assert_eq!(held(), [false, false, false]);
    assert_eq!(outlook(&second), (true, Some(0)));
    assert_end(&mut second);
}

#[test]
fn nothing_is_kept_of_what_is_sent_after_the_call() {
    let (step, data) = tracked("ab");
    let (mut upload, keeper) = wrap(Scripted::new([step]), MAX);
    drop(keeper);
    assert_eq!(next(&mut upload), seen("ab"));
    assert!(!is_held(&data));
}

#[test]
fn a_ready_frame_goes_with_the_call_once_it_was_sent() {
    let (step, data) = tracked("ab");
    let (mut upload, keeper) = wrap(Scripted::sized([step]), MAX);
    assert!(matches!(upload.repr, Repr::Ready { .. }));
    next(&mut upload);
    assert!(is_held(&data));
    drop(keeper);
    assert!(!is_held(&data));
}

#[test]
fn the_callers_body_is_dropped_at_its_end() {
    for (steps, replayable) in [
        (vec![data("a")], true),
        (vec![data("a"), Step::Error], false),
    ] {
        let (body, alive) = marked(Scripted::new(steps));
        let (mut upload, keeper) = wrap(body, MAX);
        next(&mut upload);
        assert!(alive.upgrade().is_some());
        let _ = poll(&mut upload);
        assert!(alive.upgrade().is_none());
        assert_eq!(keeper.can_replay(), replayable);
    }
}

#[test]
fn nothing_is_left_to_an_old_upload_that_lives_on() {
    for keeper_goes_first in [true, false] {
        let (kept, data) = tracked("a");
        let (body, alive) = marked(Scripted::new([kept, Step::Pending]));
        let (mut old, keeper) = wrap(body, MAX);
        next(&mut old);
        let mut new = supersede(&keeper);
        next(&mut new);
        assert!(is_held(&data) && alive.upgrade().is_some());
        if keeper_goes_first {
            drop(keeper);
            assert!(alive.upgrade().is_some(), "the new upload may go on");
            drop(new);
        } else {
            drop(new);
            assert!(is_held(&data), "there may be a replay");
            drop(keeper);
        }
        assert!(!is_held(&data) && alive.upgrade().is_none());
        assert_superseded(&mut old);
    }
}

#[test]
fn whether_a_body_was_begun_is_known_for_each_attempt() {
    for sized in [true, false] {
        let body = Scripted::new([data("ab")]);
        let body = if sized {
            body.with_length().with_end()
        } else {
            body
        };
        let (mut first, keeper) = wrap(body, MAX);
        assert_eq!(matches!(first.repr, Repr::Ready { .. }), sized);
        assert!(!keeper.has_begun());
        next(&mut first);
        assert!(keeper.has_begun());
        let mut second = supersede(&keeper);
        assert!(!keeper.has_begun());
        let _ = poll(&mut first);
        assert!(!keeper.has_begun(), "that was the old one");
        next(&mut second);
        assert!(keeper.has_begun());
    }
}

#[test]
fn of_a_body_that_is_not_watched_it_is_not_known() {
    let (body, keeper) = super::wrap(Full::new(Bytes::from("ab")), Some(MAX), false);
    next(&mut spawn(body));
    assert!(!keeper.has_begun());
    let (body, keeper) = super::wrap(Empty::<Bytes>::new(), Some(MAX), true);
    assert!(poll(&mut spawn(body)).is_ready());
    assert!(!keeper.has_begun());
}

#[test]
fn tiny_frames_do_not_take_many_times_the_memory_of_their_bytes() {
    let (mut upload, keeper) = wrap(Scripted::new(vec![data("a"); 40]), 16 * 256);
    for _ in 0..32 {
        next(&mut upload);
    }
    assert!(keeper.can_replay(), "16, and one for each 256 bytes");
    next(&mut upload);
    assert_committed(&keeper);
}

// Failures of the caller's body.

#[test]
fn the_bodys_error_is_handed_out_once_and_remembered() {
    let body = Scripted::new([data("a"), Step::Error]);
    let probe = body.probe.clone();
    let (mut first, keeper) = wrap(body, MAX);
    next(&mut first);
    assert!(!keeper.has_failed());
    assert_broken(&mut first);
    assert!(keeper.has_failed());
    assert_end(&mut first);
    assert_eq!(probe.polls(), 2);
}

#[test]
fn what_came_before_the_bodys_error_does_not_pass_as_the_body() {
    let (step, data) = tracked("a");
    let (mut first, keeper) = wrap(Scripted::new([step, Step::Error]), MAX);
    next(&mut first);
    assert!(keeper.can_replay());
    assert_broken(&mut first);
    assert_committed(&keeper);
    assert!(!is_held(&data));
}

#[test]
fn the_bodys_error_is_that_of_the_attempt_that_met_it() {
    let body = Scripted::new([data("a"), Step::Pending, Step::Error]);
    let (mut first, keeper) = wrap(body, MAX);
    next(&mut first);
    assert_pending(&mut first);
    let mut second = supersede(&keeper);
    assert_superseded(&mut first);
    assert!(!keeper.has_failed());
    assert_eq!(next(&mut second), seen("a"));
    assert!(!keeper.has_failed());
    assert_broken(&mut second);
    assert!(keeper.has_failed());
    assert_superseded(&mut first);
    assert_committed(&keeper);
}

#[test]
fn an_error_after_the_call_is_passed_on_too() {
    let (mut first, keeper) = wrap(Scripted::new([data("a"), Step::Error]), MAX);
    drop(keeper);
    next(&mut first);
    assert_broken(&mut first);
    assert_end(&mut first);
}

#[test]
fn a_body_that_panicked_has_failed_and_is_not_polled_again() {
    let body = Scripted::sized([data("a"), Step::Panic]);
    let probe = body.probe.clone();
    let (mut first, keeper) = wrap(body, MAX);
    next(&mut first);
    catch_unwind(AssertUnwindSafe(|| poll(&mut first))).unwrap_err();
    assert!(keeper.has_failed());
    assert_committed(&keeper);
    assert!(!first.is_end_stream());
    let _ = first.size_hint();
    next_error(&mut first);
    assert_eq!(probe.polls(), 2);
    drop(first);
    drop(keeper);
}

// Threads.

#[test]
fn bodies_are_as_free_as_the_callers() {
    fn is_send<T: Send>() {}
    fn is_sync<T: Sync>() {}
    fn is_unpin<T: Unpin>() {}
    fn is_debug<T: Debug>() {}

    is_send::<ReplayBody<UnsyncBoxBody<Bytes, BoxError>>>();
    is_send::<Keeper<UnsyncBoxBody<Bytes, BoxError>>>();
    is_send::<ReplayBody<BoxBody<Bytes, BoxError>>>();
    is_sync::<ReplayBody<BoxBody<Bytes, BoxError>>>();
    is_sync::<ReplayBody<Empty<Bytes>>>();
    is_unpin::<ReplayBody<UnsyncBoxBody<Bytes, BoxError>>>();
    is_debug::<ReplayBody<UnsyncBoxBody<Bytes, BoxError>>>();
    is_debug::<Keeper<UnsyncBoxBody<Bytes, BoxError>>>();
    is_send::<Superseded>();
    is_sync::<Superseded>();
}

/// Polls until the end; `None` when superseded before.
fn read_on_a_thread(mut body: ReplayBody<Scripted>) -> Option<Vec<Seen>> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut frames = Vec::new();
    loop {
        match std::pin::Pin::new(&mut body).poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => frames.push(frame.into()),
            Poll::Ready(Some(Err(error))) => {
                assert!(error.is::<Superseded>(), "{error:?}");
                return None;
            }
            Poll::Ready(None) => return Some(frames),
            Poll::Pending => thread::yield_now(),
        }
    }
}

#[test]
fn generations_on_threads_see_all_or_are_superseded() {
    let pieces = ["a", "bc", "d", "ef", "g", "h", "ij", "k"];
    let expected: Vec<_> = pieces.map(seen).into();
    for round in 0..300 {
        let steps = pieces.into_iter().flat_map(|p| [Step::Pending, data(p)]);
        let (first, keeper) = super::wrap(Scripted::new(steps), Some(MAX), true);
        thread::scope(|scope| {
            let mut readers = vec![scope.spawn(|| read_on_a_thread(first))];
            for n in 0..4 {
                for _ in 0..(round * n) % 7 {
                    thread::yield_now();
                }
                let body = keeper.supersede().unwrap();
                readers.push(scope.spawn(|| read_on_a_thread(body)));
            }
            // The call ends while the last upload is under way.
            drop(keeper);
            let last = readers.pop().unwrap().join().unwrap();
            assert_eq!(last.as_ref(), Some(&expected));
            for reader in readers {
                let read = reader.join().unwrap();
                assert!(read.is_none_or(|frames| frames == expected));
            }
        });
    }
}

#[test]
fn a_call_that_commits_while_it_is_superseded_is_one_or_the_other() {
    let pieces = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let expected: Vec<_> = pieces.map(seen).into();
    for round in 0..300 {
        let (first, keeper) = super::wrap(Scripted::new(pieces.map(data)), Some(4), true);
        thread::scope(|scope| {
            let reader = scope.spawn(|| read_on_a_thread(first));
            for _ in 0..round % 5 {
                thread::yield_now();
            }
            let second = keeper.supersede();
            match (reader.join().unwrap(), second) {
                (None, Some(second)) => {
                    assert_eq!(read_on_a_thread(second), Some(expected.clone()))
                }
                (Some(frames), None) => assert_eq!(frames, expected),
                (first, second) => panic!("first read {first:?}, second is {second:?}"),
            }
        });
    }
}

// Any body, superseded anywhere.

#[derive(Clone, Debug)]
struct Case {
    steps: Vec<Step>,
    with_length: bool,
    with_end: bool,
    max_bytes: usize,
    /// After how many polls each generation is superseded.
    cuts: Vec<usize>,
    /// After how many polls of the last generation the call ends.
    end: usize,
}

fn cases() -> impl Strategy<Value = Case> {
    let step = prop_oneof![
        // Small frames reach the limit on frames as well as that on bytes.
        3 => vec(any::<u8>(), 0..4).prop_map(|data| Step::Data(data.into())),
        1 => Just(Step::Pending),
    ];
    let trailers = prop_oneof![Just(None), Just(Some(Step::Trailers(trailers())))];
    let max_bytes = prop_oneof![0..40_usize, Just(MAX)];
    (
        vec(step, 0..36),
        trailers,
        any::<(bool, bool)>(),
        max_bytes,
        vec(0..40_usize, 0..6),
        0..30_usize,
    )
        .prop_map(|(mut steps, trailers, flags, max_bytes, cuts, end)| {
            steps.extend(trailers);
            Case {
                steps,
                with_length: flags.0,
                with_end: flags.1,
                max_bytes,
                cuts,
                end,
            }
        })
}

impl Case {
    fn body(&self) -> Scripted {
        let mut body = Scripted::new(self.steps.clone());
        if self.with_length {
            body = body.with_length();
        }
        if self.with_end {
            body = body.with_end();
        }
        body
    }

    /// What a generation sees that runs to its end.
    fn frames(&self) -> Vec<Seen> {
        self.steps
            .iter()
            .filter_map(|step| match step {
                Step::Data(data) if !data.is_empty() => Some(Seen::Data(data.clone())),
                Step::Trailers(trailers) => Some(Seen::Trailers(trailers.clone())),
                _ => None,
            })
            .collect()
    }
}

/// One generation, and what it has seen.
struct Reader {
    upload: Upload<Scripted>,
    frames: Vec<Seen>,
    is_done: bool,
}

impl Reader {
    fn new(upload: Upload<Scripted>) -> Self {
        Self {
            upload,
            frames: Vec::new(),
            is_done: false,
        }
    }

    fn read(&mut self, expected: &[Seen], with_length: bool) {
        let (at_end, left) = outlook(&self.upload);
        if with_length {
            let sent = data_len(&self.frames);
            assert_eq!(left, Some((data_len(expected) - sent) as u64));
        } else if let Some(left) = left {
            assert_eq!(left, (data_len(expected) - data_len(&self.frames)) as u64);
        }
        match poll(&mut self.upload) {
            Poll::Pending => assert!(!at_end),
            Poll::Ready(Some(Ok(frame))) => {
                assert!(!at_end && !self.is_done);
                let frame = frame.into();
                if frame != seen("") {
                    self.frames.push(frame);
                }
                assert!(expected.starts_with(&self.frames));
            }
            Poll::Ready(Some(Err(error))) => panic!("{error}"),
            Poll::Ready(None) => {
                assert_eq!(self.frames, expected);
                self.is_done = true;
            }
        }
    }
}

fn data_len(frames: &[Seen]) -> usize {
    let len = |frame: &Seen| match frame {
        Seen::Data(data) => data.len(),
        Seen::Trailers(_) => 0,
    };
    frames.iter().map(len).sum()
}

/// Whether the frames are kept for a replay.
fn fit(frames: &[Seen], max_bytes: usize) -> bool {
    let has_trailers = matches!(frames.last(), Some(Seen::Trailers(_)));
    let cost = data_len(frames) + if has_trailers { TRAILERS_LEN } else { 0 };
    cost <= max_bytes && frames.len() <= max_frames(max_bytes)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_generation_that_runs_to_its_end_sees_the_whole_body(case in cases()) {
        let expected = case.frames();
        let (upload, keeper) = wrap(case.body(), case.max_bytes);
        let mut reader = Reader::new(upload);
        let mut is_kept = true;
        for &cut in &case.cuts {
            for _ in 0..cut {
                reader.read(&expected, case.with_length);
            }
            is_kept &= fit(&reader.frames, case.max_bytes);
            let Some(body) = keeper.supersede() else {
                assert!(!is_kept);
                continue;
            };
            assert!(is_kept);
            let is_shared = matches!(body.repr, Repr::Shared { .. });
            let mut old = std::mem::replace(&mut reader, Reader::new(spawn(body)));
            if is_shared {
                assert_superseded(&mut old.upload);
            }
        }
        for _ in 0..case.end {
            reader.read(&expected, case.with_length);
        }
        drop(keeper);
        // Each step takes one poll, and the end one more.
        for _ in 0..case.steps.len() + 2 {
            reader.read(&expected, case.with_length);
        }
        assert!(reader.is_done);
    }
}
