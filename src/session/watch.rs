//! A watch: a stream of server-sent events that a lease stands behind.
//!
//! A device that is asleep waits for a call; a worker that holds a partition waits for its next job. The
//! server keeps the stream open, says **hello** with a lease and the time between two heartbeats, comments
//! now and then to show that it is there, and ends the matter with **one event**. The client posts
//! heartbeats, by which it keeps the lease, and takes the lease with it when it has to connect again.
//!
//! A [`Watch`] is the connector of such sessions, over any HTTP client that is a tower service. What the requests are and what the events mean is for a
//! [`Protocol`] to say; what follows from errors and ends, for [`classify`].
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! # use http_body_util::Full;
//! # use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use std::time::Duration;
//! use tower_failover::{
//!     BoxError, Regions,
//!     session::{Attempt, Closed, Supervisor, watch::{self, Event, Exit, Hello, Lease, Watch}},
//! };
//!
//! /// The server says `hello` with a lease, and at some time `go`.
//! #[derive(Clone)]
//! struct Starter;
//!
//! impl watch::Protocol for Starter {
//!     type Done = String;
//!
//!     fn open(&self, attempt: &Attempt<Lease>) -> http::Result<Request<()>> {
//!         let mut request = Request::get("/start");
//!         if let Some(lease) = &attempt.resume {
//!             request = request.header("previous-lease", lease.as_str());
//!         }
//!         request.body(())
//!     }
//!
//!     fn hello(&mut self, event: &Event) -> Result<Option<Hello>, BoxError> {
//!         let hello = || Hello::new(event.data.as_str(), Duration::from_secs(10));
//!         Ok((event.name == "hello").then(hello))
//!     }
//!
//!     fn heartbeat(&self, lease: &Lease) -> http::Result<Request<Bytes>> {
//!         Request::post("/start/heartbeat").body(lease.as_str().to_owned().into())
//!     }
//!
//!     fn done(&mut self, event: &Event) -> Result<Option<String>, BoxError> {
//!         Ok((event.name == "go").then(|| event.data.clone()))
//!     }
//! }
//!
//! # async fn doc() -> Result<(), BoxError> {
//! # let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
//! let regions = Regions::fixed(["https://eu.example.com", "https://us.example.com"])?;
//! let handle = Supervisor::new(regions, Watch::new(client, Starter))
//!     .classifier(watch::classify)
//!     .start()?;
//! if let Closed::Exited(exit) = handle.closed().await? {
//!     if let Exit::Done { value, .. } = &*exit {
//!         println!("go: {value}");
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What a session does
//!
//! - It ends when nothing came for two and a half times the heartbeat's interval; every event and every
//!   comment counts.
//! - It posts a heartbeat each interval, the first after one interval; one that is not answered within an
//!   interval is given up. 409 says that another holds the lease, 410 that it is dead, 401 that the client
//!   has no business here. Any other failure is a miss, and the third in a row ends the session.
//! - Heartbeats are part of the session, not a task beside it: once it is over there are none, and where
//!   it does not overlap with the next one it is over before the next connect begins.
//! - It is healthy after one interval, and [`Event::Resume`](super::Event::Resume) is its lease.
//!
//! The settings that matter most here are [`attempt_timeout`](super::Settings::attempt_timeout), which is
//! the time from the request to the hello, and [`close_timeout`](super::Settings::close_timeout), in which
//! a lease is [released](Protocol::release).
//!
//! # What a client must not do
//!
//! - Its timeouts must not be for whole responses, which last as long as the watch.
//! - It must not follow redirects, for heartbeats go to the region of the attempt: one of reqwest's is
//!   built with `redirect::Policy::none()`.
//! - It must not send requests elsewhere, which is for the supervisor to do. A
//!   [`Failover`](crate::Failover) does not: each request has an [`Override`](crate::Override) that
//!   [disables](crate::Override::enabled) it.

mod client;
mod connect;
mod connector;
mod error;
mod exit;
mod heartbeat;
mod lease;
mod policy;
mod protocol;
mod reading;
#[cfg(feature = "reqwest")]
mod reqwest;
pub(crate) mod sse;
mod watching;

pub use connector::Watch;
pub use error::{ConnectError, ConnectErrorKind};
pub use exit::{Exit, Lost};
pub use lease::Lease;
pub use policy::{Policy, classify};
pub use protocol::{Hello, Protocol};
pub use sse::Event;
pub use watching::Watching;
