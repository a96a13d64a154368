//! Listens to the crate's own events: which client ejected which region, and when it was back.

use std::{
    cell::{Cell, RefCell},
    fmt::{self, Write},
};

use tokio::time::Instant;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
    subscriber::Interest,
};

use super::{fault::REGIONS, net};

/// One region of one client went out or came back.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Change {
    pub(crate) millis: u64,
    pub(crate) client: usize,
    pub(crate) region: usize,
    pub(crate) is_back: bool,
}

thread_local! {
    static CLIENT: Cell<usize> = const { Cell::new(0) };
    static CHANGES: RefCell<Vec<Change>> = const { RefCell::new(Vec::new()) };
    static BACK_SINCE: RefCell<Vec<[Option<u64>; REGIONS]>> = const { RefCell::new(Vec::new()) };
    static BEGIN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Listens, in all threads.
pub(crate) fn install() {
    tracing::subscriber::set_global_default(Listener).expect("nobody else listens");
}

/// A run with this many clients begins in this thread.
pub(crate) fn begin(clients: usize) {
    CHANGES.take();
    BACK_SINCE.set(vec![[None; REGIONS]; clients]);
    BEGIN.set(Some(Instant::now()));
}

/// What is done from here on is done for this client.
pub(crate) fn of_client(client: usize) {
    CLIENT.set(client);
}

/// When this region was back for this client, if it was out and is not now.
pub(crate) fn back_since(client: usize, region: usize) -> Option<u64> {
    BACK_SINCE.with_borrow(|clients| clients.get(client)?[region])
}

/// What happened in the run.
pub(crate) fn take() -> Vec<Change> {
    CHANGES.take()
}

struct Listener;

impl Subscriber for Listener {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match self.enabled(metadata) {
            true => Interest::always(),
            false => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "tower_failover" && *metadata.level() == Level::INFO
    }

    fn event(&self, event: &Event<'_>) {
        let mut words = Words::default();
        event.record(&mut words);
        let is_back = match words.message.as_str() {
            "region ejected" => false,
            "region restored" => true,
            _ => return,
        };
        let begin = BEGIN.get().expect("events come from runs");
        let region = net::region_of(&words.region).expect("all regions are simulated");
        let change = Change {
            millis: begin.elapsed().as_millis() as u64,
            client: CLIENT.get(),
            region,
            is_back,
        };
        CHANGES.with_borrow_mut(|changes| changes.push(change));
        BACK_SINCE.with_borrow_mut(|clients| {
            clients[change.client][region] = is_back.then_some(change.millis);
        });
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Words {
    message: String,
    region: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let word = match field.name() {
            "message" => &mut self.message,
            "region" => &mut self.region,
            _ => return,
        };
        write!(word, "{value:?}").expect("a string takes what it is given");
    }
}
