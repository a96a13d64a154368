//! What happens in a course, row by row, and the plans that follow.
//!
//! A row begins with the time in milliseconds. Then it tells, one thing after the other:
//!
//! | text | what happens |
//! |---|---|
//! | `dial a` | the last plan leads to an attempt in a |
//! | `lost` | the last plan leads to an attempt that finds no region |
//! | `back a` | the attempt in a was none |
//! | `up`, `healthy` | a session is up, and has been for long enough |
//! | `over`, `over 500` | it ends, with a token that is of use for as long |
//! | `slept 500` | there was a pause |
//! | `retry` and so on | there is a directive, `advised` or `kicked` where it is no failure, with what modifies it; the draw is `~0.5`, or 0 |
//!
//! After `=>` stands the plan for the directive, the last thing in its row:
//!
//! | text | plan |
//! |---|---|
//! | `retry` and so on | the step, with a `+` where it goes further than the directive |
//! | `a`, `?`, `*`, `>b` | the same region, any, one of a fresh list, the one that a server named |
//! | `1000`, `1000!` | the wait, and whether somebody asked for it |
//! | `-token` | the token is dropped |
//! | `window`, `attempts` | there is none: that is used up |

use std::time::Duration;

use super::*;
use crate::{
    backoff::{Backoff, Jitter},
    session::{Settings, directive::Kind},
};

const MS: Duration = Duration::from_millis(1);

/// Waits of 1 s doubling to 30 s, and no budget but what a test sets.
fn settings() -> Settings {
    let backoff = Backoff::exponential(1000 * MS, 30_000 * MS).jitter(Jitter::None);
    Settings::new().backoff(backoff).per_target_attempts(0)
}

fn course(settings: &Settings) -> Course {
    Course::new(settings.limits().unwrap())
}

fn region(name: &str) -> Region {
    Region::new(name, format!("http://{name}")).unwrap()
}

fn ms(text: &str) -> Duration {
    Duration::from_millis(text.parse().unwrap())
}

fn follow(settings: &Settings, rows: &str) {
    let mut course = course(settings);
    let (start, mut plan, mut at) = (Instant::now(), Plan::first(), None);
    for row in rows.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let (events, expected) = row.split_once("=>").unwrap_or((row, ""));
        let mut words = events.split_whitespace().peekable();
        let now = start + ms(words.next().unwrap());
        let mut decided = String::new();
        while let Some(word) = words.next() {
            assert_eq!(decided, "", "the directive comes last: {row}");
            match word {
                "dial" => {
                    at = words.next().map(region);
                    course.begin(&plan);
                    course.dial(at.as_ref().unwrap());
                }
                "lost" => course.begin(&plan),
                "back" => course.take_back(words.next().map(region).as_ref()),
                "up" => course.connected(),
                "healthy" => course.healthy(),
                "over" => {
                    let window = words.next_if(|word| word.parse::<u64>().is_ok());
                    course.ended(window.map(ms), now);
                }
                "slept" => course.paused(ms(words.next().unwrap())),
                step => {
                    let (directive, urgency, draw) = directive(step, words.by_ref());
                    let Kind::Go(step) = directive.kind else {
                        panic!("{row}");
                    };
                    let next = course.decide((step, &directive), at.as_ref(), urgency, now, draw);
                    decided = shown(&next);
                    plan = next.unwrap_or(plan);
                }
            }
        }
        assert_eq!(decided, expected.trim(), "{row}");
    }
}

fn directive<'a>(step: &str, words: impl Iterator<Item = &'a str>) -> (Directive, Urgency, f64) {
    let mut directive = match step {
        "resume" => Directive::resume(),
        "retry" => Directive::retry(),
        "migrate" => Directive::migrate(),
        "rejoin" => Directive::rejoin(),
        word => panic!("{word}"),
    };
    let (mut urgency, mut draw) = (Urgency::Failure, 0.0);
    for word in words {
        let value = word.trim_start_matches(|c: char| !c.is_ascii_digit());
        directive = match word.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "advised" | "kicked" => {
                urgency = match word {
                    "advised" => Urgency::Advice,
                    _ => Urgency::Kick,
                };
                directive
            }
            "after=" => directive.after(ms(value)),
            "keep" => directive.keep_resume(),
            "drop" => directive.drop_resume(),
            "exclude" => directive.exclude(),
            word => match word.split_at(1) {
                ("~", _) => {
                    draw = value.parse().unwrap();
                    directive
                }
                (">", name) => directive.to(region(name)),
                _ => panic!("{word}"),
            },
        };
    }
    (directive, urgency, draw)
}

fn shown(plan: &Result<Plan, Spent>) -> String {
    let plan = match plan {
        Ok(plan) => plan,
        Err(Spent::Window) => return "window".into(),
        Err(Spent::Attempts) => return "attempts".into(),
    };
    let further = if plan.is_escalated { "+" } else { "" };
    let step = format!("{:?}", plan.step).to_lowercase();
    let pick = picked(&plan.pick);
    let wait = plan.wait.as_secs_f64() * 1000.0;
    let fixed = if plan.is_fixed { "!" } else { "" };
    let token = if plan.keeps_token { "" } else { " -token" };
    format!("{further}{step} {pick} {wait}{fixed}{token}")
}

fn picked(pick: &Pick) -> String {
    match pick {
        Pick::Same(region) => region.to_string(),
        Pick::Any => "?".into(),
        Pick::Fresh => "*".into(),
        Pick::To(region, otherwise) => format!(">{region}{}", picked(otherwise)),
    }
}

/// The regions excluded after these rows, of which each is a failure in a region and a directive.
#[track_caller]
fn excluded(settings: &Settings, rows: &[(&str, Directive)], now: Duration) -> String {
    let mut course = course(settings);
    let (start, mut plan) = (Instant::now(), Plan::first());
    for (name, directive) in rows {
        let at = region(name);
        course.begin(&plan);
        course.dial(&at);
        let Kind::Go(step) = directive.kind else {
            panic!("{directive:?}");
        };
        let next = course.decide((step, directive), Some(&at), Urgency::Failure, start, 0.0);
        plan = next.unwrap();
    }
    let excluded = course.excluded(start + now);
    excluded.iter().map(Region::name).collect()
}

mod budgets;
mod steps;
mod waits;
