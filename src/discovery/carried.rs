use http::{
    HeaderMap, HeaderName,
    header::{CONNECTION, HOST},
    uri::Authority,
};

use crate::region::Origin;

/// What discovery takes along of a call's headers.
///
/// Credentials, cookies and headers of the user's own do go along. What does not: all that speaks of
/// the call's method, of its body, of its connection (RFC 9110, 7.6.1), of its conditions and of the
/// answer it wants; and its idempotency key, which names that call and no other.
///
/// A `Host` that names `home` is written anew by the client for whoever is asked; one that names
/// something else goes along, as it does with the calls.
pub(crate) fn carried(headers: &HeaderMap, key: Option<&HeaderName>, home: &Origin) -> HeaderMap {
    let mut kept = headers.clone();
    let host: Option<Authority> = headers
        .get(HOST)
        .and_then(|host| host.as_bytes().try_into().ok());
    if host.is_none_or(|host| home.is_named_by(&host)) {
        kept.remove(HOST);
    }
    let connection = headers.get_all(CONNECTION).iter();
    let connection: Vec<&str> = connection
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let is_of_connection = |name: &HeaderName| {
        let mut options = connection.iter();
        options.any(|option| option.eq_ignore_ascii_case(name.as_str()))
    };
    let dropped: Vec<HeaderName> = kept
        .keys()
        .filter(|name| Some(*name) == key || is_of_the_call(name) || is_of_connection(name))
        .cloned()
        .collect();
    for name in dropped {
        kept.remove(name);
    }
    kept
}

fn is_of_the_call(name: &HeaderName) -> bool {
    const NAMES: &[&str] = &[
        "accept",
        "accept-charset",
        "accept-encoding",
        "connection",
        "expect",
        "max-forwards",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "http2-settings",
        "idempotency-key",
        "keep-alive",
        "proxy-connection",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
    ];
    const PREFIXES: &[&str] = &["content-", "if-", "grpc-", "sec-websocket-"];
    let name = name.as_str();
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_custom_headers_are_carried_and_those_of_the_body_are_not() {
        let mut headers = HeaderMap::new();
        for name in [
            "authorization",
            "cookie",
            "x-project",
            "user-agent",
            "content-type",
            "content-length",
            "content-anything",
            "transfer-encoding",
            "host",
            "accept-encoding",
            "if-none-match",
            "range",
            "grpc-timeout",
            "idempotency-key",
            "x-request-key",
            "x-http-method-override",
            "x-hop",
        ] {
            headers.append(name, "v".parse().unwrap());
        }
        headers.append("x-project", "w".parse().unwrap());
        headers.append("connection", "close, X-Hop".parse().unwrap());
        let key = HeaderName::from_static("x-request-key");
        let home = Origin::parse("https://V").unwrap();
        let other = Origin::parse("https://other").unwrap();
        assert_eq!(carried(&headers, None, &other)["host"], "v");
        let carried = carried(&headers, Some(&key), &home);
        let names: Vec<_> = carried.keys().map(HeaderName::as_str).collect();
        assert_eq!(
            names,
            ["authorization", "cookie", "x-project", "user-agent"]
        );
        assert_eq!(carried.get_all("x-project").iter().count(), 2);
    }
}
