//! What `fuzz/` calls: the parsers of what comes from outside, and what always holds of them.

mod sse;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AGE, CACHE_CONTROL},
};
use serde_json::json;

use crate::{
    discovery::{
        document::{MAX_NAME, MAX_REGIONS, parse},
        freshness::{Freshness, freshness},
    },
    region::Region,
};

pub use self::sse::sse;

/// Reads a list of regions.
///
/// # Panics
///
/// When the regions read are not what the parser promises.
pub fn document(bytes: &[u8]) {
    let document = match parse(bytes) {
        Ok(document) => document,
        Err(error) => {
            assert!(error.to_string().is_ascii(), "no content");
            return;
        }
    };
    let regions = &document.regions;
    for (n, region) in regions.iter().enumerate() {
        assert!(matches!(region.origin().scheme(), "http" | "https"));
        assert!(is_unnamed(region) || is_name(region.name()));
        assert!(regions[..n].iter().all(|r| r.origin() != region.origin()));
    }

    // As many as fit again for certain, however much longer they are written.
    let regions = &regions[..regions.len().min(MAX_REGIONS)];
    let again = parse(&write(regions)).expect("what was written is a document");
    assert_eq!(again.refused, 0);
    let again = again.regions.iter().map(parts);
    assert!(again.eq(regions.iter().map(parts)));
}

fn is_unnamed(region: &Region) -> bool {
    region.name() == region.origin().as_str()
}

fn is_name(name: &str) -> bool {
    let shows_more = |c: char| c.is_control() || "=:\"\\\u{202e}\u{2028}".contains(c);
    (1..=MAX_NAME).contains(&name.len()) && !name.contains(shows_more)
}

fn write(regions: &[Region]) -> Vec<u8> {
    let entries: Vec<_> = regions
        .iter()
        .map(|region| {
            let origin = region.origin();
            json!({
                "region": Some(region.name()).filter(|_| !is_unnamed(region)),
                // Without a default port, so that it is no longer than it was.
                "url": format!("{}://{}", origin.scheme(), origin.authority()),
                // Numbers are read in both ways of writing them.
                "distance": region.get_distance().map(|distance| distance.to_string()),
                "weight": region.get_weight(),
            })
        })
        .collect();
    json!({ "regions": entries }).to_string().into_bytes()
}

type Parts<'a> = (&'a str, &'a str, Option<u64>, Option<u32>);

fn parts(region: &Region) -> Parts<'_> {
    let (name, origin) = (region.name(), region.origin().as_str());
    (name, origin, region.get_distance(), region.get_weight())
}

/// Reads header lines: `Age` where a line begins with `age:`, else `Cache-Control`.
///
/// # Panics
///
/// When a `no-store` is not obeyed, or the answer changes.
pub fn cache_control(bytes: &[u8]) {
    let mut headers: HeaderMap = bytes
        .split(|byte| *byte == b'\n')
        .filter_map(header)
        .take(64)
        .collect();
    let answer = freshness(&headers);
    assert_eq!(answer, freshness(&headers));
    if headers.get_all(CACHE_CONTROL).iter().any(forbids) {
        assert_eq!(answer, Some(Freshness::NoStore));
    }
    assert!(headers.contains_key(CACHE_CONTROL) || answer.is_none());

    headers.append(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    assert_eq!(freshness(&headers), Some(Freshness::NoStore));
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = match line.strip_prefix(b"age:") {
        Some(value) => (AGE, value),
        None => (CACHE_CONTROL, line),
    };
    Some((name, HeaderValue::from_bytes(value).ok()?))
}

/// Whether a `no-store` stands alone in a line without quotes.
fn forbids(line: &HeaderValue) -> bool {
    let line = line.as_bytes();
    !line.contains(&b'"')
        && line
            .split(|byte| *byte == b',')
            .any(|directive| directive.trim_ascii().eq_ignore_ascii_case(b"no-store"))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    fn corpus(target: &str) -> Vec<Vec<u8>> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        let seeds = fs::read_dir(corpus.join(target)).unwrap();
        seeds
            .map(|seed| fs::read(seed.unwrap().path()).unwrap())
            .collect()
    }

    #[test]
    fn the_corpus_keeps_the_promises_of_the_parsers() {
        let (documents, headers) = (corpus("document"), corpus("cache_control"));
        let streams = corpus("sse");
        assert!(documents.len() > 10 && headers.len() > 10 && streams.len() > 10);
        documents.iter().for_each(|bytes| super::document(bytes));
        headers.iter().for_each(|bytes| super::cache_control(bytes));
        streams.iter().for_each(|bytes| super::sse(bytes));
    }
}
