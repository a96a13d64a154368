//! A device that waits to be called: all that the crate has to be told of its server.

use std::time::Duration;

use bytes::Bytes;
use http::{
    Request,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde::Deserialize;
use serde_json::json;
use tower_failover::{
    BoxError,
    session::{
        Attempt,
        watch::{Event, Hello, Lease, Protocol},
    },
};

/// No viewer comes sooner than that.
const MIN_VIEWER_WAIT: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(crate) struct RemoteAccess {
    device_token: String,
    viewer_wait: Duration,
}

/// The call: where the device is to go, and how long it is to wait there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) viewer_wait: Duration,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HelloData {
    watch_lease_id: String,
    device_wait_for_viewer_ms: u64,
    heartbeat_interval_ms: u64,
}

#[derive(Deserialize)]
struct WakeData {
    url: String,
    token: String,
}

impl RemoteAccess {
    pub(crate) fn new(device_token: &str) -> Self {
        Self {
            device_token: format!("DeviceToken {device_token}"),
            viewer_wait: MIN_VIEWER_WAIT,
        }
    }
}

/// As it may stand in a query: a lease is any text.
fn encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

impl Protocol for RemoteAccess {
    type Done = Call;

    fn open(&self, attempt: &Attempt<Lease>) -> http::Result<Request<()>> {
        let mut uri = "/watch?protocolVersion=1".to_owned();
        if let Some(lease) = &attempt.resume {
            uri += &format!("&previousWatchLeaseId={}", encoded(lease.as_str()));
        }
        let request = Request::get(uri).header(AUTHORIZATION, &self.device_token);
        request.body(())
    }

    fn hello(&mut self, event: &Event) -> Result<Option<Hello>, BoxError> {
        if event.name != "hello" {
            return Ok(None);
        }
        let data: HelloData = serde_json::from_str(&event.data)?;
        let wait = Duration::from_millis(data.device_wait_for_viewer_ms);
        self.viewer_wait = wait.max(MIN_VIEWER_WAIT);
        let interval = Duration::from_millis(data.heartbeat_interval_ms);
        Ok(Some(Hello::new(data.watch_lease_id, interval)))
    }

    fn heartbeat(&self, lease: &Lease) -> http::Result<Request<Bytes>> {
        let body = json!({ "watchLeaseId": lease.as_str() }).to_string();
        Request::post("/watch/heartbeat")
            .header(AUTHORIZATION, &self.device_token)
            .header(CONTENT_TYPE, "application/json")
            .body(body.into())
    }

    fn done(&mut self, event: &Event) -> Result<Option<Call>, BoxError> {
        if event.name != "wake" {
            return Ok(None);
        }
        let WakeData { url, token } = serde_json::from_str(&event.data)?;
        let viewer_wait = self.viewer_wait;
        Ok(Some(Call {
            url,
            token,
            viewer_wait,
        }))
    }
}
