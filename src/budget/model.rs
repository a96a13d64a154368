//! A few threads on one budget, in the interleavings that loom finds:
//! `RUSTFLAGS="--cfg failover_loom" cargo test --lib budget::model`.
//!
//! What the threads see and leave behind must be what some order of their acts, one after the other,
//! gives by plain arithmetic; and each such order must turn up, for loom is known to pass over
//! interleavings (tokio-rs/loom#166, #392). The caps are fixed, as a run must not depend on the
//! clock; the rate of calls is modelled alone.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use loom::thread;
use tokio::time::Instant;

use super::{Budget, Withdrawal, atomic::Ordering, bucket::FLOOR, rate::Rate};

#[derive(Clone, Copy, Debug)]
enum Act {
    Deposit,
    Withdraw,
    WithdrawSpare,
    /// The replay is sent, and fails.
    Fail,
    /// The replay is dropped before it is sent.
    Unsent,
    /// The replay is sent, and succeeds.
    Succeed,
    Look,
}
use Act::*;

/// What each thread saw: thousandths of tokens, and 1 or 0 for a withdrawal. Last, what is left.
type Outcome = Vec<Vec<u64>>;

/// What is stored, for `available` would not show what is above the cap.
fn tokens(budget: &Budget) -> u64 {
    let bucket = budget.bucket.as_ref().expect("there is a limit");
    bucket.tokens.load(Ordering::Relaxed)
}

/// A thread's acts, on the real budget.
fn run(budget: &Budget, acts: &[Act]) -> Vec<u64> {
    let (mut seen, mut token) = (Vec::new(), None::<Withdrawal>);
    for act in acts {
        match act {
            Deposit => budget.deposit(),
            Withdraw | WithdrawSpare => {
                token = match act {
                    Withdraw => budget.withdraw(),
                    _ => budget.withdraw_spare(),
                };
                seen.push(u64::from(token.is_some()));
            }
            Unsent => drop(token.take()),
            Fail | Succeed => {
                if let Some(mut token) = token.take() {
                    token.sent();
                    if let Succeed = act {
                        token.refund();
                    }
                }
            }
            Look => seen.push(tokens(budget)),
        }
    }
    seen
}

/// What the acts do to a number.
#[derive(Clone)]
struct Sum {
    ratio: u64,
    cap: u64,
    tokens: u64,
    /// For each thread: how far it is, and whether it holds a token.
    threads: Vec<(usize, bool)>,
    seen: Outcome,
}

impl Sum {
    fn act(&mut self, thread: usize, act: Act) {
        let (next, holds) = &mut self.threads[thread];
        *next += 1;
        let keep = match act {
            WithdrawSpare => self.cap,
            _ => 0,
        };
        match act {
            Deposit => self.tokens = (self.tokens + self.ratio).min(self.cap),
            Withdraw | WithdrawSpare => {
                *holds = self.tokens >= 1000 && 2 * (self.tokens - 1000) >= keep;
                self.tokens -= 1000 * u64::from(*holds);
                self.seen[thread].push(u64::from(*holds));
            }
            Fail => *holds = false,
            Unsent | Succeed => {
                let back = 1000 * u64::from(std::mem::take(holds));
                self.tokens = (self.tokens + back).min(self.cap);
            }
            Look => self.seen[thread].push(self.tokens),
        }
    }

    /// Adds the outcomes of all orders in which the rest of the acts can come.
    fn outcomes(&self, programs: &[&[Act]], outcomes: &mut BTreeSet<Outcome>) {
        let mut is_over = true;
        for (thread, program) in programs.iter().enumerate() {
            if let Some(act) = program.get(self.threads[thread].0) {
                is_over = false;
                let mut sum = self.clone();
                sum.act(thread, *act);
                sum.outcomes(programs, outcomes);
            }
        }
        if is_over {
            let mut outcome = self.seen.clone();
            outcome.push(vec![self.tokens]);
            outcomes.insert(outcome);
        }
    }
}

