//! Which region a session goes to.

mod discovered;
mod picking;
mod redirect;
mod shared;

use std::{
    collections::VecDeque,
    future::{Ready, ready},
    sync::{Arc, Mutex},
    time::Duration,
};

use tower::service_fn;
use tower_failover::{
    BoxError, Discovery, Query, Region, RegionList, Regions,
    session::{Handle, Supervisor, Targets},
};

use crate::support::{Exit, Script, settings};

/// Whom the list of regions is asked for.
const API: &str = "https://api.example.com";

fn region(name: &str) -> Region {
    Region::new(name, format!("https://{name}.example.com")).unwrap()
}

/// A discovery service that answers with these lists of one-letter names one after the other, `!` for a
/// failure and the last one for ever, and records what it is asked.
#[derive(Clone)]
struct Source {
    answers: Arc<Mutex<VecDeque<&'static str>>>,
    asked: Arc<Mutex<Vec<Query>>>,
}

impl Source {
    fn new(answers: &[&'static str]) -> Self {
        Self {
            answers: Arc::new(Mutex::new(answers.iter().copied().collect())),
            asked: Arc::default(),
        }
    }

    fn discovery(&self) -> Discovery {
        let source = self.clone();
        Discovery::service(service_fn(move |query| source.answer(query)))
    }

    fn answer(&self, query: Query) -> Ready<Result<RegionList, BoxError>> {
        self.asked.lock().unwrap().push(query);
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.len() {
            1 => answers[0],
            _ => answers.pop_front().unwrap(),
        };
        ready(match answer {
            "!" => Err("no answer".into()),
            names => {
                let regions = names.chars().map(|name| region(&name.to_string()));
                Ok(RegionList::new(regions.collect()).ttl(Duration::from_secs(600)))
            }
        })
    }

    /// What it was asked: which were excluded, and what was left.
    fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let text = |query: &Query| {
            let excluded: String = query.excluded().iter().map(Region::name).collect();
            let from = query.migrating_from().map_or("-", Region::name);
            format!("{from}/{excluded}")
        };
        asked.iter().map(text).collect()
    }

    fn coordinator(&self) -> Targets {
        let targets = Targets::from(Regions::discover(self.discovery()));
        targets.coordinator(API).unwrap()
    }

    fn home(&self, home: &str) -> Targets {
        let targets = Targets::from(Regions::discover(self.discovery()));
        targets.home(home).unwrap()
    }
}

fn begin(targets: impl Into<Targets>, script: &Script) -> Handle<Exit, usize> {
    let supervisor = Supervisor::new(targets, script.clone());
    supervisor.settings(settings()).seed(1).start().unwrap()
}

/// The epoch is reached.
async fn epoch(handle: &Handle<Exit, usize>, epoch: u64) {
    let mut status = handle.status();
    let reached = status.wait_for(|status| status.epoch >= epoch);
    let reached = tokio::time::timeout(Duration::from_secs(600), reached).await;
    reached.expect("in time").expect("running");
}
