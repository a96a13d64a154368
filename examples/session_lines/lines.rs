//! A client of the line protocol that `failover_cluster::SessionServer` speaks, for the examples of
//! sessions: what a WebSocket or a QUIC library is elsewhere.

use std::{fmt, io, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tower_failover::Region;

/// A connection that was welcomed.
pub(crate) struct Lines {
    lines: tokio::io::Lines<BufReader<TcpStream>>,
    heard: Instant,
}

/// Why there is no connection, or none any more.
#[derive(Debug)]
pub(crate) enum Fault {
    Io(io::Error),
    /// Nothing was heard for too long.
    Silent,
    Full,
    Busy(Duration),
    Unauthorized,
    /// The server closed it, with a code.
    Bye(String),
}

impl Lines {
    /// Connects and joins. Beside the connection there is the token by which to resume it.
    pub(crate) async fn join(
        region: &Region,
        token: Option<&str>,
        from: Option<&str>,
    ) -> Result<(Self, String), Fault> {
        let at = region.origin();
        let stream = TcpStream::connect(format!("{}:{}", at.host(), at.port())).await?;
        stream.set_nodelay(true)?;
        let mut lines = Self {
            lines: BufReader::new(stream).lines(),
            heard: Instant::now(),
        };
        let (token, from) = (token.unwrap_or("-"), from.unwrap_or("-"));
        lines.say(format!("JOIN {token} {from}")).await?;
        let answer = lines.lines.next_line().await?;
        let answer = answer.ok_or(io::ErrorKind::UnexpectedEof)?;
        match answer.split_once(' ').unwrap_or((&answer, "")) {
            ("WELCOME", token) => Ok((lines, token.to_owned())),
            ("FULL", _) => Err(Fault::Full),
            ("BUSY", time) => Err(Fault::Busy(millis(time).unwrap_or_default())),
            ("UNAUTHORIZED", _) => Err(Fault::Unauthorized),
            _ => Err(Fault::Bye(answer)),
        }
    }

    /// The next line, unless there was none for so long. Cancel safe.
    pub(crate) async fn next(&mut self, silence: Duration) -> Result<String, Fault> {
        let line = timeout_at(self.heard + silence, self.lines.next_line()).await;
        let line = line.map_err(|_| Fault::Silent)??;
        self.heard = Instant::now();
        let line = line.ok_or(io::ErrorKind::UnexpectedEof)?;
        match line.strip_prefix("BYE ") {
            Some(code) => Err(Fault::Bye(code.to_owned())),
            None => Ok(line),
        }
    }

    pub(crate) async fn say(&mut self, line: impl fmt::Display) -> io::Result<()> {
        let line = format!("{line}\n");
        self.lines.get_mut().write_all(line.as_bytes()).await
    }

    /// Says a last word, and waits until the server has hung up on it.
    pub(crate) async fn part(mut self, line: impl fmt::Display) -> Result<(), Fault> {
        self.say(line).await?;
        while self.lines.next_line().await?.is_some() {}
        Ok(())
    }
}

/// A time as the protocol has it.
pub(crate) fn millis(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_millis)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Silent => f.write_str("the server fell silent"),
            Self::Full => f.write_str("the server is full"),
            Self::Busy(time) => write!(f, "the server is busy for {time:?}"),
            Self::Unauthorized => f.write_str("the server does not let us in"),
            Self::Bye(code) => write!(f, "the server closed with {code}"),
        }
    }
}

impl std::error::Error for Fault {}

impl<E: Into<io::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Io(error.into())
    }
}
