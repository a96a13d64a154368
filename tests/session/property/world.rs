//! A supervisor at the mercy of a script, and what was seen of it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::{Instant, sleep, sleep_until};
use tower_failover::session::{Closed, Error, Handle, Outcome, Supervisor};

use super::{
    says::Says,
    scripts::{Act, Case},
};
use crate::support::{Dial, Exit, MS, Refused, Script, regions, tasks};

/// Something that went wrong, and what was said of it.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    pub(super) at: Instant,
    /// How many dials there were before.
    pub(super) dials: usize,
    pub(super) says: Says,
    /// Of a session that was told to go, rather than an attempt or session that failed.
    pub(super) is_advice: bool,
}

#[derive(Debug)]
pub(super) struct Seen {
    pub(super) dials: Vec<Dial>,
    pub(super) wrongs: Vec<Wrong>,
    /// From when to when there was a pause.
    pub(super) pauses: Vec<(Instant, Instant)>,
    pub(super) epochs: Vec<u64>,
    pub(super) most_dialing: usize,
    pub(super) most_open: usize,
    /// How it ended before it was stopped.
    pub(super) end: Option<Result<Closed<Exit>, Error>>,
    pub(super) stopped_at: Instant,
    pub(super) dials_when_stopped: usize,
    /// Dials, sessions and tasks that are left.
    pub(super) left: (usize, usize, usize),
}

pub(super) fn run(case: &Case) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(live(case))
}

async fn live(case: &Case) -> Seen {
    let script = Script::new(case.plays.clone());
    script.closing(case.times.closing);
    let wrongs = Arc::<Mutex<Vec<Wrong>>>::default();
    let handle = start(case, &script, &wrongs);
    let mut status = handle.status();
    let epochs = tokio::spawn(async move {
        let mut epochs = Vec::new();
        while status.changed().await.is_ok() {
            epochs.push(status.borrow_and_update().epoch);
        }
        epochs
    });

    let pauses = act(case, &handle).await;
    let stopped_at = Instant::now();
    let end = match futures_util::FutureExt::now_or_never(handle.closed()) {
        Some(end) => Some(end),
        None if case.is_dropped => None,
        None => {
            handle.shutdown().await;
            None
        }
    };
    drop(handle);
    // Until the task that is told to end has been polled.
    sleep(MS).await;
    let dials_when_stopped = script.dials().len();
    sleep(Duration::from_secs(600)).await;
    let epochs = epochs.await.expect("no panic");
    let mut wrongs = wrongs.lock().expect("no panic").clone();
    wrongs.extend(script.advised().into_iter().map(|(at, dials)| Wrong {
        at,
        dials,
        says: Says::migrate(),
        is_advice: true,
    }));
    wrongs.sort_by_key(|wrong| (wrong.at, wrong.dials));
    Seen {
        dials: script.dials(),
        wrongs,
        pauses,
        epochs,
        most_dialing: script.most_dialing(),
        most_open: script.most_open(),
        end,
        stopped_at,
        dials_when_stopped,
        left: (script.dialing(), script.open(), tasks()),
    }
}

fn start(case: &Case, script: &Script, wrongs: &Arc<Mutex<Vec<Wrong>>>) -> Handle<Exit, usize> {
    let names = &"abcd"[..case.regions];
    let (says, wrongs, seen) = (case.says.clone(), wrongs.clone(), script.clone());
    Supervisor::new(regions(names), script.clone())
        .settings(case.settings())
        .seed(case.seed)
        .classifier(move |outcome: Outcome<'_, Refused, Exit>| {
            let name = match outcome {
                Outcome::ConnectFailed(Refused(name)) => name,
                Outcome::Exited { exit, .. } => exit,
                _ => "0",
            };
            let says = says[name.parse::<usize>().expect("a number")].clone();
            let directive = says.directive();
            wrongs.lock().expect("no panic").push(Wrong {
                at: Instant::now(),
                dials: seen.dials().len(),
                says,
                is_advice: false,
            });
            directive
        })
        .start()
        .expect("settings")
}

/// Does what the program does, up to the stop; tells the pauses.
async fn act(case: &Case, handle: &Handle<Exit, usize>) -> Vec<(Instant, Instant)> {
    let stop = Instant::now() + case.stop;
    let mut at = Instant::now();
    let mut pauses = Vec::new();
    let mut paused_at = None;
    for (wait, act) in &case.acts {
        at += *wait;
        if at >= stop {
            break;
        }
        sleep_until(at).await;
        let now = Instant::now();
        match act {
            Act::Kick(says) => handle.kick(says.directive()),
            Act::Pause => {
                handle.pause();
                paused_at = paused_at.or(Some(now));
            }
            Act::Unpause => {
                handle.unpause();
                pauses.extend(paused_at.take().map(|from| (from, now)));
            }
        }
    }
    sleep_until(stop).await;
    pauses.extend(paused_at.map(|from| (from, Instant::now())));
    pauses
}
