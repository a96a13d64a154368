//! May this outcome be tried elsewhere, and is its region to blame?
//!
//! A [`Classify`] looks at one [`Outcome`], a response head or an error, and gives a [`Verdict`]. It
//! is told nothing of attempts, regions or time, so the same outcome always gets the same verdict;
//! whether a replay is then made is decided elsewhere. [`Http`] is the default and knows HTTP's
//! status codes and the errors of the clients whose features are on.
//!
//! An error speaks of one send. A layer that makes several of one request (that follows redirects,
//! or fetches a token first) belongs outside: inside, its "connection refused" may be that of a
//! second send, after the first was processed. To change its mind about some
//! outcomes, ask it for the others:
//!
//! ```
//! use http::StatusCode;
//! use tower_failover::{
//!     FailoverLayer, Regions,
//!     classify::{self, Classify, Failure, Http, Outcome, Verdict},
//! };
//!
//! // This API answers 404 while a region has not caught up yet.
//! let classifier = classify::from_fn(|outcome| match outcome {
//!     Outcome::Response(head) if head.status == StatusCode::NOT_FOUND => {
//!         Verdict::Failed(Failure::answered(head.status))
//!     }
//!     other => Http.classify(other),
//! });
//! let regions = Regions::fixed(["https://eu.api.example.com", "https://us.api.example.com"])?;
//! let layer = FailoverLayer::new(regions).classifier(classifier);
//! # Ok::<(), tower_failover::error::InvalidRegion>(())
//! ```

mod failure;
mod grpc;
mod http;
mod transport;

use std::error::Error as StdError;

use ::http::response::Parts;

pub use self::{
    failure::{Blame, Failure, FailureKind, Reason},
    grpc::{Grpc, GrpcCode},
    http::Http,
};
pub use crate::pushback::Pushback;

/// What came of one attempt.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// The head of a response; its body has not been looked at.
    Response(&'a Parts),
    /// What the inner service returned instead of a response.
    Error(&'a (dyn StdError + 'static)),
}

/// What a classifier says of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The region did its work: the outcome goes to the caller, the region is well.
    Success,
    /// The outcome goes to the caller and says nothing of the region: another one would answer the
    /// same, or the fault is on this side.
    Final,
    /// The region does not serve this request and did nothing with it, but another one may. It is
    /// asked once, at once, and nobody is blamed.
    WrongRegion,
    /// The attempt failed; another region may do better.
    Failed(Failure),
}

/// Gives a verdict on the outcome of an attempt.
///
/// # Contract
///
/// An implementor looks at nothing but the outcome, does not block, and never claims
/// [`FailureKind::NeverSent`] on a guess: such a request is replayed whatever its method. When in
/// doubt it says [`FailureKind::Unknown`].
///
/// The caller asks once for each attempt, before anything of the response's body is read, and never
/// for an attempt that was cancelled or timed out by the layer itself.
pub trait Classify: Send + Sync + 'static {
    /// The verdict on `outcome`.
    fn classify(&self, outcome: Outcome<'_>) -> Verdict;
}

/// A classifier from a function.
pub fn from_fn<F>(f: F) -> FromFn<F>
where
    F: Fn(Outcome<'_>) -> Verdict + Send + Sync + 'static,
{
    FromFn { f }
}

/// A classifier made by [`from_fn`].
#[derive(Clone, Copy)]
pub struct FromFn<F> {
    f: F,
}

impl<F> Classify for FromFn<F>
where
    F: Fn(Outcome<'_>) -> Verdict + Send + Sync + 'static,
{
    fn classify(&self, outcome: Outcome<'_>) -> Verdict {
        (self.f)(outcome)
    }
}

impl<F> std::fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FromFn").finish_non_exhaustive()
    }
}
