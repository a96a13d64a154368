//! Calls of the API over Twirp, and its errors.

mod sip;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::LiveKit;
use super::answer::{Outcome, text};
use super::directives::{Directives, FailMode};
use crate::BoxError;
use crate::record::Recorded;

/// The method's name in `/twirp/<package>.<Service>/<Method>`.
pub(super) fn method(path: &str) -> Option<&str> {
    let (service, method) = path.strip_prefix("/twirp/")?.split_once('/')?;
    (service.contains('.') && !method.is_empty() && !method.contains('/')).then_some(method)
}

pub(super) async fn answer(
    index: usize,
    method: &str,
    request: &Recorded,
    directives: Directives,
) -> Result<Outcome, BoxError> {
    if !directives.skip_auth && !is_authorised(request) {
        let body = json!({ "code": "unauthenticated", "msg": "mock: unauthenticated" });
        return answered(StatusCode::UNAUTHORIZED, None, &body);
    }
    if !directives.allows(index) {
        let status = StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS;
        let answer = text(status, "project not allowed in this region.")?;
        return Ok(Outcome::Answer(answer));
    }
    tokio::time::sleep(directives.delay).await;
    let sip_status = directives.sip_status.as_ref();
    if let Some(sip_status) = sip_status.filter(|_| sip::dials(method)) {
        let (status, body) = sip::error(sip_status);
        return answered(status, Some(""), &body);
    }
    if directives.fails(index) {
        match directives.fail_mode {
            FailMode::Status => {}
            FailMode::Drop => return Ok(Outcome::Drop),
            FailMode::Delay(delay) => tokio::time::sleep(delay).await,
        }
        let status = directives.fail_status;
        let code = directives.fail_twirp_code;
        let code = code.unwrap_or_else(|| code_of(status).to_owned());
        let msg = format!("mock failure (status {})", status.as_u16());
        return answered(status, Some(""), &json!({ "code": code, "msg": msg }));
    }
    let response = directives.response.unwrap_or_else(|| echo(request));
    answered(StatusCode::OK, Some(&index.to_string()), &response.into())
}

fn is_authorised(request: &Recorded) -> bool {
    let bearer = format!("Bearer {}", LiveKit::SECRET);
    request
        .headers
        .get(AUTHORIZATION)
        .is_some_and(|value| value == bearer.as_str())
}

fn answered(status: StatusCode, region: Option<&str>, body: &Value) -> Result<Outcome, BoxError> {
    let mut head = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json");
    if let Some(region) = region {
        head = head.header("x-lk-mock-region", region);
    }
    Ok(Outcome::Answer(head.body(Bytes::from(body.to_string()))?))
}

/// The request's scalars and a `sid`, for want of the methods' own messages.
fn echo(request: &Recorded) -> Map<String, Value> {
    let message: Option<Map<String, Value>> = serde_json::from_slice(&request.body).ok();
    let mut message = message.unwrap_or_default();
    message.retain(|_, value| value.is_string() || value.is_number() || value.is_boolean());
    message.insert("sid".to_owned(), "MOCK_SID".into());
    message
}

/// The Twirp code of a failure that names none.
fn code_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "invalid_argument",
        401 => "unauthenticated",
        403 => "permission_denied",
        404 => "not_found",
        429 => "resource_exhausted",
        500.. => "unavailable",
        _ => "internal",
    }
}
