use std::sync::Arc;

use futures_util::future::{BoxFuture, Shared, WeakShared};

use super::{DiscoveryError, View};

/// What comes of a fetch.
pub(crate) type Fetched = Result<Arc<View>, DiscoveryError>;

/// A fetch of a list under way, and its result: all who wait hold a clone and share both. It goes on
/// while anyone polls it, and ends with the last clone.
pub(crate) type Flight = Shared<BoxFuture<'static, Fetched>>;

/// A fetch that may have ended.
pub(super) type WeakFlight = WeakShared<BoxFuture<'static, Fetched>>;
