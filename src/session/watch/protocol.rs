use std::time::Duration;

use bytes::Bytes;
use http::Request;

use super::{Event, Lease};
use crate::{BoxError, session::Attempt};

/// What a server and a watch say to each other.
///
/// Requests go to the region of the attempt: of their URIs only path and query count. Their other parts
/// are sent as they are, so this is where `Authorization` is set.
///
/// Each session reads with a clone of its own, so what an implementation keeps of one event for the next
/// is of the same session: a hello may tell what the last event needs.
pub trait Protocol {
    /// What a watch comes to in the end.
    type Done;

    /// The request that opens the watch, which is to take over [`attempt.resume`](Attempt::resume) where
    /// there is one. `Accept` and `Accept-Encoding` are set by the watch.
    ///
    /// # Errors
    ///
    /// When there is no such request. With a lease it is asked once more without; if there is none either,
    /// the watch is not tried again.
    fn open(&self, attempt: &Attempt<Lease>) -> http::Result<Request<()>>;

    /// The hello, if this event is that. It is asked until one is; events before it are read over.
    ///
    /// # Errors
    ///
    /// When it should be the hello and cannot be understood.
    fn hello(&mut self, event: &Event) -> Result<Option<Hello>, BoxError>;

    /// The request that keeps the lease.
    ///
    /// # Errors
    ///
    /// When there is no such request, which counts as one that was not answered.
    fn heartbeat(&self, lease: &Lease) -> http::Result<Request<Bytes>>;

    /// What the watch comes to, if this event ends it. Others, a second hello too, are read over.
    ///
    /// # Errors
    ///
    /// When it should be the end and cannot be understood. The session ends with
    /// [`Exit::Malformed`](super::Exit::Malformed).
    fn done(&mut self, event: &Event) -> Result<Option<Self::Done>, BoxError>;

    /// The request that gives the lease back, if the server knows one. It is sent by a session that is up
    /// when the program wants no more of the watch, or when a later one need not take it over; how it is
    /// answered does not matter.
    ///
    /// Only for servers that give each watch a new lease, also one that takes a lease over: an old session
    /// may give its lease back when the next has taken it over, and if that was the next one's too, it
    /// would die of it. A lease that was taken over is to stay dead.
    ///
    /// A rejoin gives the lease back while the next watch is being opened, so a server may answer that with
    /// 409, once.
    ///
    /// It is not sent where there is no session, as in a shutdown while the supervisor waits or connects,
    /// nor after the end: [`Exit::Done`](super::Exit::Done) has the lease for the next watch to
    /// [take over](super::Watch::lease).
    fn release(&self, lease: &Lease) -> Option<http::Result<Request<Bytes>>> {
        let _ = lease;
        None
    }
}

/// What a server says when the watch is up.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Hello {
    /// By what the watch is known from now on.
    pub lease: Lease,
    /// The time between two heartbeats, as the server wishes it.
    pub interval: Duration,
}

impl Hello {
    /// A hello with this lease, which a heartbeat keeps each interval.
    pub fn new(lease: impl Into<Lease>, interval: Duration) -> Self {
        Self {
            lease: lease.into(),
            interval,
        }
    }
}
