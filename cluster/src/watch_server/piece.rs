use std::time::Duration;

/// A piece of an event stream, or what becomes of the stream.
///
/// [`End`](Piece::End), [`Cut`](Piece::Cut) and [`Reset`](Piece::Reset) come at once where they are sent to a stream that waits or
/// is silent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Piece {
    /// The event that tells the lease, again if it was told already.
    Hello,
    /// An event of that name with that data.
    Event(String, String),
    /// A comment.
    Comment(String),
    /// This text as it is. Comments may come behind it: what is to follow directly has to be there already.
    Text(String),
    /// A line that never ends, as fast as the client takes it. Nothing comes after it.
    Endless,
    /// Nothing but comments for that time; then what follows.
    Wait(Duration),
    /// Nothing at all from here on, the stream being kept open.
    Silence,
    /// The end of the stream, a clean one.
    End,
    /// The stream breaks off: FIN in the middle of the body, or over HTTP/2 RST_STREAM and the connection is kept.
    Cut,
    /// RST for the connection.
    Reset,
}

impl Piece {
    /// An event of that name with that data.
    pub fn event(name: &str, data: &str) -> Piece {
        Piece::Event(name.to_owned(), data.to_owned())
    }

    pub(super) fn is_last(&self) -> bool {
        matches!(self, Piece::End | Piece::Cut | Piece::Reset)
    }
}

/// An event as its lines. Data of several lines has a field for each.
pub(super) fn event(name: &str, data: &str, line_end: &str) -> String {
    let mut text = format!("event: {name}{line_end}");
    for line in data.split('\n') {
        text.push_str(&format!("data: {line}{line_end}"));
    }
    text + line_end
}

pub(super) fn comment(comment: &str, line_end: &str) -> String {
    format!(": {comment}{line_end}{line_end}")
}
