use std::{fmt, future::poll_fn, sync::Arc};

use futures_util::future::{BoxFuture, FutureExt};
use http::uri::PathAndQuery;
use tower_service::Service;

use super::{Query, RegionList};
use crate::BoxError;

/// Whom to ask for a list.
#[derive(Clone)]
pub(super) enum Source {
    /// Home and its regions, at this path, through the wrapped client.
    Http(PathAndQuery),
    /// A service of the user's.
    Service(Arc<dyn Lookup>),
}

impl Source {
    pub(super) fn needs_client(&self) -> bool {
        matches!(self, Self::Http(_))
    }
}

/// A service of the user's, whatever its type.
pub(super) trait Lookup: Send + Sync {
    fn lookup(&self, query: Query) -> BoxFuture<'static, Result<RegionList, BoxError>>;
}

pub(super) fn boxed<D>(service: D) -> Arc<dyn Lookup>
where
    D: Service<Query, Response = RegionList> + Clone + Send + Sync + 'static,
    D::Error: Into<BoxError>,
    D::Future: Send + 'static,
{
    Arc::new(Boxed(service))
}

struct Boxed<D>(D);

impl<D> Lookup for Boxed<D>
where
    D: Service<Query, Response = RegionList> + Clone + Send + Sync + 'static,
    D::Error: Into<BoxError>,
    D::Future: Send + 'static,
{
    fn lookup(&self, query: Query) -> BoxFuture<'static, Result<RegionList, BoxError>> {
        let mut service = self.0.clone();
        async move {
            poll_fn(|cx| service.poll_ready(cx))
                .await
                .map_err(Into::into)?;
            service.call(query).await.map_err(Into::into)
        }
        .boxed()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The path may hold what does not belong into a log.
            Self::Http(_) => f.write_str("Http"),
            Self::Service(_) => f.write_str("Service"),
        }
    }
}
