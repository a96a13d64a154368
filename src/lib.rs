#![doc = include_str!("../README.md")]
//!
//! # The path of a request
//!
//! The files stand in the order in which a request meets them.
//!
//! 1. `layer`: [`FailoverLayer`], what the user sets
//! 2. `service`: [`Failover`], readiness and the first attempt
//! 3. [`future`]: the attempt loop
//! 4. `call`: the memory of one call, and the decision after each attempt
//! 5. [`classify`]: may this outcome be tried elsewhere?
//! 6. [`region`]: which place is next
//! 7. [`discovery`]: where the regions come from
//! 8. [`backoff`]: how long to wait
//! 9. [`budget`]: whether one more attempt is affordable
//! 10. `request`: the request of attempt n, aimed at its region
//! 11. [`replay`]: the same body again
//!
//! Beside it, `probe` finds out whether regions that are out are back, and `handle` shows and steers
//! all this from outside. [`peek`] stands inside the layer and brings what bodies say of failures to the
//! classifier; `reqwest` and `tonic`, each behind its feature, fit the layer to those clients. [`session`]
//! keeps up what lives longer than a request, in the same regions.

mod layer;

mod service;

pub mod future;

mod call;

pub mod classify;

pub mod region;

pub mod discovery;

pub mod backoff;

pub mod budget;

mod request;

pub mod replay;

pub mod error;

pub mod peek;

pub mod session;

#[cfg(feature = "metrics")]
pub mod metrics;

#[cfg(feature = "reqwest")]
pub mod reqwest;

#[cfg(feature = "tonic")]
pub mod tonic;

#[doc = include_str!("../docs/failures.md")]
pub mod failures {}

mod changes;
mod client;
mod config;
mod handle;
mod hedge;
mod policy;
mod presets;
mod probe;
mod pushback;
mod regions;
mod report;
mod settings;
mod time;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;

#[doc(inline)]
pub use self::{
    backoff::{Backoff, Jitter},
    budget::Budget,
    changes::{Change, Changes},
    discovery::{Discovery, Query, RegionList, Snapshot},
    error::{Error, ErrorKind},
    handle::{Handle, Refresh, RegionState, RegionStatus},
    hedge::Hedge,
    layer::FailoverLayer,
    policy::{Override, Replay},
    region::{Health, Order, Region},
    regions::Regions,
    report::{Attempt, AttemptRecord, Served, Stop},
    service::Failover,
    settings::Settings,
};

/// Any error that can be sent between threads.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
