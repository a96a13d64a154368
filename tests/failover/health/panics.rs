//! A client that panics when it is given a probe.

use std::{
    panic,
    sync::atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Empty;
use tower::service_fn;
use tower_failover::replay::ReplayBody;

use super::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Call,
    Future,
}

#[tokio::test(start_paused = true)]
async fn a_client_that_panics_on_probes_fails_them_and_no_more() {
    static LEFT: AtomicU32 = AtomicU32::new(0);
    for place in [Place::Call, Place::Future] {
        LEFT.store(2, Ordering::SeqCst);
        let script = Script::new([refused()]);
        let inner = script.clone();
        let client = service_fn(move |request: Request<ReplayBody<Empty<Bytes>>>| {
            let is_probe = request.method() == Method::HEAD;
            let may_panic = move |here| {
                if is_probe && here == place && LEFT.load(Ordering::SeqCst) > 0 {
                    LEFT.fetch_sub(1, Ordering::SeqCst);
                    // Without the message that a panic prints.
                    panic::resume_unwind(Box::new("a probe"));
                }
            };
            may_panic(Place::Call);
            let answer = inner.clone().oneshot(request);
            async move {
                may_panic(Place::Future);
                answer.await
            }
        });
        let layer = layer(Health::default());
        let handle = layer.handle();
        let client = layer.layer(client);
        let call = async || {
            let answer = client.clone().oneshot(get("http://a/")).await;
            assert_eq!(answer.unwrap().status(), 200);
        };
        call().await;
        // No call comes that could begin another task: the third probe succeeds.
        restored(&mut handle.subscribe()).await;
        assert_eq!(LEFT.load(Ordering::SeqCst), 0, "{place:?}");
        assert_eq!(script.probes().len(), 1, "{place:?}");
        assert_eq!(script.count("a"), 1);
        call().await;
    }
}
