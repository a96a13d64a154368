//! Sessions that are async blocks.

use std::{
    future::{pending, poll_fn},
    io,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};
use tower::service_fn;
use tower_failover::{
    Regions,
    session::{
        Attempt, Close, Closed, Directive, Event, Handle, Link, Session, Supervisor, session_fn,
    },
};

const SECOND: Duration = Duration::from_secs(1);

fn regions() -> Regions {
    Regions::fixed(["https://eu.example.com", "https://us.example.com"]).unwrap()
}

/// A session of this block that is up.
async fn up<F, X>(block: fn(Link) -> F) -> Handle<X, ()>
where
    F: Future<Output = X> + Send + 'static,
    X: std::fmt::Debug + Send + Sync + 'static,
{
    let connector =
        service_fn(move |_: Attempt| async move { Ok::<_, io::Error>(session_fn((), block)) });
    let handle = Supervisor::new(regions(), connector).start().unwrap();
    handle.established().await.unwrap();
    handle
}

/// How long a shutdown takes.
async fn shutdown<X>(handle: &Handle<X, ()>, code: u64) -> Duration {
    let asked = Instant::now();
    handle.shutdown_with(code).await;
    asked.elapsed()
}

#[tokio::test(start_paused = true)]
async fn all_events_come_before_the_end_and_in_their_order() {
    let mut session = pin!(session_fn((), |link: Link<u32>| {
        link.resume(1);
        async move {
            link.resume(2);
            link.resume_window(SECOND);
            link.healthy_after(SECOND);
            link.advise(Directive::retry());
            link.resume(3);
            "over"
        }
    }));
    let expected = [
        Event::Resume(1),
        Event::Resume(2),
        Event::ResumeWindow(SECOND),
        Event::HealthyAfter(SECOND),
        Event::Advice(Directive::retry()),
        Event::Resume(3),
        Event::Closed("over"),
    ];
    for event in expected {
        let told = poll_fn(|cx| session.as_mut().poll_event(cx)).await;
        assert_eq!(told, event);
    }
}

#[tokio::test(start_paused = true)]
async fn who_keeps_the_link_and_tells_more_does_not_hide_the_end() {
    let kept = Arc::new(Mutex::new(None));
    let keep = kept.clone();
    let mut session = pin!(session_fn((), move |link: Link<u32>| {
        *keep.lock().unwrap() = Some(link);
        async { "over" }
    }));
    let mut told = Vec::new();
    while told.len() < 9 {
        kept.lock().unwrap().as_ref().unwrap().resume(7);
        told.push(poll_fn(|cx| session.as_mut().poll_event(cx)).await);
        if let Some(Event::Closed(_)) = told.last() {
            break;
        }
    }
    assert_eq!(told, [Event::Resume(7), Event::Closed("over")]);
}

#[tokio::test(start_paused = true)]
async fn without_its_link_a_block_ends_with_the_request() {
    let handle = up(|_| pending::<()>()).await;
    assert_eq!(shutdown(&handle, 0).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn with_its_link_a_block_is_given_time_and_no_more() {
    let handle = up(|link| async move {
        let _link = link;
        pending::<()>().await;
    })
    .await;
    // The default.
    assert_eq!(shutdown(&handle, 0).await, 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_again_is_told_the_same() {
    let handle = up(|mut link| async move {
        let told = link.closing().await;
        assert_eq!(told, Close::Shutdown { code: 7 });
        assert_eq!(timeout(SECOND, link.closing()).await, Ok(told));
    })
    .await;
    assert_eq!(shutdown(&handle, 7).await, Duration::ZERO);
    assert!(matches!(handle.closed().await, Ok(Closed::Shutdown)));
}

#[tokio::test]
async fn a_region_whose_host_is_an_ipv6_address_can_be_connected_to() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        // A machine without IPv6.
        return;
    };
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"x").await.unwrap();
    });
    // As in the docs.
    let connector = service_fn(|attempt: Attempt| async move {
        let at = attempt.region.origin();
        let mut stream = TcpStream::connect(format!("{}:{}", at.host(), at.port())).await?;
        Ok::<_, io::Error>(async move { stream.read_u8().await })
    });
    let regions = Regions::fixed([format!("http://[::1]:{port}")]).unwrap();
    let handle = Supervisor::new(regions, connector)
        .classifier(|_| Directive::finish())
        .start()
        .unwrap();
    let closed = timeout(10 * SECOND, handle.closed()).await.expect("an end");
    assert!(matches!(closed, Ok(Closed::Exited(exit)) if matches!(*exit, Ok(b'x'))));
    server.await.unwrap();
}
