use std::sync::{Arc, Mutex};

use http::request::Parts;

use crate::fault::{Fault, Script};
use crate::record::{Entry, Ledger};

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    H2c,
}

/// What all connections of one server share.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) name: String,
    pub(crate) protocol: Protocol,
    pub(crate) ledger: Arc<Ledger>,
    script: Mutex<Script>,
}

impl Region {
    pub(crate) fn new(name: &str, protocol: Protocol) -> Self {
        Region {
            name: name.to_owned(),
            protocol,
            ledger: Arc::default(),
            script: Mutex::new(Script::new(Fault::None)),
        }
    }

    pub(crate) fn set(&self, fault: Fault) {
        *self.script.lock().expect("no holder of the script panics") = Script::new(fault);
    }

    /// Records a request and tells what it meets. The lock spans both, so that `First` counts in the order of the records.
    pub(crate) fn meet(&self, head: &Parts, has_body: bool) -> (Fault, Entry) {
        let mut script = self.script.lock().expect("no holder of the script panics");
        let entry = Ledger::open(&self.ledger, head, has_body);
        (script.next(), entry)
    }
}
