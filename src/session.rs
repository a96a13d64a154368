//! Long-lived sessions: one supervisor that keeps them up and moves them between regions.
//!
//! A WebSocket to a media server, a QUIC connection, an event stream with a lease: they break, and have
//! to come back in the right place, without a hot loop and without a stampede, while the caller knows
//! what goes on. A [`Supervisor`] does that for any of them. Its parts:
//!
//! - the **connector** is a tower service that is called with an [`Attempt`] and brings up a session;
//! - a [`Session`] tells what happens to it, by [`Event`]s; any future is one, and [`session_fn`] makes one
//!   of an async block;
//! - the **classifier** is a pure function from an [`Outcome`] to a [`Directive`]: what to do about it;
//! - [`Targets`] are the regions to go to, those of the request layer with its health, if you wish;
//! - [`Settings`] are the waits and budgets;
//! - a [`Handle`] shows the [`Status`] and steers; dropping the last one ends everything.
//!
//! # The ladder
//!
//! | directive | region | token | wait |
//! |---|---|---|---|
//! | [`resume`](Directive::resume) | the same | kept | none, once after each healthy run; else the backoff |
//! | [`retry`](Directive::retry) | the same | kept | the backoff |
//! | [`migrate`](Directive::migrate) | another; the one left is excluded | kept | as with `resume` |
//! | [`rejoin`](Directive::rejoin) | the first of a fresh list | dropped | as with `resume` |
//! | [`finish`](Directive::finish), [`fail`](Directive::fail) | none | | |
//!
//! What the classifier says is the least that is done. A region that was dialed
//! [three times](Settings::per_target_attempts) in vain is left for another; a token that is
//! [too old](Settings::resume_window) makes it a rejoin; and after a rejoin no mere migration follows in
//! the same outage. An excluded region is dialed only where no other is left.
//!
//! Advice of a session that is up, and what the program [asks for](Handle::kick), goes the same way. A
//! migration then overlaps: the old session serves until the new one is up, or for as long as it may.
//! What comes in the middle of an attempt or a wait is done at once if it is more than what is being done,
//! and stopping always is.
//!
//! An outage ends with a **healthy run**: a session that was up for
//! [`healthy_after`](Settings::healthy_after). Only that gives back the budgets, the short waits and the
//! excluded regions, and with them one redial without a wait. A server that accepts and closes is thus
//! met like one that refuses: with growing gaps.

mod attempt;
mod cause;
mod classify;
mod control;
mod course;
mod directive;
mod error;
mod event;
mod exclusions;
mod handle;
mod report;
mod session_fn;
mod sessions;
mod settings;
mod status;
mod supervisor;
mod targets;
mod task;

pub mod watch;

pub use attempt::{Attempt, Step};
pub use cause::{Cause, CauseKind};
pub use classify::{AlwaysRetry, Classify, NoRegion, Outcome};
pub use directive::Directive;
pub use error::{Closed, Error, ErrorKind};
pub use event::{Close, Event, Session};
pub use handle::Handle;
pub use session_fn::{Link, SessionFn, session_fn};
pub use settings::{Forgive, InvalidSettings, Settings};
pub use status::{Live, Phase, Status};
pub use supervisor::Supervisor;
pub use targets::Targets;
