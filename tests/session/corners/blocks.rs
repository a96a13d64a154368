//! Sessions of async blocks.

use std::time::Duration;

use tokio::time::Instant;
use tower::service_fn;
use tower_failover::session::*;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_block_without_its_link_ends_with_the_request() {
    let connector = service_fn(|_: Attempt<u32>| async {
        Ok::<_, std::io::Error>(session_fn((), |link: Link<u32>| async move {
            drop(link);
            std::future::pending::<()>().await
        }))
    });
    let handle = Supervisor::new(regions("a"), connector).start().unwrap();
    handle.established().await.unwrap();
    let from = Instant::now();
    handle.shutdown().await;
    assert!(
        from.elapsed() < Duration::from_secs(1),
        "{:?}",
        from.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_block_that_has_returned_is_not_polled_to_close_it() {
    for keeps in [false, true] {
        let connector = service_fn(move |attempt: Attempt<u32>| async move {
            Ok::<_, std::io::Error>(session_fn((), move |link: Link<u32>| async move {
                if attempt.epoch > 1 {
                    std::future::pending::<()>().await;
                }
                link.advise(Directive::retry());
                // The link is no reason to end early.
                if keeps {
                    std::mem::forget(link);
                }
            }))
        });
        let handle = Supervisor::new(regions("a"), connector).start().unwrap();
        let mut status = handle.status();
        let up = status.wait_for(|status| status.epoch == 2 || status.phase == Phase::Stopped);
        let status = tokio::time::timeout(Duration::from_secs(60), up)
            .await
            .unwrap()
            .unwrap()
            .clone();
        assert_eq!(status.epoch, 2, "{keeps} {status:?}");
    }
}
