//! What happens to the first region, and when.

use std::{fmt, time::Duration};

use failover_cluster::Fault;
use tower_failover::Health;

/// How long a region takes to answer when it is well; the neighbours are further away.
pub(crate) const DISTANCES: [(&str, Duration); 3] = [
    ("eu", Duration::from_millis(10)),
    ("us", Duration::from_millis(40)),
    ("ap", Duration::from_millis(70)),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Well,
    Refuse,
    Answer503,
    BlackHole,
    Brownout,
    Recovery,
}

impl Phase {
    pub(crate) fn fault(self) -> Fault {
        let ms = Duration::from_millis;
        match self {
            Phase::Well | Phase::Recovery => Fault::Delay(DISTANCES[0].1),
            Phase::Refuse => Fault::Refuse,
            Phase::Answer503 => Fault::Status(503),
            Phase::BlackHole => Fault::BlackHole,
            Phase::Brownout => Fault::Turns(vec![
                Fault::Delay(ms(200)),
                Fault::Delay(ms(350)),
                Fault::Late(ms(300), Box::new(Fault::Status(503))),
            ]),
        }
    }

    /// Whether the region answers no call well.
    pub(crate) fn is_dead(self) -> bool {
        matches!(self, Phase::Refuse | Phase::Answer503 | Phase::BlackHole)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Phase::Well => "all well",
            Phase::Refuse => "refuse",
            Phase::Answer503 => "503",
            Phase::BlackHole => "black hole",
            Phase::Brownout => "brownout",
            Phase::Recovery => "recovery",
        })
    }
}

#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) phase: Phase,
    pub(crate) length: Duration,
}

#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) steps: Vec<Step>,
    /// How long each client waits for one region.
    pub(crate) attempt_timeout: Duration,
    /// How ours remembers regions.
    pub(crate) health: Health,
    /// The width of a point in the picture.
    pub(crate) window: Duration,
}

impl Script {
    pub(crate) fn minute() -> Self {
        Script {
            steps: steps([5_000, 6_000, 6_000, 8_000, 6_000, 29_000]),
            attempt_timeout: Duration::from_secs(1),
            health: Health::default(),
            window: Duration::from_secs(1),
        }
    }

    /// The same in a fifth of the time.
    pub(crate) fn quick() -> Self {
        let (min, max) = (Duration::from_millis(200), Duration::from_millis(400));
        Script {
            steps: steps([1_500, 1_500, 1_500, 2_500, 1_500, 3_500]),
            attempt_timeout: Duration::from_millis(500),
            health: Health::default()
                .probe_every(min, max)
                .ramp(Duration::from_secs(1)),
            window: Duration::from_millis(500),
        }
    }

    pub(crate) fn length(&self) -> Duration {
        self.steps.iter().map(|step| step.length).sum()
    }
}

fn steps(millis: [u64; 6]) -> Vec<Step> {
    let phases = [
        Phase::Well,
        Phase::Refuse,
        Phase::Answer503,
        Phase::BlackHole,
        Phase::Brownout,
        Phase::Recovery,
    ];
    let lengths = millis.into_iter().map(Duration::from_millis);
    let steps = phases.into_iter().zip(lengths);
    steps
        .map(|(phase, length)| Step { phase, length })
        .collect()
}
