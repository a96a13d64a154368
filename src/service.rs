use std::{
    fmt, mem,
    sync::Arc,
    task::{Context, Poll},
};

#[cfg(feature = "tonic")]
use http::Method;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use tokio::time::Instant;
use tower_service::Service;

use crate::{
    BoxError,
    call::{Call, Traits},
    classify::FailureKind,
    client::{Client, Through},
    config::Shared,
    error::Error,
    future::{Attempts, Replays, ResponseFuture},
    handle::{Handle, Refresh},
    policy::Policy,
    replay::{self, ReplayBody},
    request::{self, Template},
};

/// A client whose calls survive the failure of a region; made by
/// [`FailoverLayer`](crate::FailoverLayer).
///
/// It is a service for `http::Request<B>` of any body `B` for which the inner one is a service for
/// `http::Request<ReplayBody<B>>`, that is a client whose body type is still open. The inner service
/// is cloned for each call that may be replayed, and each clone must reach the same client, as
/// tower's contract has it. It, its futures and the bodies are `Send` and `'static`, for one call may
/// find regions that another one waits for.
/// Layers that send one request several times (that follow redirects, or fetch tokens) belong
/// outside.
///
/// # Readiness
///
/// It is ready when the inner service is, and the instance that was polled ready makes the first
/// attempt. A later attempt polls a clone for readiness, after the wait and within the attempt
/// timeout. During the wait nothing of the inner service is held. A
/// [`ConcurrencyLimit`](https://docs.rs/tower/latest/tower/limit/concurrency/) inside therefore
/// counts attempts; one outside counts calls, their waits included. Discovery needs readiness for
/// its own requests, one for each region that it asks and that has not answered yet.
///
/// # Errors
///
/// [`Error`], with the inner service's error as its source.
#[derive(Clone)]
pub struct Failover<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Failover<S> {
    pub(crate) fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service, alone.
    pub fn into_inner(self) -> S {
        self.inner
    }

    #[cfg(feature = "reqwest")]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Fetches the list of the regions of this home, an origin, before there is a failure that needs
    /// it. Where the regions are fixed there is nothing to do.
    ///
    /// `B` is the body of the requests that the client sends, where more than one is possible.
    ///
    /// # Errors
    ///
    /// When no list can be had, or `home` is no origin that regions are discovered for. Calls go on
    /// as if nothing had happened.
    pub fn warm_up<B, R>(&self, home: impl AsRef<str>) -> Refresh
    where
        S: Service<Request<ReplayBody<B>>, Response = Response<R>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: Send + 'static,
        R: Body + Send + 'static,
    {
        self.warm_up_with(home, &HeaderMap::new())
    }

    /// As [`warm_up`](Self::warm_up), with these headers, as a call would have them: a discovery that
    /// wants credentials gets them here.
    pub fn warm_up_with<B, R>(&self, home: impl AsRef<str>, headers: &HeaderMap) -> Refresh
    where
        S: Service<Request<ReplayBody<B>>, Response = Response<R>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: Send + 'static,
        R: Body + Send + 'static,
    {
        let directory = &self.shared.directory;
        match &directory.homes {
            None => Refresh::done(),
            Some(homes) => {
                homes.keep(|| client(&self.inner));
                Handle::new(&self.shared).refresh_with(home, headers)
            }
        }
    }
}

// Without the client, which may show what no log is to hold.
impl<S> fmt::Debug for Failover<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failover")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for Failover<S>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Body + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
    R: Body + Send + 'static,
{
    type Response = Response<R>;
    type Error = Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner
            .poll_ready(cx)
            .map_err(|error| Error::not_ready(error.into()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Shared {
            config,
            directory,
            prober,
        } = &*self.shared;
        let client = || client(&self.inner);
        let Some(scope) = directory.scope_of(request.uri(), client) else {
            return ResponseFuture::passed_on(self.inner.call(request.map(ReplayBody::direct)));
        };
        prober.watch(&self.shared, client);

        let (mut head, body) = request.into_parts();
        let policy = Policy::new(config, head.extensions.get(), head.uri.path());
        if let Some(key) = &config.idempotency_key {
            request::stamp(&mut head.headers, key);
        }
        let traits = Traits {
            idempotent: request::is_idempotent(&head, config.idempotency_key.as_ref()),
            route: request::route(&head.uri),
            deadline: deadline(&policy, &head),
            #[cfg(feature = "tonic")]
            grpc: head.method == Method::POST && request::is_grpc(&head.headers),
        };
        // Before the head is aimed, for later attempts are aimed from home as well.
        let may_replay = policy.max_attempts > 1
            && (config.retry_same_region || directory.may_fail_over(&scope));
        let template = may_replay.then(|| Template::new(&head));

        let mut call = Call::new(self.shared.clone(), policy, scope, traits);
        if !call.is_home() || head.uri.authority().is_none() {
            request::aim(&mut head, call.home().origin(), call.region());
        }
        if config.mark_first_attempt {
            request::mark(&mut head, call.number(), call.region());
        } else {
            request::unmark(&mut head);
        }

        let Some(template) = template else {
            let (body, keeper) = replay::wrap(body, None, false);
            let future = self.inner.call(Request::from_parts(head, body));
            return ResponseFuture::attempts(Attempts::new(future, call, keeper, None));
        };
        // What may be sent twice needs no proof that it was not sent once.
        let watched = !call.may_replay(FailureKind::Unknown);
        let (body, keeper) = replay::wrap(body, Some(config.max_replay_body), watched);
        if config.hedge.is_some() && keeper.duplicate().is_some() {
            call.may_be_hedged();
        }
        // The instance that was polled ready makes the attempt, a clone stays behind.
        let clone = self.inner.clone();
        let mut ready = mem::replace(&mut self.inner, clone);
        let future = ready.call(Request::from_parts(head, body));
        let replays = Replays::new(template, ready);
        ResponseFuture::attempts(Attempts::new(future, call, keeper, Some(replays)))
    }
}

/// The client as discovery uses it.
fn client<S, B, R>(service: &S) -> Arc<dyn Client>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Send + 'static,
    R: Body + Send + 'static,
{
    Arc::new(Through::<S, B>::new(service.clone()))
}

/// When the call's time is over, by its policy or by what the request itself says.
fn deadline(policy: &Policy, head: &http::request::Parts) -> Option<Instant> {
    let timeout = match (policy.total_timeout, request::grpc_timeout(&head.headers)) {
        (Some(one), Some(two)) => one.min(two),
        (one, two) => one.or(two)?,
    };
    // A time that the clock cannot express does not end.
    Instant::now().checked_add(timeout)
}
