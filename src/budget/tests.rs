use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use super::*;

fn fail(budget: &Budget) -> bool {
    budget.withdraw().map(|mut token| token.sent()).is_some()
}

fn fail_spare(budget: &Budget) -> bool {
    let token = budget.withdraw_spare();
    token.map(|mut token| token.sent()).is_some()
}

#[test]
fn a_bucket_starts_with_five_tokens_and_is_never_overdrawn() {
    let budget = Budget::default();
    assert_eq!((0..20).filter(|_| fail(&budget)).count(), 5);
    assert_eq!(budget.available(), 0.0);
}

#[test]
fn answered_calls_pay_for_replays() {
    let budget = Budget::new(0.1).cap(1);
    assert!(fail(&budget));
    for _ in 0..9 {
        budget.deposit();
    }
    assert!(!fail(&budget), "nine tenths are no token");
    budget.deposit();
    assert!(fail(&budget));
}

#[test]
fn a_token_that_was_not_used_or_bought_a_success_comes_back() {
    let budget = Budget::default().cap(1);
    drop(budget.withdraw().unwrap());
    assert_eq!(budget.available(), 1.0);
    let mut token = budget.withdraw().unwrap();
    token.sent();
    token.refund();
    assert_eq!(budget.available(), 1.0);
}

#[test]
fn ratios_are_exact_to_a_thousandth_and_odd_ones_are_zero() {
    for (ratio, deposit) in [
        (0.7, 0.7),
        (0.0, 0.0),
        (-3.0, 0.0),
        (f64::NAN, 0.0),
        (2.5, 2.5),
    ] {
        let budget = Budget::new(ratio).cap(3);
        while fail(&budget) {}
        budget.deposit();
        assert_eq!(budget.available(), deposit, "{ratio}");
    }
    let budget = Budget::new(f64::INFINITY).cap(3);
    budget.deposit();
    assert_eq!(budget.available(), 3.0);
}

#[test]
fn the_bucket_does_not_overflow_its_cap() {
    let budget = Budget::new(1.0).cap(7);
    (0..20).for_each(|_| budget.deposit());
    assert_eq!(budget.available(), 7.0);
    assert_eq!(Budget::default().cap(0).available(), 0.0);
    assert!(Budget::default().cap(0).withdraw().is_none());
}

#[test]
fn without_limit_there_is_always_a_token() {
    let budget = Budget::unlimited().cap(1);
    assert!((0..1000).all(|_| fail(&budget)));
    assert_eq!(budget.available(), f64::INFINITY);
}

