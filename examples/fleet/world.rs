//! What all clients of a run share: the regions, and the counts.

use std::sync::{Mutex, MutexGuard};

use http::StatusCode;
use tokio::time::Instant;

use super::{
    call_log::{CallLog, RETURN},
    events,
    fault::{Fault, REGIONS},
    net::{Fate, Kind},
    scenarios::Scenario,
    server::Server,
};

/// The network's time there and back, in milliseconds.
const AT_HOME: f64 = 20.0;
const ELSEWHERE: f64 = 100.0;
/// The mean of what chance adds to it.
const CHANCE: f64 = 10.0;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    begin: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    servers: [Server; REGIONS],
    log: CallLog,
    /// The probes that are under way, by client and region.
    probes: Vec<[u8; REGIONS]>,
}

impl World {
    pub(crate) fn new(scenario: Scenario) -> Self {
        let state = State {
            servers: std::array::from_fn(|_| Server::new(scenario.capacity)),
            log: CallLog::new(scenario.seconds as usize),
            probes: vec![[0; REGIONS]; scenario.clients],
        };
        Self {
            scenario,
            begin: Instant::now(),
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("counting does not panic")
    }

    /// Milliseconds since the run began: the clock has no smaller ones.
    pub(crate) fn now(&self) -> u64 {
        self.begin.elapsed().as_millis() as u64
    }

    pub(crate) fn home_of(&self, client: usize) -> usize {
        self.scenario.homes.of(client)
    }

    /// A request reaches a region. The whole of the network's time is on the way back, so that the
    /// queue sees requests in the order of their arrival.
    pub(crate) fn arrives(&self, client: usize, region: usize, kind: Kind) -> Fate {
        let (now, home) = (self.now(), self.home_of(client));
        let state = &mut *self.state();
        state.note(now, client, region, home, kind);

        let distance = if region == home { AT_HOME } else { ELSEWHERE };
        let network = distance + exponential(CHANCE);
        let cost = match kind {
            Kind::Probe => self.scenario.probe_cost,
            Kind::Attempt { .. } | Kind::Lookup => 1.0,
        };
        let mut served = |share| match state.servers[region].take(now, cost, share) {
            Some(here) => (StatusCode::OK, here),
            None => (StatusCode::SERVICE_UNAVAILABLE, 0.0),
        };
        let (status, here) = match self.scenario.fault_of(region, now) {
            Some(Fault::BlackHole | Fault::Flapping(_)) => {
                return Fate {
                    status: StatusCode::OK,
                    after: None,
                };
            }
            Some(Fault::Refusal) => (StatusCode::SERVICE_UNAVAILABLE, 0.0),
            Some(Fault::Capacity(share)) => served(share),
            Some(Fault::Errors(share)) => match served(1.0) {
                (_, here) if fastrand::f64() < share => (StatusCode::SERVICE_UNAVAILABLE, here),
                well => well,
            },
            None => served(1.0),
        };
        Fate {
            status,
            after: Some(network + here),
        }
    }

    pub(crate) fn probe_ended(&self, client: usize, region: usize) {
        self.state().probes[client][region] -= 1;
    }

    /// A user's call begins.
    pub(crate) fn call_begins(&self, client: usize) {
        let (now, home) = (self.now(), self.home_of(client));
        if let Some(second) = self.state().log.at(now) {
            second.calls[home] += 1;
        }
    }

    /// A call ends that began at this millisecond.
    pub(crate) fn call_ends(&self, begin: u64, is_success: bool) {
        let now = self.now();
        if let Some(second) = self.state().log.at(begin) {
            second.succeeded += u32::from(is_success);
            second.latencies.add(now - begin);
        }
    }

    /// Calls and successes of the last seconds, for a line of progress.
    pub(crate) fn progress(&self, seconds: std::ops::Range<usize>) -> (u32, u32) {
        let state = self.state();
        let seconds = &state.log.seconds[seconds];
        let calls = seconds.iter().flat_map(|second| second.calls).sum();
        let succeeded = seconds.iter().map(|second| second.succeeded).sum();
        (calls, succeeded)
    }

    /// The counts, once the run is over.
    pub(crate) fn take_log(&self) -> CallLog {
        std::mem::replace(&mut self.state().log, CallLog::new(0))
    }
}

impl State {
    fn note(&mut self, now: u64, client: usize, region: usize, home: usize, kind: Kind) {
        if kind == Kind::Probe {
            let probes = &mut self.probes[client][region];
            *probes += 1;
            self.log.most_probes = self.log.most_probes.max(*probes);
        }
        let is_first = kind == Kind::Attempt { is_first: true };
        let Some(second) = self.log.at(now) else {
            return;
        };
        match kind {
            Kind::Attempt { .. } => second.attempts[region] += 1,
            Kind::Probe => second.probes[region] += 1,
            Kind::Lookup => second.lookups[region] += 1,
        }
        if is_first && region == home {
            second.at_home[home] += 1;
        }
        if let Some(back) = events::back_since(client, home).filter(|_| is_first) {
            let since = (now - back) / 1000;
            if let Some((at_home, all)) = self.log.returns.get_mut(since as usize) {
                *at_home += u32::from(region == home);
                *all += 1;
            }
        }
    }
}

/// A sample of the exponential distribution with this mean.
pub(crate) fn exponential(mean: f64) -> f64 {
    -mean * (1.0 - fastrand::f64()).ln()
}

const _: () = assert!(RETURN > 10, "the ramp takes ten seconds");
