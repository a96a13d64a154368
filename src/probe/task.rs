use std::{future::pending, panic::AssertUnwindSafe, pin::pin, sync::Arc};

use futures_util::{
    future::{BoxFuture, Either, FutureExt, select},
    stream::{FuturesUnordered, StreamExt},
};
use http::Request;
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::Running;
use crate::{
    budget::Withdrawal,
    classify::{Classify, Outcome, Reason, Verdict},
    client::{Client, Probe},
    config::{Config, Shared},
    region::{Memory, Region},
    regions::Directory,
    report, request,
    time::after,
};

/// Probes the regions of a layer until none is out.
pub(super) struct Task {
    /// Those of the layer or service whose call began it, which may be gone before the others.
    config: Config,
    directory: Arc<Directory>,
    client: Arc<dyn Client>,
    probes: FuturesUnordered<BoxFuture<'static, Probed>>,
    /// The regions of these probes.
    under_way: Vec<Arc<Memory>>,
    /// When there may be a probe for which the budget has no token.
    next_unpaid: Instant,
}

/// A region that is out, and not being probed.
struct Candidate {
    region: Region,
    memory: Arc<Memory>,
    at: Instant,
    is_repeated: bool,
}

/// A probe that came to its end.
struct Probed {
    region: Region,
    memory: Arc<Memory>,
    sent: Instant,
    result: Probe,
    /// What it cost.
    token: Option<Withdrawal>,
}

impl Task {
    pub(super) fn new(shared: &Shared, client: Arc<dyn Client>) -> Self {
        Self {
            config: shared.config.clone(),
            directory: shared.directory.clone(),
            client,
            probes: FuturesUnordered::new(),
            under_way: Vec::new(),
            next_unpaid: Instant::now(),
        }
    }

    /// Runs until no region is out. `wake` tells of another region that is.
    pub(super) async fn run(mut self, wake: Arc<Notify>, mut running: Running) {
        let is_off = self.config.health.is_off();
        while self.directory.is_work_left(is_off) || !running.may_end(&self.directory, is_off) {
            let next = self.start_probes();
            if is_off && self.directory.needs_probes() {
                // Left to a call of a layer that probes.
                return;
            }
            if let Some(probed) = self.next_event(next, &wake).await {
                self.conclude(probed);
            }
        }
    }

    /// Waits until a probe ends, one is due, or another region is out.
    async fn next_event(&mut self, next: Option<Instant>, wake: &Notify) -> Option<Probed> {
        let answer = async {
            match self.probes.next().await {
                Some(probed) => probed,
                None => pending().await,
            }
        };
        let (answer, woken) = (pin!(answer), pin!(wake.notified()));
        let event = select(answer, woken);
        let event = match next {
            Some(next) => timeout_at(next, event).await.ok()?,
            None => event.await,
        };
        match event {
            Either::Left((probed, _)) => Some(probed),
            Either::Right(_) => None,
        }
    }

    /// Sends the probes that are due. Says when the next one is.
    fn start_probes(&mut self) -> Option<Instant> {
        let is_off = self.config.health.is_off();
        let now = Instant::now();
        let mut next: Option<Instant> = None;
        for candidate in self.candidates() {
            let at = if candidate.at > now {
                candidate.at
            } else if is_off {
                // It was held out by hand, and nothing is probed.
                self.restore(&candidate);
                continue;
            } else {
                match self.pay(&candidate, now) {
                    Ok(token) => {
                        self.send(candidate, token);
                        continue;
                    }
                    Err(later) => later,
                }
            };
            next = Some(next.map_or(at, |next| next.min(at)));
        }
        next
    }

