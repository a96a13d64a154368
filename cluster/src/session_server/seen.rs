use tokio::time::Instant;

/// What a server saw, in order.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Seen {
    /// When each connection was accepted.
    pub connections: Vec<Instant>,
    /// Every `JOIN`.
    pub joins: Vec<Join>,
    /// Every end of a session that was welcomed.
    pub ends: Vec<End>,
    /// How many sessions are live: welcomed and not ended.
    pub live: usize,
}

impl Seen {
    /// How many joins resumed a session.
    pub fn resumed(&self) -> usize {
        self.joins.iter().filter(|join| join.resumed).count()
    }

    /// Whether a session was ended by its client, for that reason.
    pub fn ended(&self, reason: &Reason) -> bool {
        self.ends.iter().any(|end| end.reason == *reason)
    }
}

/// One `JOIN`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Join {
    /// When it came.
    pub at: Instant,
    /// The token of the session to resume.
    pub token: Option<String>,
    /// The region that the session comes from.
    pub from: Option<String>,
    /// The token it was welcomed with, if it was.
    pub welcome: Option<String>,
    /// Whether it was welcomed with the token it asked for.
    pub resumed: bool,
}

/// The end of one session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct End {
    /// When it ended.
    pub at: Instant,
    /// Its token.
    pub token: String,
    /// How it ended.
    pub reason: Reason,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The client said `LEAVE`.
    Leave,
    /// The client said `ABORT` with that code.
    Abort(String),
    /// The client was gone without a word.
    Lost,
    /// The server ended it.
    Server,
}
