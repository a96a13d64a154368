use std::time::Duration;

/// What a server does when a session asks to join.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Mode {
    /// Welcomes it.
    Accept,
    /// Welcomes it, and closes (FIN) after that time without a word.
    WelcomeThenClose(Duration),
    /// Closes (FIN) after that time without an answer.
    Close(Duration),
    /// Answers `FULL` and closes.
    Full,
    /// Answers `BUSY <ms>`, the time after which to try again, and closes.
    Busy(Duration),
    /// Answers `UNAUTHORIZED` and closes.
    Unauthorized,
    /// Never answers.
    BlackHole,
    /// Refuses connections. Those that exist are closed. Cannot be inside [`Mode::First`].
    Refuse,
    /// The first so many meet this mode, the others [`Mode::Accept`]. Counted from when it is set.
    First(usize, Box<Mode>),
}

impl Mode {
    /// What cannot be done about this mode, if anything.
    pub(super) fn objection(&self) -> Option<&'static str> {
        match self {
            Mode::First(_, inner) if matches!(**inner, Mode::Refuse) => {
                Some("a refused connection brings no join to count")
            }
            Mode::First(_, inner) => inner.objection(),
            _ => None,
        }
    }

    /// What the join meets that comes after `earlier` others.
    fn for_join(&self, earlier: usize) -> Mode {
        match self {
            Mode::First(n, inner) if earlier < *n => inner.for_join(earlier),
            Mode::First(..) => Mode::Accept,
            mode => mode.clone(),
        }
    }
}

/// The mode in force and the number of joins that met it.
#[derive(Debug)]
pub(super) struct Script {
    mode: Mode,
    met: usize,
}

impl Script {
    pub(super) fn new(mode: Mode) -> Self {
        Script { mode, met: 0 }
    }

    pub(super) fn next(&mut self) -> Mode {
        let mode = self.mode.for_join(self.met);
        self.met += 1;
        mode
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_ends_after_n_joins() {
        let mut script = Script::new(Mode::First(2, Box::new(Mode::Full)));
        assert!(matches!(script.next(), Mode::Full));
        assert!(matches!(script.next(), Mode::Full));
        assert!(matches!(script.next(), Mode::Accept));
    }

    #[test]
    fn a_refusal_cannot_be_counted() {
        let refusal = Mode::First(1, Box::new(Mode::First(1, Box::new(Mode::Refuse))));
        assert!(refusal.objection().is_some());
        assert!(Mode::Refuse.objection().is_none());
        assert!(Mode::First(1, Box::new(Mode::Full)).objection().is_none());
    }
}