/// Runs the programs at once, on a budget that pays half a token for an answered call.
fn check(cap: u32, programs: &'static [&'static [Act]]) {
    let cap_in_thousandths = u64::from(cap) * 1000;
    let mut expected = BTreeSet::new();
    let sum = Sum {
        ratio: 500,
        cap: cap_in_thousandths,
        tokens: cap_in_thousandths.min(5000),
        threads: vec![(0, false); programs.len()],
        seen: vec![Vec::new(); programs.len()],
    };
    sum.outcomes(programs, &mut expected);

    let outcomes = Arc::new(Mutex::new(BTreeSet::new()));
    let model = {
        let outcomes = outcomes.clone();
        move || {
            let budget = Budget::new(0.5).cap(cap);
            let threads: Vec<_> = programs
                .iter()
                .map(|program| {
                    let budget = budget.clone();
                    thread::spawn(move || run(&budget, program))
                })
                .collect();
            let seen = threads
                .into_iter()
                .map(|thread| thread.join().expect("it ran"));
            let mut outcome: Outcome = seen.collect();
            outcome.push(vec![tokens(&budget)]);
            outcomes.lock().expect("no thread panicked").insert(outcome);
        }
    };
    let mut builder = loom::model::Builder::new();
    // Without a bound three threads take minutes; with this one they show all there is to see.
    builder.preemption_bound = Some(3);
    builder.check(model);
    assert_eq!(*outcomes.lock().expect("no thread panicked"), expected);
}

#[test]
fn one_token_is_taken_once() {
    check(1, &[&[Withdraw, Fail], &[Withdraw, Fail], &[Look]]);
}

#[test]
fn nothing_is_lost_or_minted_far_from_the_cap() {
    check(
        100,
        &[
            &[Deposit, Withdraw, Fail],
            &[Withdraw, Unsent],
            &[Withdraw, Succeed],
        ],
    );
}

#[test]
fn halves_make_a_token_only_together() {
    check(
        1,
        &[&[Withdraw, Fail, Deposit], &[Deposit], &[Withdraw, Fail]],
    );
}

#[test]
fn a_bucket_never_holds_more_than_its_cap() {
    check(
        1,
        &[&[Withdraw, Unsent], &[Deposit, Look], &[Look, Deposit]],
    );
    check(2, &[&[Withdraw, Succeed, Look], &[Deposit], &[Deposit]]);
}

#[test]
fn a_token_that_comes_back_is_taken_once() {
    check(
        1,
        &[&[Withdraw, Succeed], &[Withdraw, Fail], &[Withdraw, Fail]],
    );
}

#[test]
fn what_is_spare_is_taken_once_and_half_of_the_cap_stays() {
    check(
        3,
        &[&[WithdrawSpare, Fail], &[WithdrawSpare, Fail], &[Look]],
    );
    check(
        2,
        &[
            &[WithdrawSpare, Fail],
            &[Withdraw, Fail],
            &[WithdrawSpare, Fail],
        ],
    );
    check(
        3,
        &[
            &[WithdrawSpare, Unsent],
            &[Withdraw, Fail, Deposit],
            &[WithdrawSpare, Unsent],
        ],
    );
}

#[test]
fn no_call_is_taken_off_twice_when_two_measure_the_rate() {
    loom::model(|| {
        let rate = Arc::new(Rate::new());
        let begin = Instant::now();
        let at = move |seconds| begin + Duration::from_secs(seconds);
        (0..4).for_each(|_| rate.count());
        let measuring = [2, 4].map(|seconds| {
            let rate = rate.clone();
            thread::spawn(move || rate.measure(at(seconds)))
        });
        let caps = measuring.map(|cap| cap.join().unwrap());
        assert_eq!(caps, [FLOOR; 2]);
        // A count below zero would be a great many.
        assert_eq!(rate.measure(at(6)), FLOOR);
    });
}

#[test]
fn two_that_measure_the_rate_at_once_measure_the_same() {
    loom::model(|| {
        let rate = Arc::new(Rate::new());
        let now = Instant::now() + Duration::from_secs(1);
        // 12 tokens in 0.6 s.
        (0..20).for_each(|_| rate.count());
        let measuring = [(); 2].map(|()| {
            let rate = rate.clone();
            thread::spawn(move || rate.measure(now))
        });
        for cap in measuring {
            cap.join().unwrap();
        }
        assert!(rate.cap() > 2 * FLOOR);
    });
}
