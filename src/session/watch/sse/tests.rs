use std::{iter, pin::pin, sync::Arc, task::Poll};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::poll_fn, stream};
use http::HeaderMap;
use http_body::Frame as BodyFrame;
use http_body_util::StreamBody;
use proptest::{collection::vec, prelude::*, sample};

use super::*;
use crate::fuzzing;

fn event(name: &str, data: &str) -> Frame {
    let (name, data) = (name.to_owned(), data.to_owned());
    Frame::Event(Event { name, data })
}

fn message(data: &str) -> Frame {
    event("message", data)
}

fn body<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> impl Body<Data = Bytes, Error = BoxError> {
    let chunks = chunks.into_iter().map(Bytes::copy_from_slice);
    let frames: Vec<_> = chunks.map(|chunk| Ok(BodyFrame::data(chunk))).collect();
    StreamBody::new(stream::iter(frames))
}

/// The frames of a body that is ready, and how it ended.
fn read<B: Body<Error: Into<BoxError>>>(body: B) -> (Vec<Frame>, Result<(), SseError>) {
    let mut frames = Frames::new(body);
    let mut read = Vec::new();
    loop {
        match frames.next().now_or_never().expect("the body is ready") {
            Some(Ok(frame)) => read.push(frame),
            Some(Err(error)) => {
                let after = frames.next().now_or_never().expect("nothing is awaited");
                assert!(after.is_none(), "an error is the last");
                return (read, Err(error));
            }
            None => return (read, Ok(())),
        }
    }
}

/// Whole, in two at every place, and byte by byte.
fn chunkings(stream: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let halves = (0..=stream.len()).map(move |at| <[_; 2]>::from(stream.split_at(at)).to_vec());
    let bytes = stream.chunks(1).collect();
    iter::once(vec![stream]).chain(halves).chain([bytes])
}

#[track_caller]
fn assert_frames(stream: impl AsRef<[u8]>, expected: &[Frame]) {
    for chunks in chunkings(stream.as_ref()) {
        let (frames, end) = read(body(chunks.iter().copied()));
        assert_eq!(frames, expected, "{chunks:?}");
        assert!(end.is_ok());
    }
}

#[track_caller]
fn assert_too_long<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, before: &[Frame]) {
    let (frames, end) = read(body(chunks));
    assert_eq!(frames, before);
    let error = end.expect_err("it is too long");
    assert_eq!(error.to_string(), "an event has more than 262144 bytes");
}

#[test]
fn f30_basic() {
    assert_frames("event: wake\ndata: {}\n\n", &[event("wake", "{}")]);
}

#[test]
fn f31_two_events() {
    let stream = "event: hello\ndata: 1\n\nevent: wake\ndata: 2\n\n";
    assert_frames(stream, &[event("hello", "1"), event("wake", "2")]);
}

#[test]
fn f32_comments_are_keep_alives() {
    let stream = ": keep-alive\n\n:\n\ndata: x\n\n";
    let expected = [Frame::KeepAlive, Frame::KeepAlive, message("x")];
    assert_frames(stream, &expected);
}

#[test]
fn f33_crlf() {
    assert_frames("event: a\r\ndata: b\r\n\r\n", &[event("a", "b")]);
}

#[test]
fn f34_lines_of_data_are_joined_by_lf() {
    assert_frames("data: a\ndata: b\ndata: c\n\n", &[message("a\nb\nc")]);
    assert_frames("data: a\r\ndata\r\ndata:\r\n\r\n", &[message("a\n\n")]);
}

#[test]
fn f35_chunked_in_the_middle_of_a_field() {
    let chunks = ["eve", "nt: wa", "ke\nda", "ta: {\"a\":", "1}\n", "\n"];
    let (frames, end) = read(body(chunks.map(str::as_bytes)));
    let expected = [event("wake", "{\"a\":1}")];
    assert_eq!(frames, expected);
    assert!(end.is_ok());
    assert_frames(chunks.concat(), &expected);
}

#[test]
fn f36_blank_lines_are_nothing() {
    assert_frames("\n\n\r\n\r\r\n\n", &[]);
    assert_frames("\n\ndata: x\n\n\n\n", &[message("x")]);
}

#[test]
fn f37_an_event_without_data_is_dropped_and_so_is_its_name() {
    assert_frames("event: a\n\ndata: x\n\n", &[message("x")]);
    assert_frames("event: a\nid: 1\n\n", &[]);
    // A line of nothing is data.
    assert_frames("event: a\ndata\n\n", &[event("a", "")]);
}

