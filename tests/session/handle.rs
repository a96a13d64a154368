//! What a handle shows, and how it steers.

mod end;
mod kick;
mod last;
mod life;
mod shutdown;

use std::time::Duration;

use tower_failover::session::{Directive, Handle, Phase, Settings};

use crate::support::{Exit, MS, Play::*, SECOND, Script, settings, settle, start};

/// What a supervisor can be doing.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Dialing,
    Waiting,
    Connected,
    /// The old session serves, and the next one is dialed.
    Migrating,
    /// The old session serves, and the next attempt is waited for.
    MigratingLater,
    /// The next session is up, and the old one is slow to close.
    Closing,
    /// Paused while it waited.
    Paused,
    /// Paused with a session that is to be left.
    PausedMigrating,
}

const ALL: [State; 8] = [
    State::Dialing,
    State::Waiting,
    State::Connected,
    State::Migrating,
    State::MigratingLater,
    State::Closing,
    State::Paused,
    State::PausedMigrating,
];

impl State {
    /// A supervisor of `a`, `b` and `c` in this state, whose further dials hang.
    async fn reach(self, settings: Settings) -> (Script, Handle<Exit, usize>) {
        let script = match self {
            Self::Dialing => Script::new([Hang]),
            Self::Waiting | Self::Paused => Script::new([Refuse("no"), Hang]),
            Self::Connected | Self::Migrating | Self::PausedMigrating => Script::new([Up, Hang]),
            Self::MigratingLater => Script::new([Up, Refuse("no"), Hang]),
            Self::Closing => Script::new([Up, Up, Hang]),
        };
        let handle = start("abc", &script, settings);
        settle().await;
        if !matches!(self, Self::Dialing | Self::Waiting | Self::Paused) {
            tokio::time::sleep(2 * SECOND).await;
        }
        if self == Self::Closing {
            script.slow_to_close(0, Duration::MAX);
        }
        if self == Self::PausedMigrating {
            handle.pause();
            settle().await;
        }
        if !matches!(
            self,
            Self::Dialing | Self::Waiting | Self::Paused | Self::Connected
        ) {
            script.advise(0, Directive::migrate());
            settle().await;
        }
        if self == Self::Paused {
            handle.pause();
            settle().await;
        }
        assert_eq!(phase(&handle), self.phase(), "{self:?}");
        assert_eq!(script.open(), self.open(), "{self:?}");
        assert_eq!(script.dialing(), self.dialing(), "{self:?}");
        (script, handle)
    }

    fn phase(self) -> Phase {
        match self {
            Self::Dialing => Phase::Connecting,
            Self::Waiting => Phase::Waiting,
            Self::Connected | Self::Closing => Phase::Connected,
            Self::Migrating | Self::MigratingLater | Self::PausedMigrating => Phase::Migrating,
            Self::Paused => Phase::Paused,
        }
    }

    /// How many sessions are open.
    fn open(self) -> usize {
        match self {
            Self::Dialing | Self::Waiting | Self::Paused => 0,
            Self::Closing => 2,
            _ => 1,
        }
    }

    fn dialing(self) -> usize {
        usize::from(matches!(self, Self::Dialing | Self::Migrating))
    }
}

fn phase(handle: &Handle<Exit, usize>) -> Phase {
    handle.status().borrow().phase
}

/// Waits that a test of some milliseconds does not see the end of.
fn slow() -> Settings {
    let backoff = tower_failover::Backoff::exponential(10 * SECOND, 10 * SECOND);
    settings()
        .backoff(backoff.jitter(tower_failover::Jitter::None))
        .drain(60 * SECOND)
        .attempt_timeout(60 * SECOND)
        .close_timeout(3 * SECOND)
}

/// Some milliseconds later than what takes 50.
const SOON: Duration = Duration::from_millis(60);

#[tokio::test(start_paused = true)]
async fn every_state_is_reached() {
    for state in ALL {
        let (script, handle) = state.reach(slow()).await;
        tokio::time::sleep(MS).await;
        assert_eq!(phase(&handle), state.phase());
        assert_eq!(script.open(), state.open());
    }
}
