use std::iter;

use bytes::Bytes;

use crate::session::watch::sse::{Event, Frame, Parser, TooLong};

/// Reads a stream of events. The first byte is the limit, in units of 4; the second says how many bytes
/// follow that are the lengths of the chunks, in turn; the rest is the stream.
///
/// # Panics
///
/// When the frames are not those of the standard's words, or depend on the chunks; when more is kept or
/// done than the parser promises.
pub fn sse(bytes: &[u8]) {
    let [max, lengths, rest @ ..] = bytes else {
        return;
    };
    let max = usize::from(*max) * 4;
    let (lengths, stream) = rest.split_at(rest.len().min((*lengths).into()));
    let whole = read([stream], max);
    assert_eq!(whole, read(chunks(stream, lengths), max));
    assert_eq!(whole, read(stream.chunks(1), max));

    let (frames, end) = whole;
    let expected = by_the_standard(stream);
    if end.is_ok() {
        assert_eq!(frames, expected);
    } else {
        assert!(expected.starts_with(&frames));
        assert!(stream.len() >= max, "all of it would have fit");
    }
    // What is not bounded by `max`.
    assert_eq!(read([stream], usize::MAX / 4), (expected, Ok(())));
}

/// Cuts at the lengths; what they leave is one chunk.
fn chunks<'a>(mut stream: &'a [u8], lengths: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut lengths = lengths.iter();
    iter::from_fn(move || {
        let length = lengths.next().map_or(stream.len(), |n| usize::from(*n));
        let (chunk, rest) = stream.split_at(length.min(stream.len()));
        let is_over = stream.is_empty() && lengths.len() == 0;
        stream = rest;
        (!is_over).then_some(chunk)
    })
}

fn read<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]>,
    max: usize,
) -> (Vec<Frame>, Result<(), TooLong>) {
    let mut parser = Parser::new(max);
    let (mut frames, mut len) = (Vec::new(), 0);
    for chunk in chunks {
        len += chunk.len();
        parser.push(Bytes::copy_from_slice(chunk));
        loop {
            match parser.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(too_long) => return (frames, Err(too_long)),
            }
            assert!(parser.kept() <= max);
        }
        assert!(parser.kept() <= max.min(len));
        assert!(parser.looked_at <= 2 * len);
    }
    (frames, Ok(()))
}

/// The standard's algorithm, word by word: of the whole text, with no care for time and memory.
fn by_the_standard(stream: &[u8]) -> Vec<Frame> {
    let text = String::from_utf8_lossy(stream);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<&str> = text.split('\n').collect();
    // Not ended.
    lines.pop();

    let mut frames = Vec::new();
    let (mut data, mut name) = (String::new(), "");
    for line in lines {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if !line.is_empty() => frames.push(Frame::KeepAlive),
            "" if data.is_empty() => name = "",
            "" => frames.push(Frame::Event(Event {
                name: Some(std::mem::take(&mut name))
                    .filter(|name| !name.is_empty())
                    .unwrap_or("message")
                    .to_owned(),
                data: std::mem::take(&mut data)
                    .strip_suffix('\n')
                    .expect("each line of data brings one")
                    .to_owned(),
            })),
            "event" => name = value,
            "data" => data.extend([value, "\n"]),
            _ => {}
        }
    }
    frames
}