#[test]
fn f38_no_space_after_the_colon() {
    assert_frames("event:a\ndata:b\n\n", &[event("a", "b")]);
    assert_frames("data:  b \n\n", &[message(" b ")]);
}

#[test]
fn f39_comment_only() {
    assert_frames(":\n", &[Frame::KeepAlive]);
}

#[test]
fn a_line_ends_with_cr_too() {
    assert_frames(
        "data: a\rdata: b\r\rdata: c\r\n\r",
        &[message("a\nb"), message("c")],
    );
}

#[test]
fn the_ends_of_lines_may_be_mixed() {
    assert_frames("data: a\r\n\ndata: b\n\r\n", &[message("a"), message("b")]);
    assert_frames("data: a\n\rdata: b\r\r\n", &[message("a"), message("b")]);
}

#[test]
fn a_cr_ends_its_line_before_the_next_byte_is_there() {
    let pending = stream::poll_fn(|_| Poll::Pending);
    let chunk = BodyFrame::data(Bytes::from_static(b"data: a\r\r"));
    let chunks = stream::iter([Ok::<_, BoxError>(chunk)]);
    let mut frames = Frames::new(StreamBody::new(chunks.chain(pending)));
    let first = frames.next().now_or_never().flatten();
    assert_eq!(first.transpose().unwrap(), Some(message("a")));
    assert!(frames.next().now_or_never().is_none(), "it goes on");
}

#[test]
fn a_comment_within_an_event_leaves_it_whole() {
    let expected = [Frame::KeepAlive, event("a", "b\nc")];
    assert_frames("event: a\ndata: b\n: alive\ndata: c\n\n", &expected);
}

#[test]
fn the_last_name_counts_and_an_empty_one_is_none() {
    assert_frames("event: a\nevent: b\ndata: x\n\n", &[event("b", "x")]);
    assert_frames("event: a\nevent\ndata: x\n\n", &[message("x")]);
}

#[test]
fn fields_that_say_nothing_to_us_are_read_over() {
    let stream =
        "id: 1\nid: \0\nretry: 12x\nDATA: a\n data: b\ndata : c\ncomment: d\nx\ndata: y\n\n";
    assert_frames(stream, &[message("y")]);
}

