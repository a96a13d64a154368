//! The request of attempt n, aimed at its region.
//!
//! What another attempt has in common with the first, by name:
//!
//! | part | on another attempt |
//! |---|---|
//! | method, path, query, version | the same |
//! | scheme and authority | those of the region |
//! | `Host` | the region's, if it named home; else the same |
//! | `grpc-timeout` | what is left of it |
//! | `grpc-previous-rpc-attempts` | how many attempts came before, if it is a gRPC call |
//! | other headers | the same, in the same order, sensitive ones still marked so |
//! | extensions | the same, cloned; [`Attempt`] is the attempt's own |
//! | body | see [`replay`](crate::replay) |
//!
//! A first attempt that goes home is the caller's request, untouched.

mod grpc_timeout;
mod head;

use std::time::Duration;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri,
    header::{CONTENT_TYPE, Entry, HOST},
    request::Parts,
    uri::{Authority, PathAndQuery},
};

use self::head::Head;
use crate::{
    region::{Origin, Region},
    report::Attempt,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");

/// The total timeout that the request itself carries.
pub(crate) fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    grpc_timeout::parse(headers.get(grpc_timeout::NAME)?)
}

/// Whether it is a gRPC call, of any encoding ("gRPC over HTTP2", Content-Type), or of gRPC-Web.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// Whether HTTP, or a key that the caller or this crate put into the request, says that sending it
/// twice does no harm.
pub(crate) fn is_idempotent(head: &Parts, key: Option<&HeaderName>) -> bool {
    // RFC 9110, 9.2.2. Extension methods may be idempotent, but nobody here knows.
    matches!(
        head.method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    ) || head.headers.contains_key(IDEMPOTENCY_KEY)
        || key.is_some_and(|key| head.headers.contains_key(key))
}

/// Puts a new key into the header unless the caller put one there.
pub(crate) fn stamp(headers: &mut HeaderMap, key: &HeaderName) {
    if !headers.contains_key(key) {
        let mut text = uuid::Uuid::encode_buffer();
        let text = uuid::Uuid::new_v4().hyphenated().encode_lower(&mut text);
        let value = HeaderValue::from_str(text).expect("a UUID is visible ASCII");
        headers.insert(key.clone(), value);
    }
}

/// A hash of the path, by which failures of one route are told from those of others.
pub(crate) fn route(uri: &Uri) -> u64 {
    // Computed for every call, so by words and not by bytes. A collision costs a vote.
    uri.path().as_bytes().chunks(8).fold(0, |hash: u64, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (hash.rotate_left(5) ^ u64::from_ne_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

/// Points the request at `region`, in place of `home`.
pub(crate) fn aim(head: &mut Parts, home: &Origin, region: &Region) {
    let path = head.uri.path_and_query().cloned();
    head.uri = uri(
        region.origin(),
        path.unwrap_or_else(|| PathAndQuery::from_static("/")),
    );
    rewrite_host(&mut head.headers, home, region.origin());
}

/// Takes away what an outer layer of this crate says of its own attempts.
pub(crate) fn unmark(head: &mut Parts) {
    head.extensions.remove::<Attempt>();
}

/// Tells inner layers which attempt the request is.
pub(crate) fn mark(head: &mut Parts, number: u32, region: &Region) {
    head.extensions.insert(Attempt::new(number, region.clone()));
}

/// A copy of a request's head, from which those of later attempts are made.
#[derive(Debug)]
pub(crate) struct Template {
    head: Head,
}

impl Template {
    pub(crate) fn new(head: &Parts) -> Self {
        Self {
            head: Head::copy(head),
        }
    }

    /// The headers as the caller gave them.
    pub(crate) fn headers(&self) -> HeaderMap {
        self.head.restore().0.headers
    }

    /// The head of another attempt. `left` is what is left of the call's time.
    pub(crate) fn head(
        &self,
        home: &Origin,
        region: &Region,
        number: u32,
        left: Option<Duration>,
    ) -> Parts {
        let (mut head, path) = self.head.restore();
        head.uri = uri(region.origin(), path);
        rewrite_host(&mut head.headers, home, region.origin());
        if let (Some(left), Some(value)) = (left, head.headers.get_mut(grpc_timeout::NAME)) {
            // A value that was not understood did not limit the call; it is passed on as it came.
            if grpc_timeout::parse(value).is_some() {
                *value = grpc_timeout::format(left);
            }
        }
        if is_grpc(&head.headers) {
            // gRFC A6, "Exposed Retry Metadata".
            let previous = HeaderValue::from(number.saturating_sub(1));
            head.headers.insert(PREVIOUS_ATTEMPTS, previous);
        }
        mark(&mut head, number, region);
        head
    }
}

/// The URI of this path at this origin.
pub(crate) fn uri(origin: &Origin, path: PathAndQuery) -> Uri {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(origin.uri_scheme().clone());
    parts.authority = Some(origin.authority().clone());
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).expect("scheme, authority and path together are a URI")
}

fn rewrite_host(headers: &mut HeaderMap, home: &Origin, to: &Origin) {
    let Entry::Occupied(mut hosts) = headers.entry(HOST) else {
        return;
    };
    for host in hosts.iter_mut() {
        let named: Option<Authority> = host.as_bytes().try_into().ok();
        if named.is_some_and(|named| home.is_named_by(&named)) {
            *host = HeaderValue::from_str(to.authority().as_str())
                .expect("an authority is visible ASCII");
        }
    }
}
