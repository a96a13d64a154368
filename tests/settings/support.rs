use clap::Parser;
use serde::{Deserialize, Serialize};
use tower_failover::{FailoverLayer, Regions, Settings, session};

/// A program whose settings come from a file and from its command line.
#[derive(Clone, Debug, Default, PartialEq, Parser, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Program {
    #[command(flatten)]
    pub(crate) failover: Settings,
    #[command(flatten)]
    pub(crate) session: session::Settings,
    /// A setting of its own, of a name that the others have too.
    #[arg(long)]
    pub(crate) attempt_timeout: Option<String>,
}

/// All settings, none as by default.
pub(crate) const FILE: &str = r#"
[failover]
max_attempts = 7
attempt_timeout = "7s"
total_timeout = "17s"
min_attempt_time = "70ms"
replay = "always"
max_replay_body = 77
idempotency_key = "x-seven"
retry_same_region = true
hedge = "77ms"

[failover.backoff]
base = "700ms"
cap = "7m"
factor = 1.7
jitter = "equal"

[failover.budget]
ratio = 0.7
cap = 2
unlimited = true

[failover.health]
off = true
consecutive = 7
ramp = "7s"
probe = "GET /seven?or=eight"
probe_min = "7s"
probe_max = "57s"

[session]
healthy_after = "7s"
attempt_timeout = "17s"
give_up_after = "7m"
per_target_attempts = 7
total_attempts = 77
resume_window = "27s"
exclusion_ttl = "37s"
forgive = "on-connect"
drain = "47s"
close_timeout = "57s"

[session.backoff]
base = "700ms"
cap = "7m"
factor = 1.7
jitter = "none"
"#;

pub(crate) fn file() -> Program {
    toml::from_str(FILE).unwrap()
}

/// The tables of `FILE`, each with the keys in it: `("failover", "backoff.base")`.
pub(crate) fn keys() -> Vec<(String, String)> {
    let mut keys = Vec::new();
    for (table, settings) in FILE.parse::<toml::Table>().unwrap() {
        for (key, value) in settings.as_table().unwrap() {
            match value.as_table() {
                None => keys.push((table.clone(), key.clone())),
                Some(inner) => {
                    keys.extend(
                        inner
                            .keys()
                            .map(|name| (table.clone(), format!("{key}.{name}"))),
                    );
                }
            }
        }
    }
    keys
}

/// The configuration of a layer with these settings.
pub(crate) fn layer(settings: Settings) -> String {
    let regions = Regions::fixed(["https://eu.api.example.com"]).unwrap();
    config(&FailoverLayer::new(regions).settings(settings))
}

/// A layer's configuration, without what it remembers.
pub(crate) fn config(layer: &FailoverLayer) -> String {
    let all = format!("{layer:?}");
    let (config, _) = all.split_once(", directory: ").unwrap();
    config.to_owned()
}
