use std::time::Duration;

use super::text::Text;
use crate::hedge::Hedge;

/// When calls are hedged.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum HedgeSetting {
    Off,
    P95,
    After(Duration),
}

impl HedgeSetting {
    pub(super) fn hedge(&self) -> Option<Hedge> {
        match self {
            Self::Off => None,
            Self::P95 => Some(Hedge::p95()),
            Self::After(delay) => Some(Hedge::after(*delay)),
        }
    }
}

impl Text for HedgeSetting {
    const NAME: &'static str = "time";
    const EXAMPLE: &'static str = "\"50ms\", \"p95\" or \"off\"";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "p95" => Ok(Self::P95),
            _ => Duration::read(text).map(Self::After),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Off => "off".to_owned(),
            Self::P95 => "p95".to_owned(),
            Self::After(delay) => delay.write(),
        }
    }
}
