use std::{borrow::Cow, time::Duration};

use super::Step;
use crate::region::Region;

/// What to do about an outcome, or on a server's advice.
///
/// The classifier gives one for each [`Outcome`](super::Outcome), a session one with
/// [`Event::Advice`](super::Event::Advice), the program one with [`Handle::kick`](super::Handle::kick). Where
/// several meet, the strongest wins: stop, rejoin, migrate, retry, resume, in this order.
///
/// ```
/// use std::time::Duration;
/// use tower_failover::session::Directive;
///
/// // The server said 429 with Retry-After: 30.
/// let pushed_back = Directive::retry().after(Duration::from_secs(30));
/// // The server is full: another one, and not this one again.
/// let full = Directive::migrate().because("full");
/// assert_ne!(pushed_back, full);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Directive {
    pub(super) kind: Kind,
    pub(super) after: Option<Duration>,
    /// Whether the token is kept; `None` is as is usual with the kind.
    pub(super) keeps: Option<bool>,
    pub(super) excludes: bool,
    pub(super) is_soft: bool,
    pub(super) to: Option<Region>,
    pub(super) within: Option<Duration>,
    pub(super) reason: Option<Cow<'static, str>>,
}

/// In the order of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Go(Step),
    Stop(How),
}

/// How the end is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum How {
    Finish,
    Fail,
}

impl Directive {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            after: None,
            keeps: None,
            excludes: false,
            is_soft: false,
            to: None,
            within: None,
            reason: None,
        }
    }

    /// The same region, now, with the token.
    ///
    /// Now is once after each healthy run, and at the beginning; else it waits like
    /// [`retry`](Self::retry). Sessions that a server loses all together come back all together: where
    /// there are many, retry.
    pub fn resume() -> Self {
        Self::new(Kind::Go(Step::Resume))
    }

    /// The same region, after a wait by the backoff, with the token.
    pub fn retry() -> Self {
        Self::new(Kind::Go(Step::Retry))
    }

    /// Another region, with the token. The one that is left is excluded.
    ///
    /// As advice of a live session, or as a [kick](super::Handle::kick), it overlaps: the old session
    /// serves until the new one is up, or until its time is over. There is no wait once after each
    /// healthy run, and at the beginning; else it is that of the backoff. Where there is no other region
    /// the same is dialed again.
    pub fn migrate() -> Self {
        Self::new(Kind::Go(Step::Migrate))
    }

    /// A new beginning: a fresh list of regions, without the token. Waits like
    /// [`migrate`](Self::migrate).
    pub fn rejoin() -> Self {
        Self::new(Kind::Go(Step::Rejoin))
    }

    /// Stop, all is well: [`closed`](super::Handle::closed) gives the exit.
    pub fn finish() -> Self {
        Self::new(Kind::Stop(How::Finish))
    }

    /// Stop, there is no use in going on: [`closed`](super::Handle::closed) gives the error.
    pub fn fail() -> Self {
        Self::new(Kind::Stop(How::Fail))
    }

    /// Waits for so long at least, and up to a quarter more at random: for `Retry-After` and the like.
    ///
    /// A longer wait by the backoff holds all the same, and a [kick](super::Handle::kick) does not
    /// cut this one short. Where it ends after [`give_up_after`](super::Settings::give_up_after), the
    /// supervisor gives up at once.
    ///
    /// `None` asks for none.
    pub fn after(mut self, wait: impl Into<Option<Duration>>) -> Self {
        self.after = wait.into();
        self
    }

    /// The next session gets the token, also in a [`rejoin`](Self::rejoin).
    pub fn keep_resume(mut self) -> Self {
        self.keeps = Some(true);
        self
    }

    /// The next session gets no token.
    pub fn drop_resume(mut self) -> Self {
        self.keeps = Some(false);
        self
    }

    /// The region is not used again until a healthy run, or for
    /// [`exclusion_ttl`](super::Settings::exclusion_ttl), unless no other is left. So a
    /// [`resume`](Self::resume) or a [`retry`](Self::retry) becomes a migration, with its own wait.
    pub fn exclude(mut self) -> Self {
        self.excludes = true;
        self
    }

    /// The interruption is expected to be short: the [phase](super::Phase) is `Degraded` until the next
    /// attempt has failed.
    pub fn soft(mut self) -> Self {
        self.is_soft = true;
        self
    }

    /// To this region, as a server's redirect names it.
    ///
    /// It has to be one of the [targets](super::Targets) or to be trusted as a discovered region would
    /// be; if it is not, the directive goes on without it.
    ///
    /// `None` names none.
    pub fn to(mut self, region: impl Into<Option<Region>>) -> Self {
        self.to = region.into();
        self
    }

    /// For how long the session that is left may serve at most, as its server says;
    /// [`drain`](super::Settings::drain) holds if it is shorter.
    ///
    /// `None` sets no limit of its own.
    pub fn within(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.within = time.into();
        self
    }

    /// Why, in a word or two, for the [`Cause`](super::Cause) and the logs.
    pub fn because(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// The stronger of two that came at the same time; nothing that forbids is lost.
    pub(super) fn merged(self, other: Self) -> Self {
        let (mut strong, weak) = match other.kind > self.kind {
            true => (other, self),
            false => (self, other),
        };
        if strong.kind == weak.kind && strong.to.is_none() {
            strong.to = weak.to;
        }
        strong.excludes |= weak.excludes;
        if weak.keeps == Some(false) {
            strong.keeps = Some(false);
        }
        strong.after = strong.after.max(weak.after);
        strong.within = match (strong.within, weak.within) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        strong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn of_two_directives_the_stronger_wins_and_nothing_that_forbids_is_lost() {
        let (resume, retry) = (Directive::resume, Directive::retry);
        let (migrate, rejoin) = (Directive::migrate, Directive::rejoin);
        let (finish, fail) = (Directive::finish, Directive::fail);
        let region = |name| Region::new(name, format!("http://{name}")).unwrap();
        let rows = [
            (resume(), retry(), retry()),
            (retry(), migrate(), migrate()),
            (migrate(), rejoin(), rejoin()),
            (rejoin(), finish(), finish()),
            (finish(), fail(), fail()),
            (migrate(), retry().exclude(), migrate().exclude()),
            (migrate(), resume().drop_resume(), migrate().drop_resume()),
            (migrate().keep_resume(), retry(), migrate().keep_resume()),
            (
                migrate().keep_resume(),
                retry().drop_resume(),
                migrate().drop_resume(),
            ),
            (rejoin(), retry().keep_resume(), rejoin()),
            (
                migrate().after(SECOND),
                retry().after(2 * SECOND),
                migrate().after(2 * SECOND),
            ),
            (migrate(), retry().after(SECOND), migrate().after(SECOND)),
            (
                migrate().within(2 * SECOND),
                migrate().within(SECOND),
                migrate().within(SECOND),
            ),
            (
                migrate(),
                migrate().within(SECOND),
                migrate().within(SECOND),
            ),
            (
                migrate(),
                migrate().to(region("a")),
                migrate().to(region("a")),
            ),
            (rejoin(), migrate().to(region("a")), rejoin()),
            (
                migrate().because("full"),
                retry().because("late"),
                migrate().because("full"),
            ),
        ];
        for (one, other, expected) in rows {
            assert_eq!(one.clone().merged(other.clone()), expected);
            assert_eq!(other.merged(one), expected);
        }
    }
}
