//! reqwest, over HTTP/1.1 and over HTTP/2 with prior knowledge, and as the middleware of
//! reqwest-middleware.

mod bodies;
mod errors;
mod middleware;
mod once;
mod own;
mod promised;
mod proxies;
mod redirects;
mod stack;
pub(crate) mod support;
mod times;

pub(crate) use stack::{H2c, Http1, MiddlewareH2c, MiddlewareHttp1};
