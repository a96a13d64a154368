use std::{
    borrow::Cow,
    fmt,
    hash::{Hash, Hasher},
    net::Ipv6Addr,
};

use http::{
    Uri,
    uri::{Authority, Scheme},
};

use crate::error::{InvalidRegion, RegionFault};

/// Scheme, host and port of a place, in one canonical form.
///
/// The host is lower case, the port explicit, user information absent: `https://H`, `https://h` and
/// `https://h:443` are one origin, shown as `https://h:443`. IPv6 hosts are compared as addresses.
#[derive(Clone)]
pub struct Origin {
    /// The canonical text, of which the other fields are parts.
    text: Box<str>,
    scheme: Scheme,
    host: Box<str>,
    port: u16,
    /// As it is written into requests: without the default port, like clients write it themselves.
    authority: Authority,
}

impl Origin {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidRegion> {
        let uri: Uri = text.parse().map_err(|_| RegionFault::Syntax)?;
        let scheme = uri.scheme().ok_or(RegionFault::Scheme)?;
        let authority = uri.authority().ok_or(RegionFault::Syntax)?;
        // `Uri` forgets the fragment, so it is looked for in the text.
        if uri.path() != "/" || uri.query().is_some() || text.contains('#') {
            return Err(RegionFault::Path.into());
        }
        if authority.as_str().contains('@') {
            return Err(RegionFault::UserInfo.into());
        }
        let scheme = if *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS {
            scheme.clone()
        } else {
            return Err(RegionFault::Scheme.into());
        };
        let port = match port(&scheme, authority) {
            None | Some(0) => return Err(RegionFault::Port.into()),
            Some(port) => port,
        };
        let host = canonical_host(authority.host()).ok_or(RegionFault::Syntax)?;
        let short = if port == default_port(&scheme) {
            host.to_string()
        } else {
            format!("{host}:{port}")
        };
        Ok(Self {
            text: format!("{scheme}://{host}:{port}").into(),
            authority: short.parse().map_err(|_| RegionFault::Syntax)?,
            scheme,
            host,
            port,
        })
    }

    /// Where a request with this scheme and authority goes, whatever user information it carries.
    pub(crate) fn of(scheme: &Scheme, authority: &Authority) -> Option<Self> {
        let text = authority.as_str();
        let text = text.rsplit_once('@').map_or(text, |(_, text)| text);
        Self::parse(&format!("{scheme}://{text}")).ok()
    }

    /// `https` or `http`.
    pub fn scheme(&self) -> &str {
        self.scheme.as_str()
    }

    /// The host in lower case; an IPv6 address stands in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's own where none was written.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The canonical text, such as `https://eu.api.example.com:443`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn uri_scheme(&self) -> &Scheme {
        &self.scheme
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Whether a URI with this scheme and authority is at this origin. Allocates nothing.
    pub(crate) fn is_of(&self, scheme: &Scheme, authority: &Authority) -> bool {
        *scheme == self.scheme && self.is_named_by(authority)
    }

    /// Whether `authority` names this origin's host and port, under this origin's scheme.
    pub(crate) fn is_named_by(&self, authority: &Authority) -> bool {
        // As nearly every request writes it; the comparison ignores case.
        if *authority == self.authority {
            return true;
        }
        // Else a port or user information is written that need not be, or an address differently.
        let text = authority.as_str();
        text.contains([':', '@'])
            && port(&self.scheme, authority) == Some(self.port)
            && self.has_host(authority.host())
    }

    fn has_host(&self, host: &str) -> bool {
        self.host.eq_ignore_ascii_case(host)
            || (host.starts_with('[') && canonical_host(host).is_some_and(|host| host == self.host))
    }
}

/// The URL, with `http` and `https` for the `ws` and `wss` of a WebSocket, whose handshake is made in
/// them.
pub(crate) fn http_url(url: &str) -> Cow<'_, str> {
    match url.split_once("://") {
        Some((ws, rest)) if ws.eq_ignore_ascii_case("ws") => format!("http://{rest}").into(),
        Some((wss, rest)) if wss.eq_ignore_ascii_case("wss") => format!("https://{rest}").into(),
        _ => url.into(),
    }
}

