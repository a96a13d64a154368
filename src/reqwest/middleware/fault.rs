//! Errors of what comes next, on their way through the layer and back.

use std::{error::Error as StdError, fmt, sync::Arc};

use http::Extensions;
use reqwest_middleware::Error as MiddlewareError;

use crate::{BoxError, error::Error, reqwest::fault::unwrapped};

/// An error of inner middleware, kept as it is.
#[derive(Debug)]
struct Inner(MiddlewareError);

/// The error as the layer and its classifier see it.
pub(super) fn boxed(error: MiddlewareError) -> BoxError {
    match error {
        MiddlewareError::Reqwest(error) => error.into(),
        error @ MiddlewareError::Middleware(_) => Inner(error).into(),
    }
}

/// The error as the caller gets it.
pub(super) fn given_back(error: Error, extensions: &mut Extensions) -> MiddlewareError {
    let mut error = unwrapped(error);
    let Some(source) = error.take_source() else {
        return MiddlewareError::middleware(error);
    };
    let known = match source.downcast() {
        Ok(source) => Ok(MiddlewareError::Reqwest(*source)),
        Err(source) => source.downcast().map(|inner: Box<Inner>| inner.0),
    };
    match known {
        Ok(known) => {
            extensions.insert(Arc::new(error));
            known
        }
        Err(source) => MiddlewareError::middleware(error.with_source(source)),
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Inner {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // `MiddlewareError` itself would skip the error that it holds.
        Some(match &self.0 {
            MiddlewareError::Middleware(error) => &**error,
            MiddlewareError::Reqwest(error) => error,
        })
    }
}
