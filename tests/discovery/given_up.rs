//! A fetch that is given up on one thread while another one asks.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Waker},
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_failover::{Budget, Health, replay::ReplayBody};

use crate::support::*;

/// Discovery never answers, and calls fail.
async fn hangs(
    request: Request<ReplayBody<Full<Bytes>>>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    if request.uri().path() == PATH {
        std::future::pending::<()>().await;
    }
    Ok(Response::builder()
        .status(503)
        .body(Full::default())
        .unwrap())
}

#[test]
fn a_call_may_come_while_the_last_who_waits_for_a_fetch_gives_it_up() {
    const ROUNDS: u64 = 20_000;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    // Every fetch has had its time at once, so that none is joined and each counts as failed.
    let layer = layer_with(|discovery| {
        let discovery = discovery.timeout(Duration::from_nanos(1));
        discovery.negative_ttl(Duration::ZERO)
    });
    let layer = layer.budget(Budget::unlimited()).health(Health::off());
    let client = layer.layer(service_fn(hangs));
    let (barrier, round) = (Barrier::new(2), AtomicU64::new(0));
    let is_over = AtomicBool::new(false);
    // Begins a call and gives it up, after a while that differs from round to round.
    let call = |spins: u64| {
        let _inside = runtime.enter();
        let mut call = Box::pin(client.clone().call(get("http://a.example.com")));
        // Rarely its time is up at once, and the call over.
        let _ = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        barrier.wait();
        (0..spins).for_each(|_| std::hint::spin_loop());
        drop(call);
        barrier.wait();
    };
    thread::scope(|threads| {
        threads.spawn(|| (0..ROUNDS).for_each(|n| call(n * 7 % 1500)));
        threads.spawn(|| {
            for n in 0..ROUNDS {
                barrier.wait();
                let _inside = runtime.enter();
                let mut late = Box::pin(client.clone().call(get("http://a.example.com")));
                let _ = late.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                drop(late);
                barrier.wait();
                round.store(n, Ordering::Relaxed);
            }
            is_over.store(true, Ordering::Relaxed);
        });
        let mut last = None;
        while !is_over.load(Ordering::Relaxed) {
            thread::park_timeout(Duration::from_secs(5));
            let now = Some(round.load(Ordering::Relaxed));
            if now == last && !is_over.load(Ordering::Relaxed) {
                // The threads cannot be joined any more.
                eprintln!("both wait for ever, in round {now:?}");
                std::process::abort();
            }
            last = now;
        }
    });
}
