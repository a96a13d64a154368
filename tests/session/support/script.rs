//! What is to happen, and what did.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::time::Instant;
use tower_failover::session::{Attempt, Close, Directive, Event};

use super::{Exit, Peer, Token};

/// What comes of an attempt.
#[derive(Clone, Debug)]
pub(crate) enum Play {
    Refuse(&'static str),
    /// It is never answered.
    Hang,
    /// The session is up until the test says something of it.
    Up,
    /// The session is up for so long, and ends with this.
    UpFor(Duration, Exit),
    /// The session is up, tells this after so long, and stays.
    UpAndTell(Duration, Event<Token, Exit>),
    /// After so long.
    After(Duration, Box<Play>),
}

/// What was asked of the connector.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    pub(crate) at: Instant,
    pub(crate) attempt: Attempt<Token>,
    /// When the session came up.
    pub(crate) up: Option<Instant>,
}

impl Dial {
    pub(crate) fn region(&self) -> &str {
        self.attempt.region.name()
    }
}

/// All that a connector and its sessions share with the test.
#[derive(Clone, Default)]
pub(crate) struct Script {
    pub(super) state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) plays: VecDeque<Play>,
    pub(super) rest: Option<Play>,
    pub(super) dials: Vec<Dial>,
    pub(super) dialing: usize,
    pub(super) most_dialing: usize,
    pub(super) sessions: Vec<Arc<Mutex<Peer>>>,
    pub(super) most_open: usize,
    pub(super) advised: Vec<(Instant, usize)>,
    /// How long sessions take to close.
    pub(super) closing: Duration,
}

impl Script {
    /// These outcomes one after the other; the last one for ever.
    pub(crate) fn new(plays: impl IntoIterator<Item = Play>) -> Self {
        let mut plays: VecDeque<_> = plays.into_iter().collect();
        let rest = plays.pop_back();
        let script = Self::default();
        {
            let mut state = script.lock();
            (state.plays, state.rest) = (plays, rest);
        }
        script
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked here")
    }

    /// Sessions take so long to end in good order.
    pub(crate) fn closing(&self, time: Duration) {
        self.lock().closing = time;
    }

    pub(crate) fn dials(&self) -> Vec<Dial> {
        self.lock().dials.clone()
    }

    /// Where was dialed, in order.
    pub(crate) fn regions(&self) -> Vec<String> {
        let dials = self.dials();
        dials.iter().map(|dial| dial.region().to_owned()).collect()
    }

    /// The time from each dial to the next, in milliseconds.
    pub(crate) fn gaps(&self) -> Vec<u128> {
        let dials = self.dials();
        let gap = |pair: &[Dial]| (pair[1].at - pair[0].at).as_millis();
        dials.windows(2).map(gap).collect()
    }

    /// How many dials are under way.
    pub(crate) fn dialing(&self) -> usize {
        self.lock().dialing
    }

    /// How many dials were under way at the same time.
    pub(crate) fn most_dialing(&self) -> usize {
        self.lock().most_dialing
    }

    /// How many sessions there are by now that were not dropped.
    pub(crate) fn open(&self) -> usize {
        self.lock().open()
    }

    /// How many sessions there were at the same time.
    pub(crate) fn most_open(&self) -> usize {
        self.lock().most_open
    }

    /// Looks at the session that came up as this one, from 0.
    pub(crate) fn peer<T>(&self, n: usize, look: impl FnOnce(&Peer) -> T) -> T {
        look(&self.lock().sessions[n].lock().expect("no panic"))
    }

    /// Has this session tell something.
    pub(crate) fn tell(&self, n: usize, event: Event<Token, Exit>) {
        self.peer(n, |peer| peer.events.send(event).expect("a session"));
    }

    /// Has this session pass on an advice.
    pub(crate) fn advise(&self, n: usize, directive: Directive) {
        self.tell(n, Event::Advice(directive));
    }

    /// Why this session was asked to end.
    pub(crate) fn closed(&self, n: usize) -> Option<Close> {
        self.peer(n, |peer| peer.closed)
    }

    /// The code by which this session was asked to end for good.
    pub(crate) fn code(&self, n: usize) -> Option<u64> {
        match self.closed(n) {
            Some(Close::Shutdown { code }) => Some(code),
            _ => None,
        }
    }

    /// When sessions passed on an advice [by themselves](Play::UpAndTell), and how many dials there were
    /// before.
    pub(crate) fn advised(&self) -> Vec<(Instant, usize)> {
        self.lock().advised.clone()
    }

    /// How many sessions came up.
    pub(crate) fn sessions(&self) -> usize {
        self.lock().sessions.len()
    }

    /// This session takes so long to end in good order.
    pub(crate) fn slow_to_close(&self, n: usize, time: Duration) {
        let peer = self.lock().sessions[n].clone();
        peer.lock().expect("no panic").closing = time;
    }

    /// Whether this session was dropped.
    pub(crate) fn dropped(&self, n: usize) -> bool {
        self.peer(n, |peer| peer.dropped)
    }
}

impl State {
    pub(super) fn open(&self) -> usize {
        let is_open = |peer: &&Arc<Mutex<Peer>>| !peer.lock().expect("no panic").dropped;
        self.sessions.iter().filter(is_open).count()
    }
}
