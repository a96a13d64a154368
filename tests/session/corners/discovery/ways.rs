//! Where redirects and old lists lead, and how fast.

use super::*;

/// A redirect is measured against regions that are known, not against whoever was reached by another.
#[tokio::test(start_paused = true)]
async fn trust_does_not_grow_from_redirect_to_redirect() {
    let targets = Targets::from(regions("ab"))
        .allow("edge.partner.test")
        .unwrap();
    let script = Script::new([Up]);
    let handle = run(targets, &script);
    epoch(&handle, 1).await;
    tokio::time::sleep(2 * SECOND).await;
    script.advise(
        0,
        Directive::migrate().to(Region::new("p", "http://edge.partner.test").unwrap()),
    );
    epoch(&handle, 2).await;
    tokio::time::sleep(2 * SECOND).await;
    script.advise(
        1,
        Directive::migrate().to(Region::new("q", "http://customer.partner.test").unwrap()),
    );
    epoch(&handle, 3).await;
    let host = script.dials()[2].attempt.region.origin().host().to_owned();
    assert_ne!(
        host, "customer.partner.test",
        "only edge.partner.test was allowed"
    );
}

/// It is the server of `b` that redirects, while that of `a` still serves.
#[tokio::test(start_paused = true)]
async fn a_redirect_during_a_migration_is_measured_against_its_sender() {
    for (to, follows) in [
        ("http://eu.b.example", true),
        ("http://eu.a.example", false),
    ] {
        let script = Script::new([Up, Refuse("over there"), Up]);
        let to = Region::new("there", to).unwrap();
        let named = to.clone();
        let handle = Supervisor::new(regions("abc"), script.clone())
            .settings(settings().drain(60 * SECOND))
            .classifier(move |o: Outcome<'_, _, _>| match o {
                Outcome::ConnectFailed(_) => Directive::retry().to(named.clone()),
                _ => Directive::retry(),
            })
            .start()
            .unwrap();
        epoch(&handle, 1).await;
        tokio::time::sleep(2 * SECOND).await;
        script.advise(0, Directive::migrate());
        epoch(&handle, 2).await;
        let host = script.dials()[2].attempt.region.origin().host().to_owned();
        assert_eq!(host == to.origin().host(), follows, "{host}");
    }
}

/// Dials are 50 ms apart, also where a discovery took its time before.
#[tokio::test(start_paused = true)]
async fn dials_are_apart_after_a_slow_discovery() {
    let discovery = Discovery::service(service_fn(|_: Query| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok::<_, BoxError>(list("abc"))
    }));
    let script = Script::new([Hang]);
    let handle = run(
        Targets::from(Regions::discover(discovery))
            .coordinator("https://api.example.com")
            .unwrap(),
        &script,
    );
    tokio::time::sleep(SECOND + 5 * MS).await;
    assert_eq!(script.dials().len(), 1);
    handle.kick(Directive::migrate());
    tokio::time::sleep(200 * MS).await;
    assert!(script.gaps()[0] >= 50, "{:?}", script.gaps());
}

/// An attempt does not outlive the window by much, whatever its timeout is.
#[tokio::test(start_paused = true)]
async fn a_black_hole_does_not_eat_the_window_whatever_is_set() {
    let script = Script::new([Refuse("no"), Hang]);
    let handle = start(
        "ab",
        &script,
        settings()
            .give_up_after(10 * SECOND)
            .attempt_timeout(30 * SECOND),
    );
    let error = handle.closed().await.unwrap_err();
    assert!(
        error.elapsed() <= 14 * SECOND,
        "{:?} after {} attempts",
        error.elapsed(),
        error.attempts()
    );
}

/// A coordinator that was listed once is a region no more when the list is old.
#[tokio::test(start_paused = true)]
async fn a_coordinator_that_was_listed_is_asked_before_it_is_dialed_once_the_list_is_old() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let discovery = Discovery::service(service_fn(move |_: Query| {
        ready(Ok::<_, BoxError>(list(
            if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                "ab"
            } else {
                "b"
            },
        )))
    }));
    let targets = Targets::from(Regions::discover(discovery))
        .coordinator("https://a.example.com")
        .unwrap();
    let script = Script::new([Up]);
    let handle = run(targets.clone(), &script);
    epoch(&handle, 1).await;
    assert_eq!(script.regions().concat(), "a");
    tokio::time::sleep(700 * SECOND).await;
    let script = Script::new([Up]);
    let handle = run(targets, &script);
    epoch(&handle, 1).await;
    assert_eq!(script.regions().concat(), "b");
}
