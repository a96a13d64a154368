//! Finding out whether regions that are out are back: the one task that this crate spawns.

mod task;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{runtime, sync::Notify, task::AbortHandle};

use crate::{client::Client, config::Shared, regions::Directory};
use task::Task;

/// Sees to it that a task probes the regions of a layer while one of them is out.
#[derive(Default)]
pub(crate) struct Prober {
    /// Whether a region is out of which the task may not know.
    is_wanted: AtomicBool,
    is_running: AtomicBool,
    wake: Arc<Notify>,
    task: Mutex<Option<AbortHandle>>,
}

impl Prober {
    /// A region is out. Whoever has a client has to [`watch`](Self::watch) it.
    pub(crate) fn want(&self) {
        self.is_wanted.store(true, Ordering::Release);
        self.wake();
    }

    /// Has the task look again, if there is one: it may have nothing left to do.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// An only region that is out is not missed until a list names another one, of which nobody tells
    /// the task: a later call looks again.
    fn want_later(&self, directory: &Directory) {
        if directory.may_be_missed() {
            self.is_wanted.store(true, Ordering::Release);
        }
    }

    /// Begins the task if there is need of it and none is running. Costs nothing else.
    pub(crate) fn watch(&self, shared: &Arc<Shared>, client: impl FnOnce() -> Arc<dyn Client>) {
        if !self.is_wanted.load(Ordering::Relaxed) {
            return;
        }
        // Who probes nothing only takes back what was held out by hand; the rest is for a layer with
        // other settings that shares these regions.
        let is_off = shared.config.health.is_off();
        let directory = &shared.directory;
        if is_off && (directory.needs_probes() || !directory.is_work_left(is_off)) {
            return;
        }
        // Elsewhere there is no task, but there may be a later call that is in a runtime.
        let Ok(runtime) = runtime::Handle::try_current() else {
            return;
        };
        // Read once more, with all that was done before it was written.
        self.is_wanted.swap(false, Ordering::AcqRel);
        if !directory.is_work_left(is_off) {
            self.want_later(directory);
            return;
        }
        if self.is_running.swap(true, Ordering::AcqRel) {
            self.wake.notify_one();
            return;
        }
        let running = Running(Arc::downgrade(&shared.prober));
        let task = Task::new(shared, client());
        // Under the lock, so that the handle that stays is that of the last task. A runtime that shuts
        // down drops a task at once, which takes no lock.
        let mut slot = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        let task = runtime.spawn(task.run(self.wake.clone(), running));
        *slot = Some(task.abort_handle());
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        let slot = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = slot {
            task.abort();
        }
    }
}

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober")
            .field("is_running", &self.is_running)
            .finish_non_exhaustive()
    }
}

/// The task's own end of [`Prober::is_running`]. A task that ends before its work is done, with its
/// runtime or by a panic, leaves it to the next call to begin another.
struct Running(Weak<Prober>);

impl Running {
    /// Ends the task, unless a region went out meanwhile.
    fn may_end(&mut self, directory: &Directory, is_off: bool) -> bool {
        if let Some(prober) = self.0.upgrade() {
            // What was done by those who saw the task running before this is seen after it.
            prober.is_running.swap(false, Ordering::AcqRel);
            if directory.is_work_left(is_off) && !prober.is_running.swap(true, Ordering::AcqRel) {
                return false;
            }
            // For a layer with other settings.
            if is_off && directory.is_work_left(false) {
                prober.is_wanted.store(true, Ordering::Release);
            }
            prober.want_later(directory);
        }
        self.0 = Weak::new();
        true
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(prober) = self.0.upgrade() {
            prober.is_running.store(false, Ordering::Release);
            prober.is_wanted.store(true, Ordering::Release);
        }
    }
}