async fn calls(budget: &Budget, per_second: u32, seconds: u32) {
    for _ in 0..per_second * seconds {
        budget.called();
        budget.deposit();
        tokio::time::sleep(Duration::from_secs(1) / per_second).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_cap_follows_the_rate_of_calls() {
    // The floor, 0.6 s of traffic within what a sample is off, the ceiling.
    for (per_second, cap) in [(1, 5..=5), (50, 29..=31), (1000, 100..=100)] {
        let budget = Budget::new(0.5);
        calls(&budget, per_second, 60).await;
        drop(budget.withdraw());
        let available = budget.available().round() as u32;
        assert!(cap.contains(&available), "{per_second}: {available}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_past_does_not_lower_the_cap() {
    let budget = Budget::new(0.5);
    tokio::time::sleep(Duration::from_secs(36_000)).await;
    calls(&budget, 100, 10).await;
    drop(budget.withdraw());
    assert!((58.0..=62.0).contains(&budget.available()), "{budget:?}");
}

#[test]
fn a_burst_counts_as_the_calls_of_a_second() {
    let budget = Budget::new(0.5);
    (0..100).for_each(|_| budget.called());
    (0..100).for_each(|_| budget.deposit());
    assert_eq!(budget.available(), 38.4, "as of the 64th");
    drop(budget.withdraw());
    (0..100).for_each(|_| budget.deposit());
    assert_eq!(budget.available(), 60.0);
    drop(budget.withdraw());
    (0..100).for_each(|_| budget.deposit());
    assert_eq!(budget.available(), 60.0, "counted once");
}

#[tokio::test(start_paused = true)]
async fn in_quiet_hours_no_more_is_saved_than_five() {
    let budget = Budget::default();
    calls(&budget, 1, 7200).await;
    assert_eq!((0..200).filter(|_| fail(&budget)).count(), 5);
    assert_eq!(budget.available(), 0.0);
}

#[tokio::test(start_paused = true)]
async fn the_cap_falls_with_the_rate_of_calls() {
    let budget = Budget::new(0.5);
    calls(&budget, 1000, 10).await;
    drop(budget.withdraw());
    assert_eq!(budget.available(), 100.0);
    calls(&budget, 1, 300).await;
    drop(budget.withdraw());
    assert_eq!(budget.available(), 5.0);
    assert_eq!((0..200).filter(|_| fail(&budget)).count(), 5);
}

#[test]
fn what_is_spare_leaves_half_of_the_cap_to_replays() {
    for (cap, spare) in [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (5, 2)] {
        let budget = Budget::new(0.0).cap(cap);
        let taken = (0..20).filter(|_| fail_spare(&budget)).count();
        assert_eq!(taken, spare, "{cap}");
        let replays = (0..20).filter(|_| fail(&budget)).count();
        assert_eq!(taken + replays, cap as usize, "{cap}");
    }
    let unlimited = Budget::unlimited();
    assert!((0..100).all(|_| fail_spare(&unlimited)));
}

#[test]
fn half_of_the_cap_is_counted_in_thousandths() {
    let budget = Budget::new(0.001).cap(3);
    assert!(fail_spare(&budget));
    (0..499).for_each(|_| budget.deposit());
    assert!(!fail_spare(&budget), "2.499 - 1 is less than half of 3");
    budget.deposit();
    assert!(fail_spare(&budget));
    assert_eq!(budget.available(), 1.5);
}

#[test]
fn a_spare_token_comes_back_like_any_other() {
    let budget = Budget::new(0.0).cap(2);
    drop(budget.withdraw_spare().unwrap());
    assert_eq!(budget.available(), 2.0);
    let mut token = budget.withdraw_spare().unwrap();
    token.sent();
    assert!(token.is_sent());
    token.refund();
    assert_eq!(budget.available(), 2.0);
}

#[tokio::test(start_paused = true)]
async fn what_is_spare_follows_the_rate_of_calls() {
    // New, with 5 tokens; then full, and emptied by spending.
    let budget = Budget::new(0.5);
    (0..200).for_each(|_| budget.called());
    assert!(!fail_spare(&budget), "5 are less than half of 100");
    calls(&budget, 1000, 10).await;
    assert_eq!((0..200).filter(|_| fail_spare(&budget)).count(), 50);
    assert_eq!((0..200).filter(|_| fail(&budget)).count(), 50);
}

/// What threads did to a budget, in thousandths of tokens.
#[derive(Default)]
struct Ledger {
    deposited: u64,
    spent: u64,
}

/// Deposits, withdrawals, refunds and drops from several threads, while another one looks on.
fn mix(budget: &Budget, ratio: u64, cap: f64) -> Ledger {
    const THREADS: u64 = 4;
    const ACTS: usize = 20_000;
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let tokens = budget.available();
                assert!((0.0..=cap).contains(&tokens), "{tokens}");
            }
        });
        let threads: Vec<_> = (0..THREADS)
            .map(|seed| {
                scope.spawn(move || {
                    let mut rng = fastrand::Rng::with_seed(seed);
                    let (mut ledger, mut held) = (Ledger::default(), Vec::new());
                    for _ in 0..ACTS {
                        match rng.u8(0..8) {
                            0..3 => {
                                budget.deposit();
                                ledger.deposited += ratio;
                            }
                            3 => held.extend(budget.withdraw_spare()),
                            4 | 5 => held.extend(budget.withdraw()),
                            6 => drop(held.pop()),
                            _ => {
                                if let Some(mut token) = held.pop() {
                                    token.sent();
                                    if rng.bool() {
                                        token.refund();
                                    } else {
                                        ledger.spent += 1000;
                                    }
                                }
                            }
                        }
                        let tokens = budget.available();
                        assert!((0.0..=cap).contains(&tokens), "{tokens}");
                    }
                    ledger
                })
            })
            .collect();
        let mut total = Ledger::default();
        for thread in threads {
            let ledger = thread.join().expect("the thread ran");
            total.deposited += ledger.deposited;
            total.spent += ledger.spent;
        }
        is_over.store(true, Ordering::Relaxed);
        watch.join().expect("the thread ran");
        total
    })
}

fn thousandths(budget: &Budget) -> u64 {
    (budget.available() * 1000.0).round() as u64
}

#[test]
fn nothing_is_lost_or_minted_between_threads() {
    // More than all deposits together: what is in the bucket is what came in less what was spent.
    let budget = Budget::new(0.2).cap(100_000);
    let ledger = mix(&budget, 200, 100_000.0);
    assert!(ledger.spent > 1_000_000, "{}", ledger.spent);
    assert_eq!(thousandths(&budget), 5000 + ledger.deposited - ledger.spent);
}

#[test]
fn threads_at_the_cap_and_at_nothing_pass_neither() {
    // Full most of the time.
    let budget = Budget::new(1.0).cap(3);
    let ledger = mix(&budget, 1000, 3.0);
    assert!(ledger.spent <= 3000 + ledger.deposited);
    assert!(thousandths(&budget) <= 3000);
    // Empty most of the time: as nothing is refused for being full, the sum is exact.
    let budget = Budget::new(0.001).cap(200);
    let ledger = mix(&budget, 1, 200.0);
    assert_eq!(thousandths(&budget), 5000 + ledger.deposited - ledger.spent);
}

#[test]
fn threads_find_what_is_spare_once() {
    for _ in 0..200 {
        let budget = Budget::new(0.0).cap(5);
        let won: usize = std::thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(|| usize::from(fail_spare(&budget))));
            threads.map(|t| t.join().unwrap()).into_iter().sum()
        });
        assert_eq!((won, budget.available()), (2, 3.0));
    }
}

#[test]
fn tokens_are_exact_under_threads() {
    let budget = Budget::new(0.1).cap(100);
    while fail(&budget) {}
    let won = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    (0..5000)
                        .filter(|_| {
                            budget.deposit();
                            fail(&budget)
                        })
                        .count()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|t| t.join().unwrap())
            .sum::<usize>()
    });
    // 20 000 deposits of a tenth are 2000 tokens: spent, or still there. Deposits meet a full
    // bucket at no time, for every thread withdraws whenever it can.
    assert_eq!(won as f64 + budget.available(), 2000.0);
}
