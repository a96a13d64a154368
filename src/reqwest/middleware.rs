mod fault;
mod run;
mod runs;

use std::{fmt, future::poll_fn, pin::pin, sync::Arc, task::Poll};

use ::reqwest::{Client, Request, Response};
use futures_util::stream::{FuturesUnordered, StreamExt};
use http::{Extensions, HeaderMap};
use reqwest_middleware::{Middleware, Next, Result};
use tokio::sync::mpsc;
use tower_layer::Layer;
use tower_service::Service;

use self::{run::run, runs::Runs};
use super::{convert, whole::Whole};
use crate::{error::Error, handle::Refresh, layer::FailoverLayer, service::Failover};

/// A [`FailoverLayer`] as a middleware of reqwest-middleware.
///
/// ```no_run
/// use reqwest::{Client, redirect::Policy};
/// use reqwest_middleware::ClientBuilder;
/// use tower_failover::{
///     FailoverLayer, Override, Regions, Replay, Served, reqwest::FailoverMiddleware,
/// };
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let regions = Regions::fixed(["https://eu.api.example.com", "https://us.api.example.com"])?;
/// let client = Client::builder().redirect(Policy::none()).build()?;
/// let layer = FailoverLayer::new(regions).client_redirects(false);
/// let client = ClientBuilder::new(client.clone())
///     .with(FailoverMiddleware::new(layer, client))
///     .build();
///
/// let response = client
///     .post("https://eu.api.example.com/orders")
///     .with_extension(Override::new().replay(Replay::Always))
///     .body("two of them")
///     .send()
///     .await?;
/// if let Some(served) = response.extensions().get::<Served>() {
///     println!("not from eu at once: {:?}", served.attempts());
/// }
/// # Ok(())
/// # }
/// ```
///
/// The middleware that was added after it sees each attempt, and one that was added before it sees
/// each call. A retry middleware belongs before it, if anywhere.
///
/// - An [`Override`](crate::Override) is taken from the extensions, where `with_extension` puts it.
/// - [`Served`](crate::Served) is in `response.extensions()`.
/// - Inner middleware finds an [`Attempt`](crate::Attempt) in its extensions from the second attempt on,
///   or on the first one too where [`mark_first_attempt`](FailoverLayer::mark_first_attempt) says so.
/// - Each attempt begins with the caller's extensions. What was put there during the attempt that was
///   answered is in the caller's extensions afterwards; of one that failed nothing is.
///
/// # Errors
///
/// A call that ends with an error of reqwest's ends with [`Error::Reqwest`], and one that ends with an
/// error of inner middleware ends with that: `is_timeout`, `is_connect` and the others say what they
/// said before. The attempts are told by an `Arc<`[`tower_failover::Error`](crate::Error)`>`, without
/// source, in the extensions, where outer middleware finds it and whoever calls
/// [`execute_with_extensions`].
///
/// Where there is no such error, because the layer's own time ran out, the call ends with
/// [`Error::Middleware`] around a [`tower_failover::Error`](crate::Error), whose
/// [`kind`](crate::Error::kind) says so. A timeout of the request's own ends with reqwest's error.
///
/// [`Error::Reqwest`]: reqwest_middleware::Error::Reqwest
/// [`Error::Middleware`]: reqwest_middleware::Error::Middleware
/// [`execute_with_extensions`]: reqwest_middleware::ClientWithMiddleware::execute_with_extensions
#[derive(Clone)]
pub struct FailoverMiddleware {
    layer: FailoverLayer,
    client: Client,
}

impl FailoverMiddleware {
    /// Fails over as `layer` says. `client` sends the layer's own requests, its probes and its
    /// questions to discovery, past all middleware.
    pub fn new(layer: FailoverLayer, client: Client) -> Self {
        Self { layer, client }
    }

    /// Fetches the list of the regions of this home, as
    /// [`Failover::warm_up_with`](crate::Failover::warm_up_with) does.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn warm_up(&self, home: impl AsRef<str>, headers: &HeaderMap) -> Refresh {
        let failover = self.layer.layer(self.client.clone());
        failover.warm_up_reqwest(home, headers)
    }
}

impl fmt::Debug for FailoverMiddleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client would show the values of its default headers.
        f.debug_struct("FailoverMiddleware")
            .field("layer", &self.layer)
            .finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl Middleware for FailoverMiddleware {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        // Of an earlier run, where somebody before this one tries again.
        extensions.remove::<Arc<Error>>();
        let shared = self.layer.layer(()).shared().clone();
        let own = extensions.get().copied();
        let (request, terms) = match convert(&shared.config, request, own) {
            Ok(converted) => converted,
            Err(request) => return next.run(*request, extensions).await,
        };
        // The layer's service must own what it sends with, and what comes next is borrowed. So the
        // service only says what is to be sent; it is sent here, beside the call.
        let (orders, mut queue) = mpsc::unbounded_channel();
        let runs = Runs::new(self.client.clone(), terms, orders);
        let mut call = pin!(Failover::new(runs, shared).call(request));
        let outcome = {
            let mut running = FuturesUnordered::new();
            let begin = |order| run(order, next.clone(), extensions);
            poll_fn(|cx| {
                // Before the call, for it ends by a timer of its own if it has no answer yet.
                while let Poll::Ready(Some(())) = running.poll_next_unpin(cx) {}
                if let Poll::Ready(outcome) = call.as_mut().poll(cx) {
                    return Poll::Ready(outcome);
                }
                while let Poll::Ready(Some(order)) = queue.poll_recv(cx) {
                    running.push(begin(order));
                }
                // After it, for it may have begun an attempt, and given up another.
                while let Poll::Ready(Some(())) = running.poll_next_unpin(cx) {}
                Poll::Pending
            })
            .await
        };
        match outcome {
            Ok(response) => {
                let (response, left) = Whole::unwrap(response);
                if let Some(left) = left {
                    *extensions = left;
                }
                Ok(response)
            }
            Err(error) => Err(fault::given_back(error, extensions)),
        }
    }
}
