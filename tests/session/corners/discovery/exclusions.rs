//! What one session excludes.

use super::*;

/// What a session excludes is left out for it alone.
#[tokio::test(start_paused = true)]
async fn what_one_session_excludes_is_not_missing_for_all_others() {
    let asked = Arc::default();
    let targets = Targets::from(Regions::discover(obliging(asked)))
        .coordinator("https://api.example.com")
        .unwrap();
    let script = Script::new([Up]);
    let handle = run(targets.clone(), &script);
    epoch(&handle, 1).await;
    tokio::time::sleep(2 * SECOND).await;
    script.advise(0, Directive::rejoin().exclude());
    epoch(&handle, 2).await;
    assert_eq!(script.regions().concat(), "ab");
    let other = Script::new([Up]);
    let handle = run(targets, &other);
    epoch(&handle, 1).await;
    assert_eq!(other.regions().concat(), "a", "full for one perhaps");
}

/// A region that a session excludes is still where calls go.
#[tokio::test(start_paused = true)]
async fn what_a_session_excludes_is_not_missing_for_calls() {
    let asked = Arc::default();
    let layer = FailoverLayer::new(Regions::discover(obliging(asked)));
    let targets = Targets::from(&layer)
        .coordinator("https://api.example.com")
        .unwrap();
    let _client = layer.layer(service_fn(|_: Request<ReplayBody<Empty<Bytes>>>| {
        ready(Ok::<_, BoxError>(Response::new(Empty::<Bytes>::new())))
    }));
    let script = Script::new([Up]);
    let handle = run(targets, &script);
    epoch(&handle, 1).await;
    let names = || {
        layer
            .handle()
            .regions("https://api.example.com")
            .iter()
            .map(|r| r.region().name().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let before = names();
    tokio::time::sleep(2 * SECOND).await;
    script.advise(0, Directive::rejoin().exclude());
    epoch(&handle, 2).await;
    assert_eq!(names(), before);
}

/// An answer to exclusions is no list, but the region that it names is dialed again all the same.
#[tokio::test(start_paused = true)]
async fn a_region_that_only_one_session_was_told_is_retried() {
    let discovery = Discovery::service(service_fn(|query: Query| {
        ready(Ok::<_, BoxError>(list(match query.excluded() {
            [] => "a",
            _ => "b",
        })))
    }));
    let layer = FailoverLayer::new(Regions::discover(discovery));
    let script = Script::new([Up, Refuse("no"), Refuse("no"), Up]);
    let targets = Targets::from(&layer)
        .coordinator("https://api.example.com")
        .unwrap();
    let handle = run(targets, &script);
    epoch(&handle, 1).await;
    tokio::time::sleep(2 * SECOND).await;
    script.advise(0, Directive::migrate());
    epoch(&handle, 2).await;
    assert_eq!(script.regions().concat(), "abbb");
    let list = layer.handle().regions("https://api.example.com");
    assert!(list.iter().all(|region| region.region().name() != "b"));
}

/// Who excludes nothing does not wait for an answer to exclusions.
#[tokio::test(start_paused = true)]
async fn a_question_with_exclusions_is_not_shared_with_those_who_have_none() {
    let asked: Arc<Mutex<Vec<usize>>> = Arc::default();
    let log = asked.clone();
    let discovery = Discovery::service(service_fn(move |query: Query| {
        log.lock().unwrap().push(query.excluded().len());
        async move {
            tokio::time::sleep(SECOND).await;
            Ok::<_, BoxError>(list(match query.excluded() {
                [] => "ac",
                _ => "b",
            }))
        }
    }));
    let targets = Targets::from(Regions::discover(discovery))
        .coordinator("https://api.example.com")
        .unwrap();
    let (one, other) = (Script::new([Up]), Script::new([Up]));
    let handles = [run(targets.clone(), &one), run(targets, &other)];
    for handle in &handles {
        epoch(handle, 1).await;
    }
    tokio::time::sleep(2 * SECOND).await;
    one.advise(0, Directive::rejoin().exclude());
    while asked.lock().unwrap().len() < 2 {
        tokio::time::sleep(MS).await;
    }
    other.advise(0, Directive::rejoin());
    for handle in &handles {
        epoch(handle, 2).await;
    }
    assert_eq!(*asked.lock().unwrap(), [0, 1, 0]);
    assert_eq!(one.regions().concat(), "ab");
    assert_eq!(other.regions().concat(), "aa");
}

/// An excluded region is not dialed while another is known: also where it was dialed for want of one.
#[tokio::test(start_paused = true)]
async fn an_excluded_region_is_not_dialed_again_when_another_becomes_known() {
    let discovery = Discovery::service(service_fn(|_: Query| ready(Ok::<_, BoxError>(list("a")))));
    let layer = FailoverLayer::new(Regions::discover(discovery));
    let script = Script::new([Refuse("full"), Refuse("no"), Refuse("no"), Up]);
    let handle = Supervisor::new(
        Targets::from(&layer)
            .coordinator("https://api.example.com")
            .unwrap(),
        script.clone(),
    )
    .settings(settings())
    .classifier(|o: Outcome<'_, _, _>| match o {
        Outcome::ConnectFailed(crate::support::Refused("full")) => Directive::retry().exclude(),
        _ => Directive::retry(),
    })
    .start()
    .unwrap();
    tokio::time::sleep(150 * MS).await;
    assert_eq!(script.regions().concat(), "aa");
    layer
        .handle()
        .set_regions("https://api.example.com", list("ab"))
        .unwrap();
    epoch(&handle, 1).await;
    assert_eq!(
        script.regions().concat()[2..],
        *"bb",
        "{:?}",
        script.dials()[2].attempt.excluded
    );
}

/// One question serves a stampede, also where each excludes the region that it leaves.
#[tokio::test(start_paused = true)]
async fn who_is_cut_off_together_asks_together() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let discovery = Discovery::service(service_fn(move |_: Query| {
        counted.fetch_add(1, Ordering::SeqCst);
        async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, BoxError>(list("abc"))
        }
    }));
    let targets = Targets::from(Regions::discover(discovery))
        .coordinator("https://api.example.com")
        .unwrap();
    let all: Vec<_> = (0..100)
        .map(|_| {
            let script = Script::new([Up]);
            (run(targets.clone(), &script), script)
        })
        .collect();
    tokio::time::sleep(5 * SECOND).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1, "at the start");
    for (_, script) in &all {
        script.advise(0, Directive::rejoin());
    }
    tokio::time::sleep(20 * SECOND).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2, "together");
    for (_, script) in &all {
        script.advise(1, Directive::rejoin().exclude());
    }
    tokio::time::sleep(20 * SECOND).await;
    assert_eq!(asked.load(Ordering::SeqCst), 3, "excluding the same");
}
