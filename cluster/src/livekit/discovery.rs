use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use serde_json::{Value, json};

use super::directives::Directives;
use crate::BoxError;

pub(super) fn name(index: usize) -> String {
    format!("region-{index}")
}

/// What the regions of a project tell of each other.
#[derive(Debug, Default)]
pub(crate) struct Discovery(Mutex<Listing>);

#[derive(Debug)]
struct Listing {
    origins: Vec<String>,
    listed: Vec<usize>,
    cache_control: Option<HeaderValue>,
}

impl Default for Listing {
    fn default() -> Self {
        Listing {
            origins: Vec::new(),
            listed: Vec::new(),
            cache_control: Some(HeaderValue::from_static("max-age=0")),
        }
    }
}

impl Discovery {
    /// Lists all these, which are known only once the regions run.
    pub(super) fn advertise(&self, origins: Vec<String>) {
        let mut listing = self.listing();
        listing.listed = (0..origins.len()).collect();
        listing.origins = origins;
    }

    pub(super) fn list(&self, regions: &[usize]) {
        self.listing().listed = regions.to_vec();
    }

    pub(super) fn cache_control(&self, value: Option<HeaderValue>) {
        self.listing().cache_control = value;
    }

    /// What the region of that index answers to `GET /settings/regions`.
    pub(super) fn answer(
        &self,
        index: usize,
        directives: &Directives,
    ) -> Result<Response<Bytes>, BoxError> {
        if let Some(status) = directives.regions_status {
            return Ok(Response::builder().status(status).body(Bytes::new())?);
        }
        let listing = self.listing();
        let mut head = Response::builder()
            .header(CONTENT_TYPE, "application/json")
            .header("x-lk-mock-region", index);
        if let Some(value) = &listing.cache_control {
            head = head.header(CACHE_CONTROL, value);
        }
        let document = listing.document(directives);
        Ok(head.body(document.to_string().into())?)
    }

    fn listing(&self) -> MutexGuard<'_, Listing> {
        self.0.lock().expect("no holder of the listing panics")
    }
}

impl Listing {
    /// The JSON of protobuf: 64-bit integers are strings, and what is zero or empty is left out.
    fn document(&self, directives: &Directives) -> Value {
        let listed = self
            .listed
            .iter()
            .filter(|index| directives.allows(**index));
        let regions: Vec<_> = listed.map(|index| self.region(*index)).collect();
        if regions.is_empty() {
            return json!({});
        }
        json!({ "regions": regions })
    }

    fn region(&self, index: usize) -> Value {
        let mut region = json!({ "region": name(index), "url": self.origins[index] });
        if index > 0 {
            region["distance"] = index.to_string().into();
        }
        region
    }
}
