//! The layer over clients of reqwest.
//!
//! [`Failover`] is a service of [`reqwest::Request`] where the inner service is
//! one, such as a [`reqwest::Client`]:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use reqwest::{Client, redirect::Policy};
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_failover::{FailoverLayer, Regions, Served};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), tower_failover::BoxError> {
//! let regions = Regions::fixed(["https://eu.api.example.com", "https://us.api.example.com"])?;
//! let client = Client::builder()
//!     .connect_timeout(Duration::from_secs(2))
//!     .redirect(Policy::none())
//!     .build()?;
//! let failover = ServiceBuilder::new()
//!     .layer(FailoverLayer::new(regions).client_redirects(false))
//!     .service(client.clone());
//!
//! let request = client
//!     .get("https://eu.api.example.com/orders")
//!     .timeout(Duration::from_secs(10))
//!     .build()?;
//! let response = failover.clone().oneshot(request).await?;
//! if let Some(served) = response.extensions().get::<Served>() {
//!     println!("not from eu at once: {:?}", served.attempts());
//! }
//! let orders = response.error_for_status()?.text().await?;
//! # Ok(())
//! # }
//! ```
//!
//! `client.get(url).send()` goes past a layer. Code of that shape keeps it by the feature
//! `reqwest-middleware` and its `FailoverMiddleware`.
//!
//! An [`Override`] is an extension, and a request of reqwest's has those of the [`http::Request`] that
//! it was made from:
//!
//! ```
//! use tower_failover::{Override, Replay};
//!
//! let request = http::Request::post("https://eu.api.example.com/orders")
//!     .extension(Override::new().replay(Replay::Always))
//!     .body("two of them")?;
//! let request: reqwest::Request = request.try_into()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Everything else that a request says holds for each attempt: version, extensions, a `Host` that is
//! not home's. [`Response::url`] is that of the region that answered.
//!
//! # Who tries again
//!
//! | what | who | how often |
//! |---|---|---|
//! | a pooled connection closed before anything was written | hyper-util, inside reqwest | until there is a new connection |
//! | HTTP/2: REFUSED_STREAM, or GOAWAY with NO_ERROR | reqwest, in the same region, if it has the body to send again | twice ([`reqwest::retry`]) |
//! | whatever may be tried again, and what reqwest tried in vain | the layer, in other regions | [`max_attempts`](crate::FailoverLayer::max_attempts) in all |
//! | a status that you tell reqwest to retry | reqwest, within one attempt | leave that to the layer: the two would multiply |
//!
//! reqwest's default is right beside the layer, save that one region may see a refused request three
//! times. `retry::never()` leaves it to the layer, which counts a GOAWAY as "perhaps sent" here (see
//! [`Http`](crate::classify::Http)): it cannot know whether the body was begun. What you tell reqwest
//! to retry, a `POST` too, may be processed more often than the layer knows.
//!
//! # Bodies
//!
//! No body, and one that is at hand in one piece, reach reqwest as such, so that it can send them
//! again by itself, for a refused stream or for a redirect by `307` or `308`. Streams are wrapped.
//!
//! Of a request that must not be sent again once it was processed (a `POST`, say, without
//! `Idempotency-Key`) the layer has to know more, unless it is told that the client
//! [follows no redirects](crate::FailoverLayer::client_redirects): reqwest's errors may be those of a
//! redirect that came after it, and do not tell. They count as "never sent" only with a proof, of which
//! there are two:
//!
//! - A `POST` with a body in one piece, of which reqwest's [`Client`] itself is the inner service, may
//!   be sent by reqwest as any other. It lets go of that body before it follows a redirect that makes a
//!   `GET` of the request, and so an error was of the request itself if reqwest had it to the end, and
//!   nobody had it longer. If the connection was still about to write it, that cannot be told.
//! - All others have their body wrapped, to see whether reqwest had begun to send it: streams and
//!   empty bodies, other methods, and all requests through `FailoverMiddleware` or another service.
//!   reqwest cannot send such a body again. So a stream that is refused by HTTP/2 is tried again by
//!   nobody; give such requests a key that the server honours, or say
//!   [`Replay::Always`](crate::Replay::Always) where it is true. And to a `307` or `308` that reqwest
//!   cannot follow then, the layer sends the request once more, with a body in one piece if there is one:
//!   such an answer says that nothing was done with the first.
//!
//! # Redirects
//!
//! reqwest follows up to ten, unless a [`redirect::Policy`](::reqwest::redirect::Policy) says
//! otherwise, and no layer sees them. Each region's own redirects are its own, and are followed again
//! for each attempt. The layer judges what came of them as follows, unless it is told that there are
//! none: give it [`client_redirects(false)`](crate::FailoverLayer::client_redirects) with a client of
//! [`Policy::none`]. It also has to be told so where a service inside changes the host, the path or the
//! query, for that looks like a redirect.
//!
//! - An answer of another origin is the caller's, whatever it says; the region did its work when it
//!   sent the request there. So is the answer within the region to a request that must not be sent
//!   again.
//! - An answer within the region, to any other request, is the region's.
//! - An endless redirect, or one that the policy forbids, is final.
//! - A connection that fails is the region's, if nothing was sent that must not be sent twice. A `GET`
//!   that a region sends to a dead host therefore counts against the region: from reqwest's error the
//!   two cannot be told apart. So does a `POST` that is sent there by `307` or `308`, where the first of
//!   the two proofs holds.
//! - The layer's own requests are made so that reqwest follows no redirect with them, save for a `303`:
//!   what comes by that is no list of regions, and to a probe it is a sign of life, but the other host
//!   was asked by then. **With discovery, use [`Policy::none`]**, and follow redirects outside of the
//!   layer where you need them.
//!
//! # Time
//!
//! - [`RequestBuilder::timeout`] is the time of the whole call, with all its attempts and with the
//!   reading of the response's body. Each attempt's request gets what is left of it. The shorter of it
//!   and [`total_timeout`](crate::FailoverLayer::total_timeout) holds, and it ends a call as that does,
//!   with [`ErrorKind::Timeout`], but with reqwest's error as the source.
//! - [`ClientBuilder::timeout`] is invisible here. It is an attempt's, with the body's reading, and what
//!   it ends was perhaps processed.
//! - [`ClientBuilder::connect_timeout`] is an attempt's, and what it ends was never sent. Set it.
//! - [`ClientBuilder::read_timeout`] is an attempt's too.
//!
//! # Errors
//!
//! | error | verdict |
//! |---|---|
//! | `is_builder`, `is_redirect` | final |
//! | `is_dns`, `is_connect` | never sent |
//! | `is_connect` and `is_timeout` | never sent: connect timeout |
//! | `is_timeout` | perhaps sent |
//! | else | by what hyper and h2 say below it |
//!
//! [`Error::source`](std::error::Error::source) is the client's error as it was.
//!
//! [`Client`]: ::reqwest::Client
//! [`Response::url`]: ::reqwest::Response::url
//! [`Policy::none`]: ::reqwest::redirect::Policy::none
//! [`RequestBuilder::timeout`]: ::reqwest::RequestBuilder::timeout
//! [`ClientBuilder::timeout`]: ::reqwest::ClientBuilder::timeout
//! [`ClientBuilder::connect_timeout`]: ::reqwest::ClientBuilder::connect_timeout
//! [`ClientBuilder::read_timeout`]: ::reqwest::ClientBuilder::read_timeout
//! [`ErrorKind::Timeout`]: crate::ErrorKind::Timeout

mod adapter;
mod fault;
mod future;
mod lent;
#[cfg(feature = "reqwest-middleware")]
mod middleware;
mod nowhere;
mod outgoing;
mod peek;
mod terms;
mod watched;
mod whole;

use std::{
    mem,
    task::{Context, Poll},
};

use ::reqwest::{Body, Request, Response};
use http::{HeaderMap, Uri};
use tower_service::Service;

#[cfg(feature = "reqwest-middleware")]
pub use self::middleware::FailoverMiddleware;
pub use self::{future::ResponseFuture, peek::PeekFuture};

pub(crate) use self::fault::{Begun, overdue};
use self::{adapter::Adapter, terms::Terms};
use crate::{
    BoxError, config::Config, error::Error, handle::Refresh, policy::Override, service::Failover,
};

impl<S> Service<Request> for Failover<S>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Error;
    type Future = ResponseFuture<S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut()
            .poll_ready(cx)
            .map_err(|error| Error::not_ready(error.into()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The instance that was polled ready makes the attempt, a clone stays behind.
        let clone = self.get_ref().clone();
        let mut ready = mem::replace(self.get_mut(), clone);
        match convert(&self.shared().config, request, None) {
            Ok((request, terms)) => {
                let adapter = Adapter::new(ready, terms);
                let mut failover = Failover::new(adapter, self.shared().clone());
                ResponseFuture::call(failover.call(request))
            }
            Err(request) => ResponseFuture::untouched(ready.call(*request)),
        }
    }
}

/// The request as the layer takes it; as it was, if its URL is none for HTTP. `own` goes before what
/// the request says itself.
fn convert(
    config: &Config,
    request: Request,
    own: Option<Override>,
) -> Result<(http::Request<Body>, Terms), Box<Request>> {
    // The conversion would consume the request, and the client's own error is the better one.
    if Uri::try_from(request.url().as_str()).is_err() {
        return Err(Box::new(request));
    }
    let timeout = request.timeout().copied();
    let request: http::Request<Body> = request
        .try_into()
        .expect("a request with a valid URI can be converted");
    let (mut head, body) = request.into_parts();
    if let Some(own) = own {
        head.extensions.insert(own);
    }
    let terms = Terms::new(config, &mut head, timeout);
    Ok((http::Request::from_parts(head, body), terms))
}

impl<S> Failover<S>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    /// As [`warm_up_with`](Self::warm_up_with), through a client of reqwest.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn warm_up_reqwest(&self, home: impl AsRef<str>, headers: &HeaderMap) -> Refresh {
        let adapter = Adapter::new(self.get_ref().clone(), Terms::none());
        Failover::new(adapter, self.shared().clone()).warm_up_with(home, headers)
    }
}
