//! The errors of calls that a SIP carrier did not put through.

use http::StatusCode;
use serde_json::{Value, json};

use crate::livekit::directives::SipStatus;

/// Whether a method places a call.
pub(super) fn dials(method: &str) -> bool {
    matches!(method, "CreateSIPParticipant" | "TransferSIPParticipant")
}

/// The Twirp error that LiveKit derives from a carrier's status; never a 5xx.
pub(super) fn error(sip: &SipStatus) -> (StatusCode, Value) {
    let (status, code) = match sip.code {
        401..=403 | 603 | 607 | 608 => (StatusCode::FORBIDDEN, "permission_denied"),
        404 | 410 | 604 => (StatusCode::NOT_FOUND, "not_found"),
        408 | 504 => (StatusCode::REQUEST_TIMEOUT, "deadline_exceeded"),
        480 | 486 | 600 => (StatusCode::TOO_MANY_REQUESTS, "resource_exhausted"),
        487 => (StatusCode::CONFLICT, "aborted"),
        500..=599 => (StatusCode::PRECONDITION_FAILED, "failed_precondition"),
        _ => (StatusCode::BAD_REQUEST, "invalid_argument"),
    };
    let number = sip.code.to_string();
    let status_text = sip.status.as_deref().unwrap_or(match sip.code {
        408 => "SIP_STATUS_REQUEST_TIMEOUT",
        486 => "SIP_STATUS_BUSY_HERE",
        603 => "SIP_STATUS_GLOBAL_DECLINE",
        _ => &number,
    });
    let body = json!({
        "code": code,
        "msg": format!("sip status {number}: {status_text}"),
        "meta": { "sip_status_code": number, "sip_status": status_text },
    });
    (status, body)
}
