//! Sessions and the calls of a layer.

use super::*;

/// A list that may not be kept serves whoever waited for it.
#[tokio::test(start_paused = true)]
async fn a_list_that_may_not_be_kept_serves_the_session_that_asked() {
    for cache_control in ["max-age=60", "no-store", "no-cache"] {
        let layer = FailoverLayer::new(Regions::discover(
            Discovery::http("/regions").hosts(["*.example.com"]),
        ));
        let client = layer.layer(service_fn(move |request: Request<ReplayBody<Empty<Bytes>>>| {
            let body = match request.uri().path() {
                "/regions" => r#"{"regions":[{"region":"b","url":"https://b.example.com"},{"region":"c","url":"https://c.example.com"}]}"#,
                _ => "",
            };
            ready(Ok::<_, BoxError>(Response::builder()
                .header("cache-control", cache_control)
                .header("content-type", "application/json")
                .body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap()))
        }));
        client
            .clone()
            .oneshot(
                Request::get("https://api.example.com/x")
                    .body(Empty::new())
                    .unwrap(),
            )
            .await
            .unwrap();
        let script = Script::new([Up]);
        let handle = run(
            Targets::from(&layer)
                .coordinator("https://api.example.com")
                .unwrap(),
            &script,
        );
        tokio::time::sleep(30 * SECOND).await;
        let cause = handle.status().borrow().cause.clone();
        assert_eq!(script.regions(), ["b"], "{cache_control}: {cause:?}");
    }
}

/// Calls leave discovery alone for a while after a failure; a session's search does not undo that.
#[tokio::test(start_paused = true)]
async fn a_session_does_not_undo_the_quiet_time_of_calls() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let discovery = Discovery::service(service_fn(move |_: Query| {
        counted.fetch_add(1, Ordering::SeqCst);
        ready(Err::<RegionList, BoxError>("down".into()))
    }))
    .negative_ttl(Duration::from_secs(600));
    let layer = FailoverLayer::new(Regions::discover(discovery));
    let client = layer.layer(service_fn(|_: Request<ReplayBody<Empty<Bytes>>>| {
        ready(Err::<Response<Empty<Bytes>>, _>(std::io::Error::from(
            std::io::ErrorKind::ConnectionRefused,
        )))
    }));
    let call = || {
        client.clone().oneshot(
            Request::get("https://api.example.com/x")
                .body(Empty::new())
                .unwrap(),
        )
    };
    for _ in 0..5 {
        call().await.unwrap_err();
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "by calls");
    let script = Script::new([Up]);
    let _handle = run(
        Targets::from(&layer)
            .coordinator("https://api.example.com")
            .unwrap(),
        &script,
    );
    let mut by_calls = 0;
    for _ in 0..20 {
        tokio::time::sleep(SECOND).await;
        let before = asked.load(Ordering::SeqCst);
        call().await.unwrap_err();
        by_calls += asked.load(Ordering::SeqCst) - before;
    }
    assert_eq!(by_calls, 0, "of {}", asked.load(Ordering::SeqCst));
}

/// A list that is fresh stays so for calls where a session's search fails.
#[tokio::test(start_paused = true)]
async fn a_failed_search_of_a_session_leaves_the_list_of_calls_fresh() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let discovery = Discovery::service(service_fn(move |_: Query| {
        ready(match counted.fetch_add(1, Ordering::SeqCst) {
            0 => Ok::<RegionList, BoxError>(list("ab")),
            _ => Err("down".into()),
        })
    }));
    let layer = FailoverLayer::new(Regions::discover(discovery));
    let client = layer.layer(service_fn(|request: Request<ReplayBody<Empty<Bytes>>>| {
        ready(match request.uri().host() {
            Some("api.example.com") => {
                Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))
            }
            _ => Ok(Response::new(Empty::<Bytes>::new())),
        })
    }));
    let call = || {
        client.clone().oneshot(
            Request::get("https://api.example.com/x")
                .body(Empty::new())
                .unwrap(),
        )
    };
    call().await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    call().await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1, "fresh");
    let script = Script::new([Up]);
    let handle = run(
        Targets::from(&layer)
            .coordinator("https://api.example.com")
            .unwrap(),
        &script,
    );
    epoch(&handle, 1).await;
    tokio::time::sleep(2 * SECOND).await;
    script.advise(0, Directive::rejoin());
    epoch(&handle, 2).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2, "the session");
    call().await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2, "still fresh for calls");
}

