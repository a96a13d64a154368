use std::ops::RangeInclusive;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::discovery::name;

/// How long [`FailMode::Delay`] lasts unless told.
const DEFAULT_FAIL_DELAY_MS: u64 = 30_000;

/// What a request asks of the mock: its `X-Lk-Mock` header and the deprecated headers of single fields.
#[derive(Debug)]
pub(super) struct Directives {
    fail_regions: Vec<u64>,
    pub(super) fail_mode: FailMode,
    pub(super) fail_status: StatusCode,
    pub(super) fail_twirp_code: Option<String>,
    pub(super) delay: Duration,
    /// None when discovery is normal.
    pub(super) regions_status: Option<StatusCode>,
    pub(super) response: Option<Map<String, Value>>,
    pub(super) skip_auth: bool,
    pub(super) sip_status: Option<SipStatus>,
    pinned_regions: Vec<String>,
}

/// How a failing region fails.
#[derive(Debug)]
pub(super) enum FailMode {
    Status,
    Drop,
    Delay(Duration),
}

#[derive(Debug)]
pub(super) struct SipStatus {
    pub(super) code: u64,
    pub(super) status: Option<String>,
}

impl Directives {
    pub(super) fn read(headers: &HeaderMap) -> Directives {
        let fields = Fields::read(headers);
        let text = |field, header| fields.text(field).or_else(|| fields.header(header));
        let number = |field, header: &str| {
            let legacy = || fields.header(header)?.trim().parse().ok();
            fields.number(field).or_else(legacy)
        };
        let fail_delay = fields.header("x-lk-mock-delay-ms");
        let fail_delay = fail_delay.and_then(|ms| ms.parse().ok());
        let fail_delay = Duration::from_millis(fail_delay.unwrap_or(DEFAULT_FAIL_DELAY_MS));
        let fail_mode = text("failMode", "x-lk-mock-fail-mode").unwrap_or_default();
        let skip_auth = || fields.header("x-lk-mock-skip-auth");

        Directives {
            fail_regions: fields.fail_regions(),
            fail_mode: match fail_mode.to_ascii_lowercase().as_str() {
                "drop" => FailMode::Drop,
                "delay" => FailMode::Delay(fail_delay),
                _ => FailMode::Status,
            },
            fail_status: number("failStatus", "x-lk-mock-fail-status")
                .and_then(final_status)
                .unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
            fail_twirp_code: text("failTwirpCode", "x-lk-mock-fail-twirp-code")
                .filter(|code| !code.is_empty()),
            delay: Duration::from_millis(fields.number("delayMs").unwrap_or(0)),
            regions_status: number("regionsStatus", "x-lk-mock-regions-status")
                .and_then(final_status)
                .filter(|status| *status != StatusCode::OK),
            response: fields.get("response").and_then(Value::as_object).cloned(),
            skip_auth: fields
                .get("skipAuth")
                .and_then(Value::as_bool)
                .unwrap_or_else(|| {
                    skip_auth().is_some_and(|value| value.eq_ignore_ascii_case("true"))
                }),
            sip_status: fields.get("sipStatus").and_then(SipStatus::read),
            pinned_regions: fields.pinned_regions(),
        }
    }

    /// Whether the region of that index is to fail.
    pub(super) fn fails(&self, index: usize) -> bool {
        self.fail_regions.contains(&(index as u64))
    }

    /// Whether the project may use the region of that index.
    pub(super) fn allows(&self, index: usize) -> bool {
        self.pinned_regions.is_empty() || self.pinned_regions.contains(&name(index))
    }
}

impl SipStatus {
    fn read(value: &Value) -> Option<SipStatus> {
        let status = value.get("status").and_then(Value::as_str);
        Some(SipStatus {
            code: value.get("code")?.as_u64()?,
            status: status
                .filter(|status| !status.is_empty())
                .map(str::to_owned),
        })
    }
}

/// The statuses that end an exchange.
const FINAL: RangeInclusive<u64> = 200..=599;

fn final_status(code: u64) -> Option<StatusCode> {
    let code = Some(code).filter(|code| FINAL.contains(code))?;
    StatusCode::from_u16(u16::try_from(code).ok()?).ok()
}

/// Where the directives come from. What is not of its type is as good as absent.
#[derive(Debug)]
struct Fields<'a> {
    mock: Map<String, Value>,
    headers: &'a HeaderMap,
}

impl<'a> Fields<'a> {
    fn read(headers: &'a HeaderMap) -> Fields<'a> {
        let mock = headers.get("x-lk-mock");
        let mock = mock.and_then(|mock| serde_json::from_slice(mock.as_bytes()).ok());
        Fields {
            mock: mock.unwrap_or_default(),
            headers,
        }
    }

    fn get(&self, field: &str) -> Option<&Value> {
        self.mock.get(field)
    }

    fn text(&self, field: &str) -> Option<String> {
        self.get(field)?.as_str().map(str::to_owned)
    }

    fn number(&self, field: &str) -> Option<u64> {
        self.get(field)?.as_u64()
    }

    fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name)?.to_str().ok().map(str::to_owned)
    }

    fn fail_regions(&self) -> Vec<u64> {
        if let Some(regions) = self.get("failRegions").and_then(Value::as_array) {
            return regions.iter().filter_map(Value::as_u64).collect();
        }
        let regions = self.header("x-lk-mock-fail-regions").unwrap_or_default();
        let regions = regions.split(',').map(|region| region.trim().parse());
        regions.filter_map(Result::ok).collect()
    }

    fn pinned_regions(&self) -> Vec<String> {
        let regions = self.get("pinnedRegions").and_then(Value::as_array);
        let regions = regions.into_iter().flatten().filter_map(Value::as_str);
        regions.map(str::to_owned).collect()
    }
}
