use std::{error::Error as StdError, fmt, mem};

use bytes::{Buf, Bytes};

use super::{Event, Frame};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads frames out of chunks.
///
/// Every byte is looked at once when a line is sought and once when it is read, however the chunks fall.
/// Kept are no more than `max` bytes, beside the chunk. An event may have three times that, as invalid
/// UTF-8 grows when it is replaced.
#[derive(Debug)]
pub(crate) struct Parser {
    /// How many bytes an event's lines may have.
    max: usize,
    /// What is to be read.
    chunk: Bytes,
    /// What earlier chunks brought of a line.
    line: Vec<u8>,
    /// The last line ended with a CR: an LF that comes now is of that end.
    is_after_cr: bool,
    is_begun: bool,
    name: Vec<u8>,
    /// Each of its lines with an LF after it.
    data: Vec<u8>,
    /// How many bytes the event's lines have so far.
    len: usize,
    #[cfg(any(test, fuzzing))]
    pub(crate) looked_at: usize,
}

impl Parser {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            chunk: Bytes::new(),
            line: Vec::new(),
            is_after_cr: false,
            is_begun: false,
            name: Vec::new(),
            data: Vec::new(),
            len: 0,
            #[cfg(any(test, fuzzing))]
            looked_at: 0,
        }
    }

    /// Takes a chunk, once there is no frame in the one before.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "a chunk is not read");
        self.chunk = chunk;
    }

    /// The next frame in what was pushed. After an error everything is dropped.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, TooLong> {
        while !self.chunk.is_empty() {
            if mem::take(&mut self.is_after_cr) && self.chunk[0] == b'\n' {
                self.chunk.advance(1);
                continue;
            }
            let end = self.chunk.iter().position(|b| matches!(b, b'\r' | b'\n'));
            let part = self.chunk.split_to(end.unwrap_or(self.chunk.len()));
            #[cfg(any(test, fuzzing))]
            {
                self.looked_at += part.len() + usize::from(end.is_some());
            }
            // Before it is kept. Nothing kept can be more than `max`, so this does not overflow.
            if self.len + self.line.len() + part.len() > self.max {
                let max = self.max;
                *self = Self::new(max);
                return Err(TooLong { max });
            }
            self.line.extend_from_slice(&part);
            if end.is_some() {
                self.is_after_cr = self.chunk.get_u8() == b'\r';
                let line = mem::take(&mut self.line);
                if let Some(frame) = self.read(&line) {
                    return Ok(Some(frame));
                }
            }
        }
        // Though empty, it would keep the buffer it was cut from.
        self.chunk = Bytes::new();
        Ok(None)
    }

    fn read(&mut self, mut line: &[u8]) -> Option<Frame> {
        #[cfg(any(test, fuzzing))]
        {
            self.looked_at += line.len();
        }
        if !mem::replace(&mut self.is_begun, true) {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            // Not counted: between two events there may be comments for days, without a blank line.
            Some(0) => return Some(Frame::KeepAlive),
            Some(colon) => {
                let value = &line[colon + 1..];
                (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &[][..]),
        };
        self.len += line.len() + 1;
        match field {
            b"event" => self.name = value.to_vec(),
            b"data" => {
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            _ => {}
        }
        None
    }

    /// At a blank line: the event, if it has data.
    fn dispatch(&mut self) -> Option<Frame> {
        self.len = 0;
        let (name, mut data) = (mem::take(&mut self.name), mem::take(&mut self.data));
        data.pop()?;
        let name = if name.is_empty() {
            "message".to_owned()
        } else {
            text(name)
        };
        let data = text(data);
        Some(Frame::Event(Event { name, data }))
    }

    /// How many bytes are kept, beside the chunk.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn kept(&self) -> usize {
        self.line.len() + self.name.len() + self.data.len()
    }
}

/// A line's end is never within a character, so this is the same as if the stream had been decoded first.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// An event had more bytes than are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong {
    max: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event has more than {} bytes", self.max)
    }
}

impl StdError for TooLong {}