    /// The regions that may be probed, the one first that has waited longest.
    fn candidates(&self) -> Vec<Candidate> {
        let is_idle = |memory: &Arc<Memory>| !self.under_way.iter().any(|m| Arc::ptr_eq(m, memory));
        let out = self.directory.work(self.config.health.is_off());
        let mut candidates: Vec<_> = out
            .into_iter()
            .filter(|(_, memory)| is_idle(memory))
            .filter_map(|(region, memory)| {
                let (at, is_repeated) = memory.next_probe()?;
                Some(Candidate {
                    region,
                    memory,
                    at,
                    is_repeated,
                })
            })
            .collect();
        candidates.sort_by_key(|candidate| candidate.at);
        candidates
    }

    /// Takes a token for a probe that is not the first; says how long it has to wait when there is
    /// none to spare.
    fn pay(&mut self, candidate: &Candidate, now: Instant) -> Result<Option<Withdrawal>, Instant> {
        if !candidate.is_repeated {
            return Ok(None);
        }
        let Config { budget, health, .. } = &self.config;
        let token = budget.withdraw_spare();
        report::budget(|| budget.available());
        if token.is_none() {
            if now < self.next_unpaid {
                return Err(self.next_unpaid);
            }
            self.next_unpaid = after(now, health.unpaid());
        }
        Ok(token)
    }

    fn send(&mut self, candidate: Candidate, mut token: Option<Withdrawal>) {
        let Candidate { region, memory, .. } = candidate;
        let (method, path) = self.config.health.probe_request();
        let mut request = Request::new(());
        *request.method_mut() = method.clone();
        *request.uri_mut() = request::uri(region.origin(), path.clone());
        memory.probed();
        if let Some(token) = &mut token {
            token.sent();
        }
        self.under_way.push(memory.clone());
        let (client, within) = (self.client.clone(), self.config.health.probe_timeout());
        let sent = Instant::now();
        let probe = async move {
            // A client that panics tells no more than one that fails.
            let result = AssertUnwindSafe(async { client.probe(request, within).await });
            let result = result.catch_unwind().await;
            Probed {
                region,
                memory,
                sent,
                result: result.unwrap_or_else(|_| Probe::Failed("the client panicked".into())),
                token,
            }
        };
        self.probes.push(probe.boxed());
    }

    fn restore(&self, candidate: &Candidate) {
        if candidate.memory.release(Instant::now()) {
            self.directory.restored(&candidate.region);
        }
    }

    fn conclude(&mut self, probed: Probed) {
        let Probed {
            region,
            memory,
            sent,
            result,
            token,
        } = probed;
        self.under_way.retain(|known| !Arc::ptr_eq(known, &memory));
        let Config {
            health, classifier, ..
        } = &self.config;
        let sign = Sign::of(&result, &**classifier);
        let status = match result {
            Probe::Answered(status) => Some(status),
            _ => None,
        };
        report::probed(&region, status);
        let now = Instant::now();
        match sign {
            Sign::Life => {
                if let Some(token) = token {
                    token.refund();
                }
                if memory.probe_succeeded(health, sent, now) {
                    self.directory.restored(&region);
                }
            }
            Sign::None => {
                // Nothing was asked of the region.
                if let Some(token) = token {
                    token.refund();
                }
                memory.probe_missed(health, sent, now);
            }
            Sign::Trouble => memory.probe_failed(health, sent, now),
        }
    }
}

/// What a probe says of its region.
enum Sign {
    Life,
    Trouble,
    None,
}

impl Sign {
    fn of(result: &Probe, classifier: &dyn Classify) -> Self {
        match result {
            Probe::Answered(status) if status.as_u16() < 500 => Self::Life,
            Probe::Answered(_) | Probe::Unavailable | Probe::TimedOut => Self::Trouble,
            Probe::NotSent => Self::None,
            // The client may have had no room, as calls may find too; that is not the region's fault.
            Probe::Failed(error) => match classifier.classify(Outcome::Error(&**error)) {
                Verdict::Failed(failure) if failure.reason() == Reason::NotReady => Self::None,
                _ => Self::Trouble,
            },
        }
    }
}
