use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ::tonic::transport::{Channel, Endpoint};
use http::Uri;

use super::{
    NoOrigin, NotConfigured,
    lease::{Leased, Line},
};
use crate::{BoxError, region::Origin};

/// How many channels are kept: twice as many as a discovered list has regions.
const MAX_CHANNELS: usize = 64;

type Configure = dyn Fn(Endpoint) -> Result<Endpoint, BoxError> + Send + Sync;

/// The channels, one for each origin.
pub(super) struct Pool {
    configure: Box<Configure>,
    // Held for a look through a few entries; neither the closure nor tonic runs under it.
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The one used last comes first.
    channels: Vec<Entry>,
    /// How many there were.
    made: u64,
}

struct Entry {
    origin: Origin,
    line: Line,
}

impl Kept {
    /// The channel to this origin, if there is one, and the first from now on.
    fn find(&mut self, is_sought: impl FnMut(&Entry) -> bool) -> Option<Leased> {
        let index = self.channels.iter().position(is_sought)?;
        self.channels[..=index].rotate_right(1);
        Some(self.channels[0].line.lease())
    }
}

impl Pool {
    pub(super) fn new<F>(configure: F) -> Self
    where
        F: Fn(Endpoint) -> Result<Endpoint, BoxError> + Send + Sync + 'static,
    {
        Self {
            configure: Box::new(configure),
            kept: Mutex::default(),
        }
    }

    /// The channel to the origin of `uri`.
    pub(super) fn channel(&self, uri: &Uri) -> Result<Leased, BoxError> {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(NoOrigin.into());
        };
        let of_origin = |entry: &Entry| entry.origin.is_of(scheme, authority);
        if let Some(leased) = self.kept().find(of_origin) {
            return Ok(leased);
        }
        let origin = Origin::of(scheme, authority).ok_or(NoOrigin)?;
        let channel = self.connect(&origin)?;
        let mut kept = self.kept();
        // Another call may have made one meanwhile. This one has not connected yet.
        if let Some(leased) = kept.find(of_origin) {
            return Ok(leased);
        }
        kept.made += 1;
        let line = Line::new(channel, kept.made);
        let leased = line.lease();
        kept.channels.insert(0, Entry { origin, line });
        let surplus = match kept.channels.len() > MAX_CHANNELS {
            true => kept.channels.pop(),
            false => None,
        };
        drop(kept);
        drop(surplus);
        Ok(leased)
    }

    /// Keeps a channel no longer that turned out to be of no use. Calls that have it keep it.
    pub(super) fn forget(&self, leased: &Leased) {
        let mut kept = self.kept();
        let is_it = |entry: &Entry| entry.line.number == leased.line.number;
        if let Some(index) = kept.channels.iter().position(is_it) {
            let entry = kept.channels.remove(index);
            drop(kept);
            drop(entry);
        }
    }

    fn connect(&self, origin: &Origin) -> Result<Channel, BoxError> {
        let uri = Uri::builder()
            .scheme(origin.uri_scheme().clone())
            .authority(origin.authority().clone())
            .path_and_query("/")
            .build()
            .expect("an origin and a path are a URI");
        match (self.configure)(Endpoint::from(uri)) {
            Ok(endpoint) => Ok(endpoint.connect_lazy()),
            Err(error) => Err(NotConfigured::new(origin.clone(), error).into()),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing that may panic runs while the list is being changed.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.kept();
        let origins = kept.channels.iter().map(|entry| &entry.origin);
        f.debug_list().entries(origins).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_forgotten_is_one_channel_and_no_newer_one() {
        let pool = Pool::new(Ok);
        let [home, other] = ["http://home.test", "http://other.test"].map(Uri::from_static);
        let first = pool.channel(&home).unwrap();
        let _other = pool.channel(&other).unwrap();
        pool.forget(&first);
        assert_eq!(format!("{pool:?}"), "[http://other.test:80]");
        let second = pool.channel(&home).unwrap();
        pool.forget(&first);
        assert_eq!(
            format!("{pool:?}"),
            "[http://home.test:80, http://other.test:80]"
        );
        pool.forget(&second);
        assert_eq!(format!("{pool:?}"), "[http://other.test:80]");
    }
}
