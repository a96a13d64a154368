//! What is known of an error besides what it says itself. The layer sees these, callers do not.

use std::{error::Error as StdError, fmt};

use crate::{BoxError, error::Error};

/// An error that came after reqwest had begun to send the request: it may speak of another one, to
/// which a redirect led.
#[derive(Debug)]
pub(crate) struct Begun(pub(super) BoxError);

/// An error by which reqwest's timer ended the time of the whole call.
#[derive(Debug)]
pub(super) struct Overdue(pub(super) BoxError);

/// The error, if it ended the time of the whole call.
pub(crate) fn overdue(error: BoxError) -> Result<BoxError, BoxError> {
    error.downcast().map(|overdue: Box<Overdue>| overdue.0)
}

/// The error as the caller gets it.
pub(super) fn unwrapped(mut error: Error) -> Error {
    let source = error.take_source().map(|source| {
        let source = overdue(source).unwrap_or_else(|source| source);
        match source.downcast() {
            Ok(begun) => {
                let Begun(source) = *begun;
                source
            }
            Err(source) => source,
        }
    });
    error.with_source(source)
}

impl fmt::Display for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed after the request was begun")
    }
}

impl StdError for Begun {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

impl fmt::Display for Overdue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call's time is over")
    }
}

impl StdError for Overdue {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}
