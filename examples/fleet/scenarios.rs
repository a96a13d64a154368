//! What the fleet goes through.

use tower_failover::Order;

use super::{
    args::Args,
    fault::{Fault, Outage, REGIONS},
    policy::{Policy, Source},
};

/// How long a run is, in seconds.
const SECONDS: u64 = 300;

/// Calls per second of the whole fleet for which the capacities are written.
const LOAD: f64 = 10_000.0;

const ALL: &[usize] = &[0, 1, 2];
const FIRST: &[usize] = &[0];

#[derive(Clone, Copy, Debug)]
pub(crate) enum Homes {
    /// A third of the clients in each region.
    Even,
    /// All clients in the first region.
    One,
}

impl Homes {
    pub(crate) fn of(self, client: usize) -> usize {
        match self {
            Self::Even => client % REGIONS,
            Self::One => 0,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) clients: usize,
    /// Calls per second of one client.
    pub(crate) rate: f64,
    pub(crate) seconds: u64,
    pub(crate) homes: Homes,
    /// Requests per second that one region can serve.
    pub(crate) capacity: f64,
    pub(crate) outage: Option<Outage>,
    pub(crate) policy: Policy,
    pub(crate) order: Order,
    pub(crate) source: Source,
    /// What a probe costs a region, as a share of what a call costs.
    pub(crate) probe_cost: f64,
    /// The number of calls that a client makes before its process ends and another begins.
    pub(crate) calls_per_process: Option<u32>,
}

impl Scenario {
    fn new(name: &str, about: &str, clients: usize) -> Self {
        Self {
            name: name.into(),
            about: about.into(),
            clients,
            rate: 1.0,
            seconds: SECONDS,
            homes: Homes::Even,
            capacity: 0.0,
            outage: None,
            policy: Policy::Ours,
            order: Order::Spread,
            source: Source::Fixed,
            probe_cost: 1.0,
            calls_per_process: None,
        }
        .capacity(6000.0)
    }

    /// Sets what one region can serve of a fleet that makes 10,000 calls per second; as much of it as
    /// this fleet is smaller.
    fn capacity(mut self, per_second: f64) -> Self {
        self.capacity = per_second * self.clients as f64 * self.rate / LOAD;
        self
    }

    fn busy(mut self) -> Self {
        let capacity = self.capacity;
        self.rate = 50.0;
        self.clients = (self.clients / 50).max(6);
        self.capacity = capacity;
        self
    }

    fn outage(mut self, fault: Fault, regions: &'static [usize]) -> Self {
        self.outage = Some(Outage::new(fault, regions));
        self
    }

    fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    fn homes(mut self, homes: Homes) -> Self {
        self.homes = homes;
        self
    }

    fn source(mut self, source: Source) -> Self {
        self.source = source;
        self
    }

    fn short_lived(mut self, calls: u32) -> Self {
        self.calls_per_process = Some(calls);
        self.seconds = 120;
        self
    }

