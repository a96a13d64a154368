use failover_cluster::Fault;
use serde_json::{Value, json};

/// The document that lists these.
pub(crate) fn json_of(urls: &[impl AsRef<str>]) -> String {
    let region = |url| json!({ "url": url });
    let regions: Vec<Value> = urls.iter().map(AsRef::as_ref).map(region).collect();
    json!({ "regions": regions }).to_string()
}

/// To answer with that document, which says nothing of its keeping.
pub(crate) fn lists(urls: &[impl AsRef<str>]) -> Fault {
    Fault::Answer(200, Vec::new(), json_of(urls).into())
}
