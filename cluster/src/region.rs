use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use http::request::Parts;

use crate::fault::{Fault, Script};
use crate::handler::Handler;
use crate::livekit::Listener;
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
    /// Gives the normal answers in place of the region itself.
    pub(crate) listener: Option<Listener>,
    /// The same for requests as they come in.
    pub(crate) handler: Option<Handler>,
    scripts: Mutex<Scripts>,
}

#[derive(Debug)]
struct Scripts {
    everywhere: Script,
    at: HashMap<String, Script>,
}

impl Scripts {
    fn next(&mut self, path: &str) -> Fault {
        match self.at.get_mut(path) {
            Some(script) if !self.everywhere.refuses() => script.next(),
            _ => self.everywhere.next(),
        }
    }
}

impl Region {
    pub(crate) fn new(name: &str, protocol: Protocol) -> Self {
        Region {
            name: name.to_owned(),
            protocol,
            ledger: Arc::default(),
            listener: None,
            handler: None,
            scripts: Mutex::new(Scripts {
                everywhere: Script::new(Fault::None),
                at: HashMap::new(),
            }),
        }
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.scripts().everywhere = Script::new(fault);
    }

    pub(crate) fn set_at(&self, path: &str, fault: Fault) {
        let script = Script::new(fault);
        self.scripts().at.insert(path.to_owned(), script);
    }

    pub(crate) fn clear_at(&self, path: &str) {
        self.scripts().at.remove(path);
    }

    /// Records a request and tells what it meets. The lock spans both, so that `First` counts in the order of the records.
    pub(crate) fn meet(&self, head: &Parts, has_body: bool) -> (Fault, Entry) {
        let mut scripts = self.scripts();
        let entry = Ledger::open(&self.ledger, head, has_body);
        (scripts.next(head.uri.path()), entry)
    }

    fn scripts(&self) -> MutexGuard<'_, Scripts> {
        self.scripts
            .lock()
            .expect("no holder of the scripts panics")
    }
}
