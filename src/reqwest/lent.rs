//! Data that reqwest may send as often as it wants, and who let go of it last.
//!
//! reqwest keeps a copy of such a body for as long as it may have to send it again. When a redirect
//! makes a `GET` of a `POST` it drops every copy of its own, before it sends that. So a call that still
//! had one when it ended did not follow such a redirect. That data is alive then says nothing: the
//! connection may still be writing it, long after an answer that did not wait for it. But nothing else
//! happens on a thread while it drops a call, and what is dropped last there was the call's.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;

thread_local! {
    static IS_ENDING: Cell<bool> = const { Cell::new(false) };
}

/// What becomes of data that was lent.
#[derive(Debug)]
pub(super) struct Loan(Arc<AtomicBool>);

impl Loan {
    /// The same data, whose last owner will be known.
    pub(super) fn new(data: Bytes) -> (Bytes, Self) {
        let is_returned = Arc::default();
        let loan = Self(Arc::clone(&is_returned));
        (Bytes::from_owner(Lent { data, is_returned }), loan)
    }

    /// Whether the last who had it was a call that [ended](end).
    pub(super) fn is_returned(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Ends a call by dropping it.
pub(super) fn end(drop: impl FnOnce()) {
    let _ending = Ending(IS_ENDING.replace(true));
    drop();
}

struct Ending(bool);

impl Drop for Ending {
    fn drop(&mut self) {
        IS_ENDING.set(self.0);
    }
}

struct Lent {
    data: Bytes,
    is_returned: Arc<AtomicBool>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // The thread itself may be at its end.
        if IS_ENDING.try_with(Cell::get).unwrap_or(false) {
            self.is_returned.store(true, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lent() -> (Bytes, Loan) {
        Loan::new(Bytes::from_static(b"data"))
    }

    #[test]
    fn what_a_call_had_last_is_returned() {
        let (data, loan) = lent();
        let copy = data.clone();
        assert_eq!(&copy[..], b"data");
        drop(data);
        end(|| drop(copy));
        assert!(loan.is_returned());
    }

    #[test]
    fn what_was_gone_before_is_not_returned() {
        let (data, loan) = lent();
        drop(data);
        end(|| {});
        assert!(!loan.is_returned());
    }

    #[test]
    fn what_another_still_has_is_not_returned() {
        let (data, loan) = lent();
        let copy = data.clone();
        end(|| drop(data));
        assert!(!loan.is_returned());
        drop(copy);
        assert!(!loan.is_returned());
    }

    #[test]
    fn what_another_thread_drops_meanwhile_is_not_returned() {
        let (data, loan) = lent();
        end(|| std::thread::spawn(|| drop(data)).join().unwrap());
        assert!(!loan.is_returned());
    }
}
