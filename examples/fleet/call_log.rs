//! What is counted, second by second.

use super::{fault::REGIONS, histogram::Histogram};

/// The counts of one second.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Second {
    /// The calls that began in it, by the callers' home.
    pub(crate) calls: [u32; REGIONS],
    /// Those of them that succeeded.
    pub(crate) succeeded: u32,
    /// How long those of them took that ended.
    pub(crate) latencies: Histogram,
    /// The attempts that were sent in it, by region.
    pub(crate) attempts: [u32; REGIONS],
    /// Those of them that were sent by callers of that home, as first attempts.
    pub(crate) at_home: [u32; REGIONS],
    pub(crate) probes: [u32; REGIONS],
    /// Requests for the list of regions.
    pub(crate) lookups: [u32; REGIONS],
}

/// For how many seconds the return of a client's traffic is followed.
pub(crate) const RETURN: usize = 15;

#[derive(Debug)]
pub(crate) struct CallLog {
    pub(crate) seconds: Vec<Second>,
    /// First attempts that went home, and all, by the seconds since the client's home was restored.
    pub(crate) returns: [(u32, u32); RETURN],
    /// The most probes of one client that one region had at a time.
    pub(crate) most_probes: u8,
}

impl CallLog {
    pub(crate) fn new(seconds: usize) -> Self {
        Self {
            seconds: vec![Second::default(); seconds],
            returns: [(0, 0); RETURN],
            most_probes: 0,
        }
    }

    /// The second of this millisecond, if it is still part of the run.
    pub(crate) fn at(&mut self, millis: u64) -> Option<&mut Second> {
        let second = usize::try_from(millis / 1000).ok()?;
        self.seconds.get_mut(second)
    }
}