/// What the program says of a region's health counts for sessions as for calls.
#[tokio::test(start_paused = true)]
async fn ejected_by_hand_is_ejected_for_sessions() {
    for off in [false, true] {
        let layer = FailoverLayer::new(regions("abc"));
        let layer = if off {
            layer.health(tower_failover::Health::off())
        } else {
            layer
        };
        let asked = Arc::new(Mutex::new(String::new()));
        let log = asked.clone();
        let client = layer.layer(service_fn(move |r: Request<ReplayBody<Empty<Bytes>>>| {
            log.lock().unwrap().push_str(&r.uri().host().unwrap()[..1]);
            ready(Ok::<_, BoxError>(Response::new(Empty::<Bytes>::new())))
        }));
        let a = Region::new("a", "http://a.example").unwrap();
        layer.handle().eject(&a, Duration::from_secs(1000));
        client
            .clone()
            .oneshot(
                Request::get("http://a.example/x")
                    .body(Empty::new())
                    .unwrap(),
            )
            .await
            .unwrap();
        let script = Script::new([Up]);
        let h = run(&layer, &script);
        epoch(&h, 1).await;
        let calls = asked.lock().unwrap().clone();
        assert_eq!(calls, script.regions()[0], "off {off}");
        layer.handle().restore(&a);
        tokio::time::sleep(30 * SECOND).await;
        let script = Script::new([Up]);
        let h = run(&layer, &script);
        epoch(&h, 1).await;
        assert_eq!(script.regions().concat(), "a", "off {off}");
    }
}

/// A layer that is warm has a client to ask by, before there was any call.
#[tokio::test(start_paused = true)]
async fn a_session_that_begins_when_the_layer_is_warm_needs_no_call() {
    let layer = FailoverLayer::new(Regions::discover(
        Discovery::http("/regions").hosts(["*.example.com"]),
    ));
    let client = layer.layer(service_fn(move |_: Request<ReplayBody<Empty<Bytes>>>| {
        let body = r#"{"regions":[{"region":"b","url":"https://b.example.com"}]}"#;
        ready(Ok::<_, BoxError>(
            Response::builder()
                .header("cache-control", "max-age=60")
                .header("content-type", "application/json")
                .body(Full::new(Bytes::from_static(body.as_bytes())))
                .unwrap(),
        ))
    }));
    client.warm_up("https://api.example.com").await.unwrap();
    let script = Script::new([Up]);
    let handle = run(
        Targets::from(&layer)
            .coordinator("https://api.example.com")
            .unwrap(),
        &script,
    );
    epoch(&handle, 1).await;
    assert_eq!(script.regions(), ["b"]);
}

/// Discovery sees the headers that identify a session, not those of a body or a connection.
#[tokio::test(start_paused = true)]
async fn headers_of_a_body_are_not_sent_to_discovery() {
    let asked: Arc<Mutex<Vec<Query>>> = Arc::default();
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", "Bearer x".parse().unwrap());
    headers.insert("content-length", "5".parse().unwrap());
    headers.insert("connection", "close".parse().unwrap());
    let targets = Targets::from(Regions::discover(obliging(asked.clone())))
        .coordinator("https://api.example.com")
        .unwrap()
        .headers(headers);
    let script = Script::new([Up]);
    let handle = run(targets, &script);
    epoch(&handle, 1).await;
    let asked = asked.lock().unwrap();
    let names: Vec<_> = asked[0]
        .headers()
        .keys()
        .map(|name| name.as_str())
        .collect();
    assert_eq!(names, ["authorization"]);
}