    pub(crate) fn fault_of(&self, region: usize, now: u64) -> Option<Fault> {
        self.outage.as_ref()?.of(region, now)
    }
}

/// The utilisations of the runs after which a fleet without a budget stays down.
pub(crate) const UTILISATIONS: [u32; 5] = [50, 60, 70, 80, 85];

/// The scenarios of a quick run: those whose goals do not need many clients.
const QUICK: [&str; 16] = [
    "steady",
    "dark",
    "dark/no-failover",
    "dark/unbudgeted-listed",
    "dark/busy",
    "homes",
    "total",
    "total/discovered",
    "discovered/dark",
    "flapping",
    "grey",
    "errors/10",
    "brief/10",
    "cut/50",
    "cut/50/no-failover",
    "cut/50/unbudgeted",
];

/// The scenarios that are asked for, in the order of the table.
pub(crate) fn all(args: &Args) -> Vec<Scenario> {
    let n = args.clients;
    let new = |name: &str, about: &str| Scenario::new(name, about, n);
    let dark = Fault::BlackHole;
    let dead = |name: &str, about: &str| new(name, about).outage(dark, FIRST);
    let total = |name: &str, about: &str| new(name, about).outage(Fault::Refusal, ALL);
    let mut all = vec![
        new("steady", "no fault"),
        dead("dark", "one of three regions never answers"),
        dead("dark/listed", "the same, fallbacks in listed order").order(Order::Listed),
        dead(
            "dark/listed-roomy",
            "the same, a neighbour of 2.1 times its load",
        )
        .order(Order::Listed)
        .capacity(7000.0),
        dead("dark/no-failover", "the same, one attempt").policy(Policy::NoFailover),
        dead(
            "dark/unbudgeted",
            "the same, three attempts without budget or health",
        )
        .policy(Policy::Unbudgeted),
        dead("dark/unbudgeted-listed", "the same, in listed order")
            .policy(Policy::Unbudgeted)
            .order(Order::Listed),
        dead(
            "dark/hedged",
            "the same, with hedges after the 95th percentile",
        )
        .policy(Policy::Hedged),
        dead("dark/busy", "a 50th of the clients at 50 calls a second").busy(),
        dead("homes", "all homes in the region that never answers")
            .homes(Homes::One)
            .capacity(15_000.0),
        new("tight", "one region refuses, the others have 2 % to spare")
            .outage(Fault::Refusal, FIRST)
            .capacity(5100.0),
        dead("tight/dark", "the same, the region never answers").capacity(5100.0),
        total("total", "all regions refuse"),
        total("total/busy", "a 50th of the clients at 50 calls a second").busy(),
        total(
            "total/unbudgeted",
            "three attempts without budget or health",
        )
        .policy(Policy::Unbudgeted),
        total("total/discovered", "regions discovered, nobody answers").source(Source::Discovered),
        total("total/seeded", "the same, with seeds").source(Source::Seeded),
        new("discovered", "regions discovered, one refuses, with seeds")
            .source(Source::Seeded)
            .outage(Fault::Refusal, FIRST),
        dead(
            "discovered/dark",
            "regions discovered, one never answers, with seeds",
        )
        .source(Source::Seeded),
        dead("flapping", "one region 5 s down, 5 s up").outage(Fault::Flapping(5), FIRST),
        new("grey", "30 % errors in one region").outage(Fault::Errors(0.3), FIRST),
        new("errors/10", "10 % errors everywhere").outage(Fault::Errors(0.1), ALL),
        new("errors/50", "50 % errors everywhere").outage(Fault::Errors(0.5), ALL),
        total("brief/1", "processes of one call each, all regions refuse").short_lived(1),
        total(
            "brief/10",
            "processes of ten calls each, all regions refuse",
        )
        .short_lived(10),
    ];
    for percent in UTILISATIONS {
        let clients = n.min(3000);
        let cut = |name: &str, policy| {
            let name = format!("cut/{percent}{name}");
            let about = format!("{percent} % used, 20 s with 40 % of all capacity");
            let mut scenario = Scenario::new(&name, &about, clients)
                .capacity(LOAD / REGIONS as f64 * 100.0 / f64::from(percent))
                .policy(policy);
            scenario.outage = Some(Outage::new(Fault::Capacity(0.4), ALL).until(80));
            scenario
        };
        all.push(cut("", Policy::Ours));
        all.push(cut("/no-failover", Policy::NoFailover));
        if percent >= 80 {
            all.push(cut("/hedged", Policy::Hedged));
            let mut cheap = cut("/cheap-probes", Policy::Ours);
            cheap.probe_cost = 0.1;
            all.push(cheap);
        }
        if percent == UTILISATIONS[0] {
            all.push(cut("/unbudgeted", Policy::Unbudgeted));
        }
    }
    if args.quick {
        all.retain(|scenario| QUICK.contains(&scenario.name.as_str()));
    }
    if let Some(only) = &args.only {
        all.retain(|scenario| scenario.name.starts_with(only.as_str()));
    }
    all
}
