use std::time::Duration;

use http::{HeaderName, HeaderValue};

pub(super) const NAME: HeaderName = HeaderName::from_static("grpc-timeout");

/// The most digits that gRPC allows ("gRPC over HTTP2", TimeoutValue).
const DIGITS: usize = 8;

/// Reads a timeout such as `250m`; `None` for what is none.
pub(super) fn parse(value: &HeaderValue) -> Option<Duration> {
    let (unit, digits) = value.as_bytes().split_last()?;
    if digits.is_empty() || digits.len() > DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let n: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match unit {
        b'H' => Some(Duration::from_secs(n * 3600)),
        b'M' => Some(Duration::from_secs(n * 60)),
        b'S' => Some(Duration::from_secs(n)),
        b'm' => Some(Duration::from_millis(n)),
        b'u' => Some(Duration::from_micros(n)),
        b'n' => Some(Duration::from_nanos(n)),
        _ => None,
    }
}

/// Writes a timeout in the finest unit that holds it, rounded down.
pub(super) fn format(left: Duration) -> HeaderValue {
    const MAX: u128 = 10_u128.pow(DIGITS as u32) - 1;
    let seconds = u128::from(left.as_secs());
    let (n, unit) = [
        (left.as_nanos(), 'n'),
        (left.as_micros(), 'u'),
        (left.as_millis(), 'm'),
        (seconds, 'S'),
        (seconds / 60, 'M'),
    ]
    .into_iter()
    .find(|(n, _)| *n <= MAX)
    .unwrap_or(((seconds / 3600).min(MAX), 'H'));
    HeaderValue::from_str(&format!("{n}{unit}")).expect("digits and a letter are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &'static str) -> Option<Duration> {
        parse(&HeaderValue::from_static(text))
    }

    #[test]
    fn units() {
        for (text, millis) in [("1H", 3_600_000), ("2M", 120_000), ("3S", 3000), ("4m", 4)] {
            assert_eq!(parsed(text), Some(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parsed("5u"), Some(Duration::from_micros(5)));
        assert_eq!(parsed("6n"), Some(Duration::from_nanos(6)));
        assert_eq!(
            parsed("99999999H"),
            Some(Duration::from_secs(99_999_999 * 3600))
        );
    }

    #[test]
    fn what_is_no_timeout() {
        for text in [
            "",
            "S",
            "10",
            "1s",
            "-1S",
            "+1S",
            "1.5S",
            "123456789n",
            " 1S",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_left_is_never_rounded_up() {
        for left in [
            Duration::ZERO,
            Duration::from_nanos(99_999_999),
            Duration::from_nanos(100_000_001),
            Duration::from_millis(1999),
            Duration::from_secs(100_000_000),
            Duration::MAX,
        ] {
            let value = format(left);
            assert!(value.len() <= DIGITS + 1, "{value:?}");
            let read = parse(&value).unwrap();
            assert!(read <= left, "{left:?} became {read:?}");
            // The coarsest step is from milliseconds to seconds: five digits are left there.
            assert!(
                left == Duration::MAX || left - read <= left / 99_999,
                "{left:?} {read:?}"
            );
        }
    }
}