/// The port that `authority` means, or `None` where it writes one that does not exist.
fn port(scheme: &Scheme, authority: &Authority) -> Option<u16> {
    let text = authority.as_str();
    let text = text.rsplit_once('@').map_or(text, |(_, text)| text);
    match text.get(authority.host().len()..).unwrap_or_default() {
        "" | ":" => Some(default_port(scheme)),
        written => written.strip_prefix(':')?.parse().ok(),
    }
}

fn default_port(scheme: &Scheme) -> u16 {
    if *scheme == Scheme::HTTPS { 443 } else { 80 }
}

fn canonical_host(host: &str) -> Option<Box<str>> {
    if host.is_empty() {
        return None;
    }
    match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(address) => {
            let address: Ipv6Addr = address.parse().ok()?;
            Some(format!("[{address}]").into())
        }
        None => Some(host.to_ascii_lowercase().into()),
    }
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Origin {}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::parse(text).unwrap()
    }

    fn is_of(origin: &Origin, uri: &'static str) -> bool {
        let uri = Uri::from_static(uri);
        origin.is_of(uri.scheme().unwrap(), uri.authority().unwrap())
    }

    #[test]
    fn case_and_default_port_make_no_difference() {
        let h = origin("https://h");
        assert_eq!(h, origin("https://H"));
        assert_eq!(h, origin("HTTPS://h:443/"));
        assert_eq!(h.as_str(), "https://h:443");
        assert_eq!(h.authority(), "h");
        assert_eq!(origin("http://h:8080").authority(), "h:8080");
        assert_ne!(h, origin("http://h"));
        assert_ne!(h, origin("https://h:80"));
    }

    #[test]
    fn requests_are_recognised_however_they_are_written() {
        let h = origin("https://api.example.com");
        assert!(is_of(&h, "https://API.example.COM/x?y"));
        assert!(is_of(&h, "https://api.example.com:443/"));
        assert!(is_of(&h, "https://api.example.com:/"));
        assert!(is_of(&h, "https://user:secret@api.example.com/"));
        assert!(!is_of(&h, "http://api.example.com:443/"));
        assert!(!is_of(&h, "https://api.example.com:80/"));
        assert!(!is_of(&h, "https://api.example.com.evil.com/"));
        assert!(!is_of(&h, "https://api.example.com:99999/"));
    }

    #[test]
    fn ipv6_is_compared_as_an_address() {
        let v6 = origin("http://[0:0:0:0:0:0:0:1]:8080");
        assert_eq!(v6.as_str(), "http://[::1]:8080");
        assert!(is_of(&v6, "http://[::1]:8080/"));
        assert!(is_of(&v6, "http://[0::1]:8080/"));
        assert!(!is_of(&v6, "http://[::2]:8080/"));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for (text, fault) in [
            ("", RegionFault::Syntax),
            ("https://", RegionFault::Syntax),
            ("https://ex ample.com", RegionFault::Syntax),
            ("https://[::1", RegionFault::Syntax),
            ("https://[nonsense]", RegionFault::Syntax),
            ("eu.example.com", RegionFault::Scheme),
            ("/path", RegionFault::Scheme),
            ("ftp://eu.example.com", RegionFault::Scheme),
            ("https://eu.example.com/base", RegionFault::Path),
            ("https://eu.example.com/?q", RegionFault::Path),
            ("https://eu.example.com#f", RegionFault::Path),
            ("https://user@eu.example.com", RegionFault::UserInfo),
            ("https://eu.example.com:0", RegionFault::Port),
            ("https://eu.example.com:99999", RegionFault::Port),
        ] {
            let error = Origin::parse(text).expect_err(text);
            assert_eq!(error, InvalidRegion::from(fault), "{text}");
        }
    }
}
