//! Values that are written as text, in files and in flags alike: `"250ms"`.

use std::{fmt, marker::PhantomData, time::Duration};

use http::HeaderName;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A value that settings write as text.
pub(crate) trait Text: Sized {
    /// What such a value is called.
    const NAME: &'static str;

    /// A text or some, in quotes.
    const EXAMPLE: &'static str;

    /// Reads a text, or says what is wrong with it.
    fn read(text: &str) -> Result<Self, String>;

    /// Writes what [`read`](Self::read) reads as the same value.
    fn write(&self) -> String;
}

impl Text for Duration {
    const NAME: &'static str = "duration";
    const EXAMPLE: &'static str = "\"250ms\"";

    fn read(text: &str) -> Result<Self, String> {
        // Span by span: humantime 2.4 panics where it adds up to a nanosecond more than there can be.
        let mut sum = Duration::ZERO;
        let mut rest = text;
        loop {
            let (span, more) = rest.split_at(first_span(rest));
            let time = humantime::parse_duration(span).map_err(|error| error.to_string())?;
            sum = sum.checked_add(time).ok_or("number is too large")?;
            if more.is_empty() {
                return Ok(sum);
            }
            rest = more;
        }
    }

    fn write(&self) -> String {
        humantime::format_duration(*self).to_string()
    }
}

/// Where the first number of a duration and its unit end.
fn first_span(text: &str) -> usize {
    let mut in_unit = false;
    let next = text.find(|c: char| {
        let is_next = in_unit && c.is_ascii_digit();
        in_unit |= c.is_alphabetic();
        is_next
    });
    next.unwrap_or(text.len())
}

impl Text for HeaderName {
    const NAME: &'static str = "header";
    const EXAMPLE: &'static str = "\"idempotency-key\"";

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "no such name".to_owned())
    }

    fn write(&self) -> String {
        self.as_str().to_owned()
    }
}

/// What is expected instead of a text that is refused.
pub(crate) fn expected<T: Text>() -> String {
    format!("a {} such as {}", T::NAME, T::EXAMPLE)
}

// For `#[serde(with = "text")]`.

pub(crate) fn serialize<T: Text, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.as_ref().map(Text::write).serialize(serializer)
}

pub(crate) fn deserialize<'de, T: Text, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let value = Option::<Written<T>>::deserialize(deserializer)?;
    Ok(value.map(|Written(value)| value))
}

struct Written<T>(T);

impl<'de, T: Text> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Reader(PhantomData)).map(Self)
    }
}

struct Reader<T>(PhantomData<T>);

impl<T: Text> de::Visitor<'_> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&expected::<T>())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::read(text).map_err(|fault| {
            E::custom(format_args!(
                "invalid value {text:?}, expected {}: {fault}",
                expected::<T>()
            ))
        })
    }
}
