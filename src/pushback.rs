//! The server's hint on when to try again: pure parsing.

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderName,
    header::{DATE, RETRY_AFTER},
};

const GRPC_PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// What a region asked for along with its failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pushback {
    /// Do not come back to this region before this time has passed.
    After(Duration),
    /// Do not send this request again, anywhere.
    Never,
}

/// Reads `grpc-retry-pushback-ms` or else `Retry-After`, in seconds or as a date.
///
/// A gRPC pushback that is negative or no number forbids the replay, as gRFC A6 has it. A
/// `Retry-After` that is neither number nor date says nothing (RFC 9110, 10.2.3). A date is measured
/// against the `Date` of the same response, so that a wrong clock on this side does not matter.
pub(crate) fn read(headers: &HeaderMap) -> Option<Pushback> {
    let grpc = read_grpc(headers);
    if grpc.is_some() {
        return grpc;
    }
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits that do not fit are a very long time.
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Pushback::After(Duration::from_secs(seconds)));
    }
    let then = httpdate::parse_http_date(text).ok()?;
    let now = headers
        .get(DATE)
        .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok())
        .unwrap_or_else(wall_clock);
    Some(Pushback::After(
        then.duration_since(now).unwrap_or_default(),
    ))
}

/// Reads `grpc-retry-pushback-ms`, as [`read`] does.
pub(crate) fn read_grpc(headers: &HeaderMap) -> Option<Pushback> {
    let value = headers.get(GRPC_PUSHBACK)?;
    let millis = value.to_str().ok().and_then(|text| text.parse().ok());
    Some(millis.map_or(Pushback::Never, |millis| {
        Pushback::After(Duration::from_millis(millis))
    }))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a date can only be compared with the wall clock"
)]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<const N: usize>(headers: [(&'static str, &str); N]) -> Option<Pushback> {
        let headers = headers
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        read(&headers)
    }

    fn after(seconds: u64) -> Option<Pushback> {
        Some(Pushback::After(Duration::from_secs(seconds)))
    }

    #[test]
    fn seconds() {
        assert_eq!(of([("retry-after", "120")]), after(120));
        assert_eq!(of([("retry-after", " 0 ")]), after(0));
        assert_eq!(
            of([("retry-after", "99999999999999999999999")]),
            after(u64::MAX)
        );
    }

    #[test]
    fn a_date_is_measured_against_the_servers_own_clock() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let later = "Sun, 06 Nov 1994 08:50:07 GMT";
        assert_eq!(of([("retry-after", later), ("date", date)]), after(30));
        assert_eq!(of([("retry-after", date), ("date", later)]), after(0));
        assert_eq!(of([("retry-after", date)]), after(0), "long past");
    }

    #[test]
    fn a_date_without_a_servers_clock_is_measured_against_ours() {
        let then = wall_clock() + Duration::from_secs(3600);
        let text = httpdate::fmt_http_date(then);
        let Some(Pushback::After(wait)) = of([("retry-after", &text)]) else {
            panic!("{text} was not understood");
        };
        assert!((3500..=3600).contains(&wait.as_secs()), "{wait:?}");
    }

    #[test]
    fn nonsense_says_nothing() {
        for text in ["", "soon", "-1", "1.5", "+3", "0x10", "12 apples"] {
            assert_eq!(of([("retry-after", text)]), None, "{text}");
        }
        assert_eq!(of([]), None);
    }

    #[test]
    fn grpc_pushback_wins_and_forbids_when_negative_or_unreadable() {
        let millis = |text| of([("grpc-retry-pushback-ms", text), ("retry-after", "7")]);
        assert_eq!(
            millis("250"),
            Some(Pushback::After(Duration::from_millis(250)))
        );
        assert_eq!(millis("-1"), Some(Pushback::Never));
        assert_eq!(millis("soon"), Some(Pushback::Never));
        assert_eq!(millis(""), Some(Pushback::Never));
    }
}
