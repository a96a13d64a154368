use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, Method, Uri, Version};
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a test waits for something that is about to happen; far more than a busy machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// One request as a region received it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Recorded {
    /// When its head was received.
    pub at: Instant,
    /// The method.
    pub method: Method,
    /// The target as received: origin form over HTTP/1.1, with scheme and authority over HTTP/2.
    pub uri: Uri,
    /// The protocol version.
    pub version: Version,
    /// The headers.
    pub headers: HeaderMap,
    /// The part of the body that was read so far.
    pub body: Bytes,
    /// The trailers, once read.
    pub trailers: Option<HeaderMap>,
    /// Whether the body was read to its end.
    pub complete: bool,
}

/// What happened at one server so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) hits: usize,
    pub(crate) connections: usize,
    pub(crate) open_uploads: usize,
}

/// The records of one server, in order of arrival, and the counts that tests wait for.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    records: Mutex<Vec<Record>>,
    counts: watch::Sender<Counts>,
}

#[derive(Debug)]
struct Record {
    /// All but the body, which grows.
    request: Recorded,
    body: BytesMut,
}

impl Record {
    fn is_at(&self, path: &str) -> bool {
        self.request.uri.path() == path
    }

    fn snapshot(&self) -> Recorded {
        Recorded {
            body: Bytes::copy_from_slice(&self.body),
            ..self.request.clone()
        }
    }
}

impl Ledger {
    pub(crate) fn open(ledger: &Arc<Ledger>, head: &Parts, has_body: bool) -> Entry {
        let mut records = ledger.records();
        let index = records.len();
        records.push(Record {
            request: Recorded {
                at: Instant::now(),
                method: head.method.clone(),
                uri: head.uri.clone(),
                version: head.version,
                headers: head.headers.clone(),
                body: Bytes::new(),
                trailers: None,
                complete: !has_body,
            },
            body: BytesMut::new(),
        });
        drop(records);

        // Counted after it is recorded: who has waited for a hit finds its record.
        ledger.counts.send_modify(|counts| {
            counts.hits += 1;
            counts.open_uploads += usize::from(has_body);
        });
        let ledger = Arc::clone(ledger);
        Entry {
            ledger,
            index,
            is_open: has_body,
        }
    }

    pub(crate) fn connected(&self) {
        self.counts.send_modify(|counts| counts.connections += 1);
    }

    /// Wakes with every change of the counts.
    pub(crate) fn changes(&self) -> watch::Receiver<Counts> {
        self.counts.subscribe()
    }

    pub(crate) fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.records().iter().map(Record::snapshot).collect()
    }

    /// The requests with that path.
    pub(crate) fn requests_at(&self, path: &str) -> Vec<Recorded> {
        let records = self.records();
        let at = records.iter().filter(|record| record.is_at(path));
        at.map(Record::snapshot).collect()
    }

    /// How many of the first so many requests have that path.
    pub(crate) fn hits_at(&self, path: &str, hits: usize) -> usize {
        let records = self.records();
        let hits = records.iter().take(hits);
        hits.filter(|record| record.is_at(path)).count()
    }

    /// Waits until the counts are as hoped; the counts as they are instead, when patience runs out.
    pub(crate) async fn wait(&self, hope: impl FnMut(&Counts) -> bool) -> Result<(), Counts> {
        let mut counts = self.counts.subscribe();
        match tokio::time::timeout(PATIENCE, counts.wait_for(hope)).await {
            Ok(waited) => {
                waited.expect("the ledger, which is borrowed here, holds the sender");
                Ok(())
            }
            Err(_) => Err(self.counts()),
        }
    }

    fn records(&self) -> MutexGuard<'_, Vec<Record>> {
        self.records
            .lock()
            .expect("no holder of the records panics")
    }
}

/// The right to add to one record. Its upload counts as open until the entry is closed or dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    ledger: Arc<Ledger>,
    index: usize,
    is_open: bool,
}

impl Entry {
    pub(crate) fn data(&self, data: &[u8]) {
        self.ledger.records()[self.index]
            .body
            .extend_from_slice(data);
    }

    pub(crate) fn recorded(&self) -> Recorded {
        self.ledger.records()[self.index].snapshot()
    }

    pub(crate) fn trailers(&self, trailers: HeaderMap) {
        self.ledger.records()[self.index].request.trailers = Some(trailers);
    }

    pub(crate) fn complete(&mut self) {
        self.ledger.records()[self.index].request.complete = true;
        self.close();
    }

    pub(crate) fn close(&mut self) {
        if std::mem::take(&mut self.is_open) {
            self.ledger
                .counts
                .send_modify(|counts| counts.open_uploads -= 1);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.close();
    }
}
