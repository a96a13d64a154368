use bytes::Bytes;
use http::{
    Extensions, HeaderName, HeaderValue, Method, Request, Version, request::Parts,
    uri::PathAndQuery,
};

/// A head copied into one flat buffer.
///
/// Most copies are never used, so making one is what has to be cheap: a clone of a `HeaderMap`
/// allocates its table and often each value; this is a single allocation and a `memcpy` for each
/// part. The map is built anew when there is a replay, with values that are slices of the buffer.
#[derive(Debug)]
pub(super) struct Head {
    method: Method,
    version: Version,
    extensions: Extensions,
    /// How many names the headers have.
    names: usize,
    /// The path and query, then for each header the lengths of name and value, whether the value is
    /// sensitive, name and value.
    bytes: Bytes,
    path_len: usize,
}

/// The bytes of a length, and of all that stands before a header's name.
const LENGTH: usize = size_of::<usize>();
const PREFIX: usize = 2 * LENGTH + 1;

impl Head {
    pub(super) fn copy(head: &Parts) -> Self {
        let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let size = head.headers.iter().fold(path.len(), |size, (name, value)| {
            size + PREFIX + name.as_str().len() + value.len()
        });
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(path.as_bytes());
        for (name, value) in &head.headers {
            let name = name.as_str().as_bytes();
            let mut prefix = [0; PREFIX];
            prefix[..LENGTH].copy_from_slice(&name.len().to_ne_bytes());
            prefix[LENGTH..2 * LENGTH].copy_from_slice(&value.len().to_ne_bytes());
            prefix[2 * LENGTH] = u8::from(value.is_sensitive());
            bytes.extend_from_slice(&prefix);
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(value.as_bytes());
        }
        Self {
            method: head.method.clone(),
            version: head.version,
            // Nothing is allocated where there are none, the usual case.
            extensions: head.extensions.clone(),
            names: head.headers.keys_len(),
            bytes: bytes.into(),
            path_len: path.len(),
        }
    }

    /// The head as it was, save for the URI, of which there is only the path and query.
    pub(super) fn restore(&self) -> (Parts, PathAndQuery) {
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = self.method.clone();
        head.version = self.version;
        head.extensions = self.extensions.clone();
        head.headers.reserve(self.names);

        let mut rest = self.bytes.clone();
        let path = PathAndQuery::from_maybe_shared(rest.split_to(self.path_len))
            .expect("the path was one when it was copied");
        while !rest.is_empty() {
            let name_len = length(&rest[..LENGTH]);
            let value_len = length(&rest[LENGTH..2 * LENGTH]);
            let sensitive = rest[2 * LENGTH] != 0;
            let mut entry = rest
                .split_to(PREFIX + name_len + value_len)
                .split_off(PREFIX);
            let name = entry.split_to(name_len);
            let name = HeaderName::from_bytes(&name).expect("a name was one when it was copied");
            let mut value =
                HeaderValue::from_maybe_shared(entry).expect("a value was one when it was copied");
            value.set_sensitive(sensitive);
            head.headers.append(name, value);
        }
        (head, path)
    }
}

fn length(bytes: &[u8]) -> usize {
    usize::from_ne_bytes(
        bytes
            .try_into()
            .expect("the slice has the size of a length"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restored(request: Request<()>) -> (Parts, Parts, PathAndQuery) {
        let (head, ()) = request.into_parts();
        let (copy, path) = Head::copy(&head).restore();
        (head, copy, path)
    }

    #[test]
    fn a_restored_head_is_the_same() {
        let mut secret = HeaderValue::from_static("token");
        secret.set_sensitive(true);
        let request = Request::builder()
            .method("PROPFIND")
            .version(Version::HTTP_2)
            .uri("https://h/a%20b?c=d&e")
            .header("accept", "a")
            .header("x-custom-name-that-is-long", "")
            .header("accept", "b")
            .header("authorization", secret)
            .header("x-binary", HeaderValue::from_bytes(b"\xff\x80 \t").unwrap())
            .extension(7_u32)
            .body(())
            .unwrap();
        let (head, copy, path) = restored(request);
        assert_eq!(copy.method, head.method);
        assert_eq!(copy.version, head.version);
        assert_eq!(copy.headers, head.headers);
        assert!(
            copy.headers.iter().eq(head.headers.iter()),
            "the order is the same"
        );
        assert!(copy.headers["authorization"].is_sensitive());
        assert!(!copy.headers["accept"].is_sensitive());
        assert_eq!(copy.extensions.get::<u32>(), Some(&7));
        assert_eq!(path, "/a%20b?c=d&e");
    }

    #[test]
    fn as_many_values_as_a_map_can_hold() {
        let mut request = Request::new(());
        for _ in 0..40_000 {
            let value = HeaderValue::from_static("y");
            request.headers_mut().append("x", value);
        }
        let (head, copy, _) = restored(request);
        assert_eq!(copy.headers.len(), head.headers.len());
    }

    #[test]
    fn paths_of_all_forms() {
        for uri in ["http://h", "http://h?q", "http://h/?q", "/only", "/only?q="] {
            let (head, _, path) = restored(Request::get(uri).body(()).unwrap());
            assert_eq!(path, head.uri.path_and_query().unwrap().as_str(), "{uri}");
        }
    }
}
