//! Regions to fail over between that speak gRPC: real tonic services on loopback whose faults are set while they run.
//!
//! A [`Region`] serves [`Echo`](proto::echo_client::EchoClient), with calls of all four kinds, and the standard health service.
//! Below gRPC it is a [`failover_cluster::Server`], which it dereferences to: that counts and records the calls.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use failover_grpc::{Fault, Region};
//! use tonic::Code;
//!
//! let eu = Region::start("eu").await;
//! eu.set(Fault::Status(Code::Unavailable)).await;
//! // ... call eu.origin() ...
//! assert_eq!(eu.hits(), 0);
//! # }
//! ```

mod echo;
mod fault;
mod region;

/// Generated from `proto/echo.proto` by tonic-prost-build 0.14.9 (`build_transport(false)`), its descriptors by protox 0.9,
/// which needs no `protoc`; then formatted.
#[allow(missing_docs)]
pub mod proto;

pub use fault::Fault;
pub use region::{COLLECT, REPEAT, Region, SAY, TALK};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