#[test]
fn a_byte_order_mark_is_dropped_at_the_very_beginning_and_only_there() {
    let stream = b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n";
    assert_frames(stream, &[message("a")]);
    assert_frames(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", &[]);
    assert_frames(b"\xef\xbb\xbf: alive\n", &[Frame::KeepAlive]);
    // Half of one is a field that nobody knows.
    assert_frames(b"\xef\xbbdata: a\ndata: b\n\n", &[message("b")]);
}

#[test]
fn invalid_utf8_is_replaced() {
    let stream = b"event: a\xff\ndata: \xe2\x82\ndata: \xac\xf0\x9f\x98\x80\n\n";
    let data = "\u{fffd}\n\u{fffd}\u{1f600}";
    assert_frames(stream, &[event("a\u{fffd}", data)]);
}

#[test]
fn an_event_without_a_blank_line_is_lost_at_the_end() {
    for end in ["data: b", "data: b\n", "event: b\ndata: b\r\n", ": alive"] {
        assert_frames(format!("data: a\n\n{end}"), &[message("a")]);
    }
    assert_frames("", &[]);
}

#[test]
fn an_error_of_the_body_is_the_source_after_what_came_before() {
    let chunk = BodyFrame::data(Bytes::from_static(b"data: a\n\ndata: b\n"));
    let frames = [Ok(chunk), Err(BoxError::from("reset"))];
    let (frames, end) = read(StreamBody::new(stream::iter(frames)));
    assert_eq!(frames, [message("a")]);
    let error = end.unwrap_err();
    assert_eq!(error.to_string(), "the event stream broke off");
    assert_eq!(error.source().unwrap().to_string(), "reset");
}

#[test]
fn trailers_are_read_over() {
    let data = BodyFrame::data(Bytes::from_static(b"data: a\n\n"));
    let frames = [data, BodyFrame::trailers(HeaderMap::new())];
    let frames = frames.map(Ok::<_, BoxError>);
    let (frames, end) = read(StreamBody::new(stream::iter(frames)));
    assert_eq!(frames, [message("a")]);
    assert!(end.is_ok());
}

#[test]
fn an_event_of_exactly_the_limit_is_read_and_one_byte_more_is_not() {
    let data = "x".repeat(MAX_EVENT - "data:\n".len());
    let stream = format!("data: a\n\ndata:{data}\n\n: alive\n");
    let expected = [message("a"), message(&data), Frame::KeepAlive];
    for size in [1, 4096, stream.len()] {
        let (frames, end) = read(body(stream.as_bytes().chunks(size)));
        assert!(frames == expected && end.is_ok());
        let longer = stream.replace("data:x", "data: x");
        assert_too_long(longer.as_bytes().chunks(size), &[message("a")]);
    }
}

#[test]
fn no_kind_of_line_passes_the_limit() {
    // For ever, if it were read.
    let endless = |lines: &'static str| iter::repeat(lines.as_bytes());
    for lines in ["x", "data: ", ": x", "\u{feff}", "data\n", "id\n", "x\r"] {
        let lines: Box<dyn Iterator<Item = &[u8]>> = match lines {
            ": x" => Box::new(iter::once(&b":"[..]).chain(endless("x"))),
            lines => Box::new(endless(lines)),
        };
        assert_too_long(lines.take(MAX_EVENT + 1), &[]);
    }
}

#[test]
fn comments_and_empty_events_do_not_add_up() {
    let mut parser = Parser::new(64);
    parser.push(Bytes::from_static(b"data: a\n"));
    assert_eq!(parser.next(), Ok(None));
    for _ in 0..1000 {
        parser.push(Bytes::from_static(b": keep-alive\n"));
        assert_eq!(parser.next(), Ok(Some(Frame::KeepAlive)));
    }
    parser.push(Bytes::from_static(b"\n"));
    assert_eq!(parser.next(), Ok(Some(message("a"))));
    for _ in 0..1000 {
        parser.push(Bytes::from_static(b"event: no data\nid: 1\n\n"));
        assert_eq!(parser.next(), Ok(None));
    }
}

#[test]
fn a_chunk_that_is_read_is_let_go() {
    let chunk = Bytes::from(b"data: a\n\ndata: b".to_vec());
    let mut parser = Parser::new(64);
    parser.push(chunk.clone());
    assert_eq!(parser.next(), Ok(Some(message("a"))));
    assert_eq!(parser.next(), Ok(None));
    assert!(chunk.is_unique());
}

#[test]
fn what_is_read_is_not_looked_at_again() {
    let max = 64 * 1024;
    for line in ["x", "data\n", "\n", "\r", ":\n", "data: x\n\n"] {
        let stream = line.repeat(max / line.len() / 4);
        for size in [1, 7, stream.len()] {
            let mut parser = Parser::new(max);
            for chunk in stream.as_bytes().chunks(size) {
                parser.push(Bytes::copy_from_slice(chunk));
                while parser.next().unwrap().is_some() {}
                assert!(parser.kept() <= max);
            }
            assert!(parser.looked_at <= 2 * stream.len(), "{line:?}");
        }
    }
}

#[tokio::test]
async fn a_body_that_always_has_more_of_nothing_lets_others_run() {
    let chunks = iter::repeat_with(|| Ok::<_, BoxError>(BodyFrame::data(Bytes::from("\n"))));
    let mut frames = Frames::new(StreamBody::new(stream::iter(chunks.take(10_000))));
    let mut next = pin!(frames.next());
    let is_pending = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx).is_pending())).await;
    assert!(is_pending, "it was read to its end at once");
    assert!(next.await.is_none());
}

#[test]
fn the_body_is_dropped_at_its_end_and_after_an_error() {
    let whole = [Ok("data: a\n\n".to_owned())];
    let broken = [Err(BoxError::from("reset"))];
    let too_long = [Ok("x".repeat(MAX_EVENT + 1))];
    for chunks in [whole, broken, too_long] {
        let held = Arc::new(());
        let holds = held.clone();
        let chunks = stream::iter(chunks).map(move |chunk| {
            let _ = &holds;
            chunk.map(|chunk| BodyFrame::data(Bytes::from(chunk)))
        });
        let mut frames = Frames::new(StreamBody::new(chunks));
        while let Some(Ok(_)) = frames.next().now_or_never().unwrap() {}
        assert_eq!(Arc::strong_count(&held), 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn any_stream_in_any_chunks_reads_as_the_standard_has_it(
        max in any::<u8>(),
        lengths in vec(0..12_u8, 0..40),
        stream in vec(prop_oneof![
            8 => sample::select(vec!["data", "event", ":", ": ", "\n", "\r", "\r\n", "\n\n", "x", "\u{feff}"])
                .prop_map(|s| s.as_bytes().to_vec()),
            1 => vec(any::<u8>(), 1..4),
        ], 0..60),
    ) {
        let mut bytes = vec![max, u8::try_from(lengths.len()).unwrap()];
        bytes.extend(lengths);
        bytes.extend(stream.concat());
        fuzzing::sse(&bytes);
    }
}
