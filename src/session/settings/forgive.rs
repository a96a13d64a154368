use serde::{Deserialize, Serialize};

/// When a session's exclusions are cleared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Forgive {
    /// When a session has been healthy for a while.
    #[default]
    OnHealthy,
    /// As soon as a session is connected.
    OnConnect,
}
