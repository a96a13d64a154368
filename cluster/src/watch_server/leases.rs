use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::stream::Feed;

/// The leases of the servers that share them.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedLeases(Arc<Mutex<Leases>>);

impl SharedLeases {
    pub(super) fn lock(&self) -> MutexGuard<'_, Leases> {
        self.0.lock().expect("no holder of the leases panics")
    }

    pub(super) fn expire(&self) {
        self.lock().held.clear();
    }
}

/// Who holds which lease: one per device.
#[derive(Debug, Default)]
pub(super) struct Leases {
    issued: BTreeMap<String, String>,
    held: BTreeMap<String, Held>,
}

#[derive(Debug)]
struct Held {
    lease: String,
    /// The time by which the next heartbeat has to come.
    until: Instant,
    stream: Feed,
}

/// What a heartbeat is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Kept,
    Conflict,
    Gone,
}

impl Leases {
    /// Gives the device a lease, which its previous one gives way to, with the stream that held it.
    ///
    /// None, when another lease than the previous one is held.
    pub(super) fn take(
        &mut self,
        device: &str,
        previous: Option<&str>,
        region: &str,
        stream: Feed,
        now: Instant,
        life: Duration,
    ) -> Option<String> {
        if let Some(held) = self.alive(device, now) {
            if previous != Some(&*held.lease) {
                return None;
            }
            held.stream.end();
        }
        let lease = format!("{region}-lease-{}", self.issued.len() + 1);
        self.issued.insert(lease.clone(), device.to_owned());
        let held = Held {
            lease: lease.clone(),
            until: now + life,
            stream,
        };
        self.held.insert(device.to_owned(), held);
        Some(lease)
    }

    pub(super) fn beat(&mut self, lease: &str, now: Instant, life: Duration) -> Beat {
        let Some(device) = self.issued.get(lease).cloned() else {
            return Beat::Gone;
        };
        match self.alive(&device, now) {
            None => Beat::Gone,
            Some(held) if held.lease == lease => {
                held.until = now + life;
                Beat::Kept
            }
            Some(_) => Beat::Conflict,
        }
    }

    /// What the device holds, unless it is dead.
    fn alive(&mut self, device: &str, now: Instant) -> Option<&mut Held> {
        self.held.get_mut(device).filter(|held| now <= held.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(3);

    fn take(leases: &mut Leases, previous: Option<&str>, now: Instant) -> Option<String> {
        leases.take("device", previous, "eu", Feed::default(), now, LIFE)
    }

    #[test]
    fn a_lease_is_held_by_one_and_taken_over_by_its_name() {
        let (mut leases, now) = (Leases::default(), Instant::now());
        assert_eq!(take(&mut leases, None, now).unwrap(), "eu-lease-1");
        assert_eq!(take(&mut leases, None, now), None);
        assert_eq!(take(&mut leases, Some("eu-lease-0"), now), None);
        let second = take(&mut leases, Some("eu-lease-1"), now);
        assert_eq!(second.unwrap(), "eu-lease-2");
        assert_eq!(take(&mut leases, Some("eu-lease-1"), now), None);
        assert_eq!(leases.beat("eu-lease-1", now, LIFE), Beat::Conflict);
        assert_eq!(leases.beat("eu-lease-2", now, LIFE), Beat::Kept);
        assert_eq!(leases.beat("eu-lease-3", now, LIFE), Beat::Gone);
    }

    #[test]
    fn a_lease_lives_on_heartbeats() {
        let (mut leases, start) = (Leases::default(), Instant::now());
        take(&mut leases, None, start);
        let beat = start + LIFE;
        assert_eq!(leases.beat("eu-lease-1", beat, LIFE), Beat::Kept);
        assert_eq!(take(&mut leases, None, beat + LIFE), None);
        let dead = beat + LIFE + Duration::from_nanos(1);
        assert_eq!(leases.beat("eu-lease-1", dead, LIFE), Beat::Gone);
        assert_eq!(take(&mut leases, None, dead).unwrap(), "eu-lease-2");
        assert_eq!(leases.beat("eu-lease-1", dead, LIFE), Beat::Conflict);
    }

    #[test]
    fn devices_have_leases_of_their_own() {
        let (mut leases, now) = (Leases::default(), Instant::now());
        take(&mut leases, None, now);
        let other = leases.take("other", None, "eu", Feed::default(), now, LIFE);
        assert_eq!(other.unwrap(), "eu-lease-2");
        assert_eq!(leases.beat("eu-lease-1", now, LIFE), Beat::Kept);
    }
}
