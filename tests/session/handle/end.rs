//! How it ends, and that all who wait hear of it.

use std::{io, time::Duration};

use futures_util::future::{join, join_all};
use tower::service_fn;
use tower_failover::session::{
    Attempt, Directive, ErrorKind, Event, Handle, Outcome, Phase, Supervisor,
};

use crate::support::{Play, Play::*, Refused, SECOND, Script, regions, settings, settle, start};

/// What all who wait for the end and for a session get to hear.
async fn hears<X: std::fmt::Debug>(handle: Handle<X, usize>) -> String {
    let waiters = (0..3).map(|_| join(handle.closed(), handle.established()));
    let heard = tokio::time::timeout(Duration::from_secs(3600), join_all(waiters));
    let heard = heard.await.expect("nobody waits for ever");
    let texts = heard.into_iter().map(|(closed, established)| {
        let established = established.map_err(|error| error.kind());
        let closed = match closed {
            Ok(closed) => format!("{closed:?}"),
            Err(error) => format!("{:?}", error.kind()),
        };
        format!("{closed} {:?}", established.unwrap_err())
    });
    let mut texts: Vec<_> = texts.collect();
    texts.dedup();
    assert_eq!(handle.status().borrow().phase, Phase::Stopped);
    assert_eq!(texts.len(), 1, "{texts:?}");
    texts.remove(0)
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_hear_of_every_kind_of_end() {
    let rows: [(Play, Directive, &str); 7] = [
        (Refuse("no"), Directive::fail(), "Failed Failed"),
        (Refuse("no"), Directive::finish(), "Settled Closed"),
        (UpFor(SECOND, "bye"), Directive::fail(), "Failed Failed"),
        (
            UpFor(SECOND, "bye"),
            Directive::finish(),
            "Exited(\"bye\") Closed",
        ),
        (Refuse("no"), Directive::retry(), "GaveUp GaveUp"),
        (Hang, Directive::retry(), "GaveUp GaveUp"),
        (
            UpFor(SECOND / 2, "bye"),
            Directive::rejoin(),
            "GaveUp GaveUp",
        ),
    ];
    for (play, directive, expected) in rows {
        let script = Script::new([play.clone()]);
        let says = directive.clone();
        let handle = Supervisor::new(regions("ab"), script.clone())
            .settings(settings().give_up_after(10 * SECOND))
            .classifier(move |_| says.clone())
            .start()
            .unwrap();
        // A session that is up for a moment is heard of.
        if let UpFor(..) = play {
            handle.established().await.unwrap();
            let mut status = handle.status();
            let over = status.wait_for(|status| status.phase == Phase::Stopped);
            over.await.unwrap();
        }
        assert_eq!(hears(handle).await, expected, "{play:?}, {directive:?}");
        assert_eq!((script.open(), script.dialing()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_may_be_limited() {
    let script = Script::new([Refuse("no")]);
    let handle = start("ab", &script, settings().total_attempts(4));
    let error = handle.closed().await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Attempts, 4));
    assert_eq!(
        error.cause().unwrap().downcast_ref::<Refused>(),
        Some(&Refused("no"))
    );
    let names: Vec<_> = error.tried().iter().map(|region| region.name()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(error.elapsed().as_millis(), 100 + 200 + 400);
    assert_eq!(hears(handle).await, "Attempts Attempts");
}

#[tokio::test(start_paused = true)]
async fn advice_and_kicks_may_end_it() {
    for (directive, expected) in [
        (Directive::fail(), "Failed Failed"),
        (Directive::finish(), "Settled Closed"),
    ] {
        for is_kick in [false, true] {
            let script = Script::new([Up]);
            let handle = start("a", &script, settings());
            handle.established().await.unwrap();
            match is_kick {
                true => handle.kick(directive.clone()),
                false => script.tell(0, Event::Advice(directive.clone())),
            }
            settle().await;
            assert_eq!(hears(handle).await, expected);
            assert_eq!(script.open(), 0);
        }
    }
}

type Never = std::future::Pending<()>;

#[tokio::test(start_paused = true)]
async fn a_panic_leaves_nobody_waiting() {
    let connector = service_fn(|_: Attempt| async { panic!("in the connector") });
    let supervisor = Supervisor::new(regions("a"), connector);
    let handle = supervisor.classifier(|_: Outcome<'_, io::Error, ()>| Directive::retry());
    assert_panic(handle.start::<(), Never>().unwrap()).await;

    let connector =
        service_fn(|_: Attempt| async { Ok::<_, io::Error>(async { panic!("in the session") }) });
    assert_panic(Supervisor::new(regions("a"), connector).start().unwrap()).await;

    let connector = service_fn(|_: Attempt| async { Err::<Never, _>(io::Error::other("no")) });
    let supervisor = Supervisor::new(regions("a"), connector);
    let handle = supervisor.classifier(|_| panic!("in the classifier"));
    assert_panic(handle.start().unwrap()).await;
}

async fn assert_panic<X>(handle: Handle<X>) {
    let waits = join(handle.closed(), handle.established());
    let (closed, established) = tokio::time::timeout(SECOND, waits).await.expect("in time");
    assert_eq!(closed.err().unwrap().kind(), ErrorKind::Aborted);
    assert_eq!(established.unwrap_err().kind(), ErrorKind::Aborted);
    assert_eq!(handle.status().borrow().phase, Phase::Stopped);
    // What is asked of it now is lost, and hangs nobody.
    handle.kick(Directive::rejoin());
    handle.pause();
    handle.shutdown().await;
}

#[test]
fn the_end_of_the_runtime_leaves_nobody_waiting() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
    };
    for has_begun in [false, true] {
        let script = Script::new([Up]);
        let first = runtime();
        let handle = first.block_on(async {
            let handle = start("a", &script, settings());
            if has_begun {
                handle.established().await.unwrap();
            }
            handle
        });
        drop(first);
        assert_eq!(script.open(), 0);
        let heard = runtime().block_on(hears(handle));
        assert_eq!(heard, "Aborted Aborted");
    }
}
