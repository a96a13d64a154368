//! Random connectors, classifiers, settings and programs.

use std::time::Duration;

use proptest::{collection::vec, option, prelude::*, sample::select};
use tower_failover::{
    Backoff, Jitter,
    session::{Directive, Event, Forgive, Settings},
};

use super::says::{Says, says};
use crate::support::{MS, Play};

/// What attempts fail and sessions end with: which of the directives answers it.
const NAMES: [&str; 6] = ["0", "1", "2", "3", "4", "5"];

/// What the program does, and how long after what it did before.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Pause,
    Unpause,
    Kick(Says),
}

#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) regions: usize,
    pub(super) plays: Vec<Play>,
    /// What the classifier says, by name; the first when an attempt takes too long.
    pub(super) says: Vec<Says>,
    pub(super) acts: Vec<(Duration, Act)>,
    /// When it is shut down, or dropped.
    pub(super) stop: Duration,
    pub(super) is_dropped: bool,
    pub(super) base: Duration,
    pub(super) cap: Duration,
    pub(super) factor: f64,
    pub(super) jitter: Jitter,
    pub(super) times: Times,
    pub(super) per_target_attempts: u32,
    pub(super) forgives_early: bool,
    pub(super) seed: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Times {
    pub(super) healthy_after: Duration,
    pub(super) attempt_timeout: Duration,
    pub(super) give_up_after: Option<Duration>,
    pub(super) exclusion_ttl: Duration,
    pub(super) drain: Duration,
    close_timeout: Duration,
    pub(super) closing: Duration,
}

impl Case {
    pub(super) fn settings(&self) -> Settings {
        let backoff = Backoff::exponential(self.base, self.cap);
        let forgive = match self.forgives_early {
            true => Forgive::OnConnect,
            false => Forgive::OnHealthy,
        };
        Settings::new()
            .backoff(backoff.factor(self.factor).jitter(self.jitter))
            .healthy_after(self.times.healthy_after)
            .attempt_timeout(self.times.attempt_timeout)
            .give_up_after(self.times.give_up_after)
            .per_target_attempts(self.per_target_attempts)
            .exclusion_ttl(self.times.exclusion_ttl)
            .forgive(forgive)
            .drain(self.times.drain)
            .close_timeout(self.times.close_timeout)
    }

    /// The least that the wait can be which is drawn as this one since the last healthy run, from 1.
    pub(super) fn least(&self, n: i32) -> Duration {
        let ceiling = self.base.mul_f64(self.factor.powi(n - 1).min(1e6));
        let share = match self.jitter {
            Jitter::None => 1.0,
            _ => 0.5,
        };
        ceiling.min(self.cap).mul_f64(share).max(50 * MS)
    }
}

pub(super) fn ms(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

fn play() -> impl Strategy<Value = Play> {
    let up = || prop_oneof![3 => ms(0..300), 1 => ms(0..4000)];
    let play = prop_oneof![
        4 => select(&NAMES[..]).prop_map(Play::Refuse),
        1 => Just(Play::Hang),
        4 => (up(), select(&NAMES[..])).prop_map(|(time, exit)| Play::UpFor(time, exit)),
        3 => (up(), option::of(ms(0..500))).prop_map(|(time, within)| {
            let advice = Directive::migrate();
            let advice = match within {
                Some(within) => advice.within(within),
                None => advice,
            };
            Play::UpAndTell(time, Event::Advice(advice))
        }),
    ];
    let later = option::weighted(0.3, ms(1..500));
    (play, later).prop_map(|(play, later)| match later {
        Some(later) => Play::After(later, Box::new(play)),
        None => play,
    })
}

fn times() -> impl Strategy<Value = Times> {
    let give_up_after = option::of(ms(500..20_000));
    (
        ms(50..3000),
        ms(50..3000),
        give_up_after,
        ms(100..60_000),
        ms(0..2000),
        ms(0..500),
        ms(0..700),
    )
        .prop_map(|times| Times {
            healthy_after: times.0,
            attempt_timeout: times.1,
            give_up_after: times.2,
            exclusion_ttl: times.3,
            drain: times.4,
            close_timeout: times.5,
            closing: times.6,
        })
}

pub(super) fn case(kicks: bool) -> impl Strategy<Value = Case> {
    let kick = says().prop_map(Act::Kick).boxed();
    let pause = prop_oneof![Just(Act::Pause), Just(Act::Unpause)].boxed();
    let act = match kicks {
        true => prop_oneof![kick, pause].boxed(),
        false => pause,
    };
    let jitter = select(&[Jitter::None, Jitter::Equal][..]);
    let backoff = (
        ms(1..500),
        ms(1..5000),
        select(&[1.0, 1.5, 2.0, 3.0][..]),
        jitter,
    );
    let script = (1..=4usize, vec(play(), 1..40), vec(says(), NAMES.len()));
    let program = (vec((ms(0..3000), act), 0..12), ms(0..60_000), any::<bool>());
    let rest = (0..5u32, any::<bool>(), any::<u64>());
    (script, program, backoff, times(), rest).prop_map(|(script, program, backoff, times, rest)| {
        Case {
            regions: script.0,
            plays: script.1,
            says: script.2,
            acts: program.0,
            stop: program.1,
            is_dropped: program.2,
            base: backoff.0,
            cap: backoff.1.max(backoff.0),
            factor: backoff.2,
            jitter: backoff.3,
            times,
            per_target_attempts: rest.0,
            forgives_early: rest.1,
            seed: rest.2,
        }
    })
}
