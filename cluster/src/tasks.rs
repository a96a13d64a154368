use std::future::Future;
use std::sync::{Arc, Mutex, Weak};

use hyper::rt::Executor;
use tokio::task::JoinSet;

/// The tasks of one connection, aborted when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    pub(crate) fn spawner(&self) -> Spawner {
        Spawner(Arc::downgrade(&self.0))
    }

    /// Ends the tasks and waits until they have dropped all they held.
    pub(crate) async fn end(self) {
        loop {
            let mut tasks =
                std::mem::take(&mut *self.0.lock().expect("no holder of the tasks panics"));
            if tasks.is_empty() {
                return;
            }
            // Meanwhile a task may still spawn another.
            tasks.shutdown().await;
        }
    }
}

/// Adds to the tasks of a connection while it lasts. Weak, because the tasks themselves hold spawners.
#[derive(Clone, Debug)]
pub(crate) struct Spawner(Weak<Mutex<JoinSet<()>>>);

impl<F> Executor<F> for Spawner
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        if let Some(tasks) = self.0.upgrade() {
            let mut tasks = tasks.lock().expect("no holder of the tasks panics");
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task);
        }
    }
}
