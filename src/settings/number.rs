use std::{num::ParseFloatError, str::FromStr};

use serde::{Deserialize, Serialize};

/// By what waits grow.
pub(crate) type Factor = AtLeast<1>;
/// A share, and no less than nothing.
pub(crate) type Ratio = AtLeast<0>;

/// A finite number that is no less than `MIN`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub(crate) struct AtLeast<const MIN: u8>(f64);

impl<const MIN: u8> TryFrom<f64> for AtLeast<MIN> {
    type Error = String;

    fn try_from(number: f64) -> Result<Self, String> {
        if number.is_finite() && number >= f64::from(MIN) {
            Ok(Self(number))
        } else {
            Err(format!("{number} is not a number of at least {MIN}"))
        }
    }
}

impl<const MIN: u8> From<AtLeast<MIN>> for f64 {
    fn from(number: AtLeast<MIN>) -> Self {
        number.0
    }
}

impl<const MIN: u8> FromStr for AtLeast<MIN> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number: f64 = text
            .parse()
            .map_err(|error: ParseFloatError| error.to_string())?;
        number.try_into()
    }
}
