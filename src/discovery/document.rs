//! A list of regions as a server sends it: pure parsing of bounded size.

use std::{
    collections::{BTreeMap, HashSet},
    error::Error as StdError,
    fmt,
    str::FromStr,
};

use serde_json::{error::Category, value::RawValue};

use crate::region::{self, Region};

/// A hundred times what a list of regions takes.
pub(crate) const MAX_BYTES: usize = 64 * 1024;
/// How many regions of a list are used, once it is known which of them are trusted.
pub(crate) const MAX_REGIONS: usize = 32;
/// In bytes, like the next.
pub(crate) const MAX_URL: usize = 512;
pub(crate) const MAX_NAME: usize = 128;

/// The regions that a server named.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// In the order of the document, each origin once.
    pub(crate) regions: Vec<Region>,
    /// How many entries were no region, or stood there already.
    pub(crate) refused: usize,
}

/// The fields of an object, the last where a name stands twice. The values are known to be JSON and
/// not looked at before they are needed: what nobody reads can spoil nothing.
type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// Reads `{"regions":[{"region":"eu","url":"https://eu.example.com","distance":"123","weight":2}]}`.
pub(crate) fn parse(bytes: &[u8]) -> Result<Document, InvalidDocument> {
    if bytes.len() > MAX_BYTES {
        return Err(InvalidDocument(Fault::Size));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let fields: Fields<'_> = serde_json::from_slice(bytes)?;
    let mut document = Document {
        regions: Vec::new(),
        refused: 0,
    };
    let mut seen = HashSet::new();
    for entry in entries(&fields)? {
        match read(entry) {
            Some(region) if seen.insert(region.origin().clone()) => document.regions.push(region),
            _ => document.refused += 1,
        }
    }
    Ok(document)
}

/// An empty list may be left out, or be `null`.
fn entries<'a>(fields: &Fields<'a>) -> Result<Vec<&'a RawValue>, InvalidDocument> {
    let Some(regions) = fields.get("regions") else {
        return Ok(Vec::new());
    };
    let entries: Option<_> =
        serde_json::from_str(regions.get()).map_err(|_| InvalidDocument(Fault::Regions))?;
    Ok(entries.unwrap_or_default())
}

fn read(entry: &RawValue) -> Option<Region> {
    let fields: Fields<'_> = serde_json::from_str(entry.get()).ok()?;
    let region = region(text(&fields, "region").as_deref(), &text(&fields, "url")?)?;
    Some(region.measured(number(&fields, "distance"), number(&fields, "weight")))
}

/// The region that `name` and `url` describe, within the bounds.
pub(crate) fn region(name: Option<&str>, url: &str) -> Option<Region> {
    let url = region::http_url(url);
    if url.len() > MAX_URL {
        return None;
    }
    // A name is for people to read; the region is as good without.
    match name.filter(|name| is_name(name)) {
        Some(name) => Region::new(name, url).ok(),
        None => Region::unnamed(&url).ok(),
    }
}

fn text(fields: &Fields<'_>, name: &str) -> Option<String> {
    serde_json::from_str(fields.get(name)?.get()).ok()
}

/// A whole number, as such or as text: so the JSON of protobuf writes integers of 64 bits. What is none,
/// or too large, is as good as left out.
fn number<T: FromStr>(fields: &Fields<'_>, name: &str) -> Option<T> {
    match text(fields, name) {
        Some(text) => text.parse().ok(),
        None => fields.get(name)?.get().parse().ok(),
    }
}

/// Whether a name that comes from outside may be shown, in logs too: words in ASCII, no more. Nothing in
/// it can end a line, turn its direction, hide, or pass for an origin or a field.
pub(crate) fn is_name(name: &str) -> bool {
    let is_shown = |c: char| c.is_ascii_alphanumeric() || " -_./,()".contains(c);
    name.len() <= MAX_NAME
        && name.contains(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(is_shown)
}

/// Why a document is no list of regions.
///
/// It shows nothing of the document, which may hold what does not belong into a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvalidDocument(Fault);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    Size,
    Cut,
    Syntax { line: usize, column: usize },
    NoObject,
    Regions,
}

impl From<serde_json::Error> for InvalidDocument {
    fn from(error: serde_json::Error) -> Self {
        Self(match error.classify() {
            Category::Eof => Fault::Cut,
            Category::Data => Fault::NoObject,
            Category::Syntax | Category::Io => Fault::Syntax {
                line: error.line(),
                column: error.column(),
            },
        })
    }
}

impl fmt::Display for InvalidDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Fault::Size => write!(f, "more than {MAX_BYTES} bytes"),
            Fault::Cut => f.write_str("the JSON ends too early"),
            Fault::Syntax { line, column } => {
                write!(f, "no JSON from line {line}, column {column}")
            }
            Fault::NoObject => f.write_str("no JSON object"),
            Fault::Regions => f.write_str("`regions` is no list"),
        }
    }
}

impl StdError for InvalidDocument {}

#[cfg(test)]
mod tests;
