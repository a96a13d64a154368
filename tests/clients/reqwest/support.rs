//! What the tests over reqwest share.

use std::sync::Once;

use ::reqwest::{Client, ClientBuilder, Request, Response};
use tower::{Service, ServiceExt};
use tower_failover::{AttemptRecord, Error, Failover, Served};

use crate::support::within;

/// A client that knows of no proxy.
pub(crate) fn builder() -> ClientBuilder {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Another test may have been faster.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder().no_proxy()
}

pub(crate) fn http1() -> Client {
    builder().http1_only().build().unwrap()
}

pub(crate) fn h2c() -> Client {
    builder().http2_prior_knowledge().build().unwrap()
}

pub(crate) type Outcome = Result<Response, Error>;

/// Sends a request; no test waits for ever.
pub(crate) async fn send<S>(client: &Failover<S>, request: Request) -> Outcome
where
    Failover<S>: Service<Request, Response = Response, Error = Error> + Clone,
{
    within(client.clone().oneshot(request)).await
}

/// The attempts of a call whose first answer was not the last, by what became of them.
pub(crate) fn attempts(outcome: &Outcome) -> Vec<String> {
    let attempts = match outcome {
        Ok(response) => match response.extensions().get::<Served>() {
            Some(served) => served.attempts(),
            None => &[],
        },
        Err(error) => error.attempts(),
    };
    let told = |record: &AttemptRecord| format!("{:?} ({})", record.failure(), record.reason());
    attempts.iter().map(told).collect()
}

pub(crate) fn region(response: &Response) -> &str {
    response.headers()["x-region"].to_str().unwrap()
}
