//! One connection, from its `JOIN` to its end.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

use super::host::{Host, Live, Order};
use super::mode::Mode;
use super::seen::Reason;
use crate::connection::{Ending, end};

/// What a `JOIN` asks for.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) token: Option<String>,
    pub(super) from: Option<String>,
}

impl Request {
    fn parse(line: &str) -> Option<Request> {
        let (token, from) = line.strip_prefix("JOIN ")?.split_once(' ')?;
        let word = |word: &str| (word != "-").then(|| word.to_owned());
        Some(Request {
            token: word(token),
            from: word(from),
        })
    }
}

pub(super) async fn serve(mut stream: TcpStream, host: Arc<Host>) {
    let (reader, writer) = stream.split();
    let mut wire = Wire {
        lines: BufReader::new(reader).lines(),
        writer,
    };
    let ending = wire.join(&host).await;
    end(stream, ending).await;
}

fn fin(words: impl Into<Bytes>) -> Ending {
    Ending::Fin(words.into())
}

#[derive(Debug)]
struct Wire<'a> {
    lines: Lines<BufReader<ReadHalf<'a>>>,
    writer: WriteHalf<'a>,
}

impl Wire<'_> {
    async fn join(&mut self, host: &Arc<Host>) -> Ending {
        let Ok(Some(line)) = self.lines.next_line().await else {
            return fin("");
        };
        let Some(request) = Request::parse(&line) else {
            return fin("BYE protocol\n");
        };
        let mode = host.next();
        match mode {
            Mode::Accept => return self.live(host.welcome(request), None).await,
            Mode::WelcomeThenClose(after) => {
                let close_at = Instant::now() + after;
                return self.live(host.welcome(request), Some(close_at)).await;
            }
            _ => host.turn_away(request),
        }
        match mode {
            Mode::Full => fin("FULL\n"),
            Mode::Unauthorized => fin("UNAUTHORIZED\n"),
            Mode::Busy(after) => fin(format!("BUSY {}\n", after.as_millis())),
            Mode::Close(after) => {
                // Whether the client or the time is gone.
                let _ = timeout(after, self.read_to_end()).await;
                fin("")
            }
            Mode::BlackHole => {
                self.read_to_end().await;
                fin("")
            }
            // A connection that Refuse is about to close brought one more join.
            Mode::Refuse => Ending::Reset,
            Mode::Accept | Mode::WelcomeThenClose(_) => unreachable!("they were welcomed above"),
            Mode::First(..) => unreachable!("a script hands out what is in it"),
        }
    }

    async fn read_to_end(&mut self) {
        while let Ok(Some(_)) = self.lines.next_line().await {}
    }

    /// Runs a session until either side ends it; its end is recorded when this returns.
    async fn live(&mut self, mut live: Live, close_at: Option<Instant>) -> Ending {
        match self.talk(&mut live, close_at).await {
            Ok(ending) => ending,
            Err(_) => {
                live.reason = Reason::Lost;
                fin("")
            }
        }
    }

    async fn talk(&mut self, live: &mut Live, close_at: Option<Instant>) -> io::Result<Ending> {
        self.say(&format!("WELCOME {}\n", live.token)).await?;
        // A session that is not to hear pings has an interval too, which is not polled.
        let every = live.ping.unwrap_or(Duration::from_secs(1));
        let mut pings = interval_at(Instant::now() + every, every);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_silent = false;
        loop {
            tokio::select! {
                biased;
                Some(order) = live.orders.recv() => match order {
                    Order::Say(line) if !is_silent => self.say(&line).await?,
                    Order::Say(_) => {}
                    Order::Silence => is_silent = true,
                    Order::End(ending) => return Ok(ending),
                },
                () = until(close_at) => return Ok(fin("")),
                line = self.lines.next_line() => match line?.as_deref() {
                    None => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Some("LEAVE") => {
                        live.reason = Reason::Leave;
                        return Ok(fin(""));
                    }
                    Some(line) => {
                        if let Some(code) = line.strip_prefix("ABORT ") {
                            live.reason = Reason::Abort(code.to_owned());
                            return Ok(fin(""));
                        }
                        if line.starts_with("ECHO ") && !is_silent {
                            self.say(&format!("{line}\n")).await?;
                        }
                    }
                },
                _ = pings.tick(), if live.ping.is_some() && !is_silent => self.say("PING\n").await?,
            }
        }
    }

    async fn say(&mut self, line: &str) -> io::Result<()> {
        self.writer.write_all(line.as_bytes()).await
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}
