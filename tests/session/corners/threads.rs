//! Real time and threads.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tower::service_fn;
use tower_failover::{Backoff, session::*};

use super::*;

/// A session that always has something to tell.
struct Chatter(Arc<AtomicBool>, bool);
impl Session for Chatter {
    type Resume = u32;
    type Exit = ();
    type Client = ();
    fn client(&self) {}
    fn poll_event(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Event<u32, ()>> {
        if self.1 {
            self.1 = false;
            return Poll::Ready(Event::Advice(Directive::migrate()));
        }
        Poll::Ready(Event::Resume(1))
    }
}
impl Drop for Chatter {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn chatter(
    advises: bool,
    look: impl AsyncFnOnce(Handle<(), ()>, Arc<AtomicBool>) -> bool + Send + 'static,
) -> bool {
    let (done, result) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let rt = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let ok = rt.block_on(async {
            let dropped = Arc::new(AtomicBool::new(false));
            let flag = dropped.clone();
            let n = Arc::new(AtomicUsize::new(0));
            let connector = service_fn(move |_: Attempt<u32>| {
                let (flag, n) = (flag.clone(), n.clone());
                async move {
                    if n.fetch_add(1, Ordering::SeqCst) > 0 {
                        std::future::pending::<()>().await;
                    }
                    Ok::<_, std::io::Error>(Chatter(flag, advises))
                }
            });
            let handle = Supervisor::new(regions("ab"), connector)
                .settings(settings().drain(Duration::from_millis(300)))
                .start()
                .unwrap();
            handle.established().await.unwrap();
            look(handle, dropped).await
        });
        done.send(ok).unwrap();
        rt.shutdown_background();
    });
    result
        .recv_timeout(Duration::from_secs(10))
        .unwrap_or(false)
}

#[test]
fn a_session_that_never_stops_telling_ends_with_the_last_handle() {
    assert!(chatter(false, async |handle, dropped| {
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(handle);
        for _ in 0..100 {
            if dropped.load(Ordering::SeqCst) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }));
}

#[test]
fn a_session_that_never_stops_telling_has_its_deadline() {
    assert!(chatter(true, async |handle, _| {
        for _ in 0..100 {
            if handle.current().is_none() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }));
}

/// Handles from many threads against a task that runs on others.
#[test]
fn no_order_is_lost_under_threads() {
    for round in 0..60 {
        let rt = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(3)
            .enable_all()
            .build()
            .unwrap();
        rt.block_on(async {
            let ms = Duration::from_millis(1);
            let script = Script::new([Up, Refuse("no"), UpFor(3 * ms, "x"), Up]);
            let handle = start(
                "abc",
                &script,
                settings()
                    .backoff(Backoff::exponential(ms, ms))
                    .healthy_after(60 * ms)
                    .drain(20 * ms)
                    .close_timeout(5 * ms),
            );
            let readers: Vec<_> = (0..3)
                .map(|_| {
                    let mut status = handle.status();
                    tokio::spawn(async move {
                        let mut last = 0;
                        while status.changed().await.is_ok() {
                            let epoch = status.borrow_and_update().epoch;
                            assert!(epoch >= last);
                            last = epoch;
                        }
                        let phase = status.borrow().phase;
                        assert_eq!(phase, Phase::Stopped);
                    })
                })
                .collect();
            let waiters: Vec<_> = (0..3)
                .map(|_| {
                    let handle = handle.clone();
                    tokio::spawn(async move {
                        loop {
                            match handle.established().await {
                                Ok(_) => tokio::time::sleep(ms).await,
                                Err(error) => break error.kind(),
                            }
                        }
                    })
                })
                .collect();
            let drivers: Vec<_> = (0..4)
                .map(|n| {
                    let handle = handle.clone();
                    tokio::spawn(async move {
                        for i in 0..30u32 {
                            match (i + n) % 4 {
                                0 => handle.kick(Directive::migrate()),
                                1 => handle.pause(),
                                2 => handle.unpause(),
                                _ => handle.kick(Directive::rejoin()),
                            }
                            tokio::time::sleep(some_time(i, n, round)).await;
                        }
                        handle.unpause();
                    })
                })
                .collect();
            for driver in drivers {
                driver.await.unwrap();
            }
            // A kick after all is over is heard: there is another dial.
            let t = Duration::from_secs(5);
            handle.unpause();
            tokio::time::timeout(t, handle.established())
                .await
                .expect("up")
                .unwrap();
            let before = script.dials().len();
            handle.kick(Directive::retry());
            tokio::time::timeout(t, async {
                while script.dials().len() == before {
                    tokio::time::sleep(ms).await
                }
            })
            .await
            .expect("a kick was lost");
            tokio::time::timeout(t, handle.shutdown())
                .await
                .expect("a shutdown was lost");
            for w in waiters {
                assert_eq!(
                    tokio::time::timeout(t, w).await.unwrap().unwrap(),
                    ErrorKind::Closed
                );
            }
            for r in readers {
                tokio::time::timeout(t, r).await.unwrap().unwrap();
            }
            assert_eq!(script.open(), 0);
            assert!(script.most_open() <= 2, "{}", script.most_open());
        });
    }
}

fn some_time(i: u32, n: u32, round: u32) -> Duration {
    Duration::from_micros(u64::from((i * 7919 + n * 104_729 + round * 31) % 1500))
}
