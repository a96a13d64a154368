use std::{fmt, sync::Arc};

use serde::Deserialize;

use crate::classify::GrpcCode;

/// The code of a Twirp or Connect error, such as `unavailable`: an extension of the response, for
/// classifiers.
///
/// It is a server's text of no more than 64 bytes, not checked against any list.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RpcCode(Arc<str>);

/// Longer than any code that there is.
const MAX_BYTES: usize = 64;

/// What Twirp and Connect have in common: the text of the code.
#[derive(Deserialize)]
struct Document {
    code: String,
}

impl RpcCode {
    /// The code in the body of an error, if it is a document that has one.
    pub(super) fn read(document: &[u8]) -> Option<Self> {
        let Document { code } = serde_json::from_slice(document).ok()?;
        let is_code = |c: char| c.is_ascii_graphic();
        (code.len() <= MAX_BYTES && !code.is_empty() && code.chars().all(is_code))
            .then(|| Self(code.into()))
    }

    /// The code as the server wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The code of gRPC that has this name.
    pub fn grpc(&self) -> Option<GrpcCode> {
        GrpcCode::from_name(&self.0)
    }
}

impl fmt::Debug for RpcCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RpcCode").field(&self.as_str()).finish()
    }
}

impl fmt::Display for RpcCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
