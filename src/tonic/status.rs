//! What became of a call, as gRPC says it.
//!
//! A generated client looks for a [`Status`] among the sources of its service's error, and takes the
//! first one, or one that it makes of an error of its transport's own. It knows nothing of
//! hyper-util's; of `TimeoutExpired` it makes `CANCELLED`, and of a request that never left its queue
//! too. So there is one that fits, before any of these.

use std::{error::Error as StdError, io, iter, sync::Arc};

use ::tonic::{Code, Status};
use h2::Reason as Reset;

use crate::{
    BoxError,
    classify::Reason,
    error::{Error, ErrorKind},
};

/// The longest chain of sources that is followed.
const DEPTH: usize = 32;

/// The source of a call's error, which is to be a status that has `source` as its own.
pub(crate) fn status(error: &Error, source: Option<BoxError>) -> BoxError {
    let code = code(error, source.as_deref().map(|source| source as _));
    let mut status = Status::new(code, error.to_string());
    match source {
        // Somebody said more than could be said here: the caller's own stream, a layer inside.
        Some(source) if chain(&*source).any(|cause| cause.is::<Status>()) => return source,
        Some(source) => {
            status.set_source(Arc::from(source));
        }
        None => {}
    }
    status.into()
}

/// The error of a call whose request failed with this status, which the client's error need not show.
pub(crate) fn failed_with(status: Option<Status>, error: BoxError) -> BoxError {
    match status {
        Some(mut status) => {
            status.set_source(Arc::from(error));
            status.into()
        }
        None => error,
    }
}

fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    iter::successors(Some(error), |&error| error.source()).take(DEPTH)
}

fn code(error: &Error, source: Option<&(dyn StdError + 'static)>) -> Code {
    let last = error.attempts().last().map(|attempt| attempt.reason());
    match (error.kind(), last) {
        (ErrorKind::Request, _) => Code::Internal,
        (ErrorKind::Timeout, _) | (_, Some(Reason::AttemptTimeout | Reason::TotalTimeout)) => {
            Code::DeadlineExceeded
        }
        (_, Some(Reason::Timeout)) if !source.into_iter().flat_map(chain).any(is_of_connection) => {
            Code::DeadlineExceeded
        }
        (ErrorKind::NeverSent, _) => Code::Unavailable,
        _ => source
            .into_iter()
            .flat_map(chain)
            .find_map(|cause| reset_by_peer(cause.downcast_ref()?))
            .map_or(Code::Unavailable, of_reset),
    }
}

/// Whether it speaks of the connection, and not of the call alone: a ping that was not answered, or a
/// packet, is no deadline.
fn is_of_connection(cause: &(dyn StdError + 'static)) -> bool {
    cause.is::<hyper::Error>() || cause.is::<io::Error>()
}

fn reset_by_peer(error: &h2::Error) -> Option<Reset> {
    error
        .reason()
        .filter(|_| error.is_reset() && error.is_remote())
}

/// "gRPC over HTTP2", Errors.
fn of_reset(reason: Reset) -> Code {
    match reason {
        Reset::REFUSED_STREAM => Code::Unavailable,
        Reset::CANCEL => Code::Cancelled,
        Reset::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        Reset::INADEQUATE_SECURITY => Code::PermissionDenied,
        _ => Code::Internal,
    }
}
