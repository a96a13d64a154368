//! How long the server says its list may be kept: pure parsing.

use std::time::Duration;

use http::{
    HeaderMap,
    header::{AGE, CACHE_CONTROL},
};

/// Far more than any server writes; who writes more is not worth the reading.
const MAX_LINES: usize = 16;

/// What a response says of its own keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Not to be kept, or not to be used again unasked.
    NoStore,
    /// Fresh for this long from now on.
    For(Duration),
}

/// Reads `Cache-Control` and `Age` (RFC 9111, 5.2.2 and 5.1); `None` where they say nothing.
///
/// The layer keeps lists for itself alone, so what is for shared caches (`s-maxage`, `private`) is
/// not looked at. Where in doubt, the shorter time wins.
pub(crate) fn freshness(headers: &HeaderMap) -> Option<Freshness> {
    let mut max_age = None;
    for (n, line) in headers.get_all(CACHE_CONTROL).into_iter().enumerate() {
        // What is not read might forbid the keeping.
        if n == MAX_LINES {
            return Some(Freshness::NoStore);
        }
        for Directive { name, value } in Directives::of(line.as_bytes()) {
            if name.eq_ignore_ascii_case(b"no-store") || name.eq_ignore_ascii_case(b"no-cache") {
                return Some(Freshness::NoStore);
            }
            if name.eq_ignore_ascii_case(b"max-age") {
                // RFC 9111, 4.2.1: freshness that cannot be read is none, and of two the lesser.
                let seconds = delta_seconds(unquoted(value)).unwrap_or(0);
                max_age = Some(max_age.map_or(seconds, |other| seconds.min(other)));
            }
        }
    }
    let seconds = max_age?.saturating_sub(age(headers));
    Some(Freshness::For(Duration::from_secs(seconds.into())))
}

fn age(headers: &HeaderMap) -> u32 {
    headers
        .get_all(AGE)
        .into_iter()
        .take(MAX_LINES)
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .find_map(|text| delta_seconds(text.trim_ascii()))
        .unwrap_or(0)
}

/// RFC 9111, 1.2.2: a number too great to be represented is a very long time.
fn delta_seconds(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u32, |seconds, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        Some(seconds.saturating_mul(10).saturating_add(digit))
    })
}

fn unquoted(value: &[u8]) -> &[u8] {
    value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""))
        .unwrap_or(value)
}

/// One directive; the value is as it is written, and empty where there is none.
struct Directive<'a> {
    name: &'a [u8],
    value: &'a [u8],
}

/// The directives of one line: parted by commas, save those in quoted strings.
struct Directives<'a> {
    rest: &'a [u8],
    /// Whether a quote can still be closed. One that is not hides nothing of what follows, and no
    /// later one is either: looking again would take quadratic time.
    quotes: bool,
}

impl<'a> Directives<'a> {
    fn of(line: &'a [u8]) -> Self {
        Self {
            rest: line,
            quotes: true,
        }
    }

    /// Where the next directive ends.
    fn end(&mut self) -> usize {
        let mut at = 0;
        loop {
            match self.rest.get(at..).unwrap_or_default() {
                [] | [b',', ..] => return at,
                [b'"', text @ ..] if self.quotes => match closing_quote(text) {
                    Some(length) => at += length + 2,
                    None => self.quotes = false,
                },
                _ => at += 1,
            }
        }
    }
}

impl<'a> Iterator for Directives<'a> {
    type Item = Directive<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.end();
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        let (name, value) = match text.iter().position(|byte| *byte == b'=') {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, &[][..]),
        };
        Some(Directive {
            name: name.trim_ascii(),
            value: value.trim_ascii(),
        })
    }
}

/// The length of a quoted string whose opening quote is read already (RFC 9110, 5.6.4).
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests;
