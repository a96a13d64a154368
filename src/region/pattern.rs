//! Which hosts are meant: one by its name, or all below a domain.

use std::{error::Error as StdError, fmt, net::Ipv6Addr};

/// RFC 1035, 2.3.4, as a name is written: without its root.
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// A host, or `*.` and a domain below which any host may stand.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// In lower case.
    Host(Box<str>),
    V6(Ipv6Addr),
    /// In lower case, from the dot on: `.example.com`.
    Below(Box<str>),
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidPattern> {
        if let Some(address) = ipv6(text) {
            return Ok(Self(Kind::V6(address)));
        }
        let text = text.to_ascii_lowercase();
        let (below, name) = match text.strip_prefix("*.") {
            Some(domain) => (true, domain),
            None => (false, &*text),
        };
        check_name(name)?;
        if text.len() > MAX_NAME {
            return Err(PatternFault::Length.into());
        }
        if below && ends_in_number(name) {
            return Err(PatternFault::Address.into());
        }
        // `*.ck` is on the list with its star, `com` without.
        if is_public_suffix(name) || is_public_suffix(&text) {
            return Err(PatternFault::PublicSuffix.into());
        }
        Ok(Self(if below {
            Kind::Below(text.trim_start_matches('*').into())
        } else {
            Kind::Host(text.into())
        }))
    }

    /// Whether `host`, written as in a URI, is meant. Allocates nothing.
    pub(crate) fn matches(&self, host: &str) -> bool {
        match &self.0 {
            Kind::Host(name) => name.eq_ignore_ascii_case(host),
            Kind::V6(address) => host.starts_with('[') && ipv6(host) == Some(*address),
            Kind::Below(domain) => host
                .len()
                .checked_sub(domain.len())
                .and_then(|end| host.split_at_checked(end))
                .is_some_and(|(labels, rest)| {
                    rest.eq_ignore_ascii_case(domain) && labels.split('.').all(is_label)
                }),
        }
    }
}

/// Whether a resolver may take `host` for an IP address: `127.1`, `0x7f.1` and `2130706433` are
/// `127.0.0.1` to `getaddrinfo`, and a URL parser calls every host an IPv4 address whose last label is a
/// number.
pub(super) fn is_address(host: &str) -> bool {
    host.starts_with('[') || ends_in_number(host.trim_end_matches('.'))
}

fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    !last.is_empty()
        && (digits(last)
            || last
                .strip_prefix("0x")
                .or_else(|| last.strip_prefix("0X"))
                .is_some_and(hex))
}

fn ipv6(text: &str) -> Option<Ipv6Addr> {
    match text.strip_prefix('[') {
        Some(text) => text.strip_suffix(']')?.parse().ok(),
        None => text.parse().ok(),
    }
}

fn check_name(name: &str) -> Result<(), PatternFault> {
    if name.is_empty() {
        return Err(PatternFault::Empty);
    }
    if !name.is_ascii() {
        return Err(PatternFault::NotAscii);
    }
    if name.contains('*') {
        return Err(PatternFault::Star);
    }
    if name.split('.').any(str::is_empty) {
        return Err(PatternFault::EmptyLabel);
    }
    if name.split('.').any(|label| label.len() > MAX_LABEL) {
        return Err(PatternFault::Length);
    }
    if !name.split('.').all(is_label) {
        return Err(PatternFault::Character);
    }
    Ok(())
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn is_public_suffix(name: &str) -> bool {
    psl::suffix(name.as_bytes())
        .is_some_and(|suffix| suffix.is_known() && suffix.as_bytes() == name.as_bytes())
}

/// Why a host pattern was refused.
///
/// It names the pattern by its place in the list and shows nothing of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPattern {
    fault: PatternFault,
    entry: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PatternFault {
    Empty,
    Star,
    Character,
    NotAscii,
    EmptyLabel,
    Length,
    Address,
    PublicSuffix,
}

impl InvalidPattern {
    pub(crate) fn at(self, entry: usize) -> Self {
        Self {
            entry: Some(entry),
            ..self
        }
    }
}

impl From<PatternFault> for InvalidPattern {
    fn from(fault: PatternFault) -> Self {
        Self { fault, entry: None }
    }
}

impl fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("host pattern")?;
        if let Some(entry) = self.entry {
            write!(f, " {}", entry + 1)?;
        }
        f.write_str(match self.fault {
            PatternFault::Empty => ": no host is written",
            PatternFault::Star => ": a star is not the whole first label of a domain",
            PatternFault::Character => ": not a host alone, such as api.example.com",
            PatternFault::NotAscii => ": not in ASCII; punycode is needed",
            PatternFault::EmptyLabel => ": an empty label",
            PatternFault::Length => ": a label of more than 63 bytes, or more than 253 in all",
            PatternFault::Address => ": a star before an IP address",
            PatternFault::PublicSuffix => ": a public suffix",
        })
    }
}

impl StdError for InvalidPattern {}

#[cfg(test)]
mod tests;
