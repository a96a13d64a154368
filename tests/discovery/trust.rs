use std::{
    future::{Ready, ready},
    io,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
    vec,
};

use bytes::Bytes;
use failover_cluster::{Fault, LiveKit, Server};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::TokioExecutor,
};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_failover::{
    Discovery, FailoverLayer, Health, Region, RegionList, Regions, Snapshot, replay::ReplayBody,
};
use tracing::Level;

use crate::support::*;

/// Where homes are; untrusted servers are at other addresses.
const HOME: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

const FAILS_AT_HOME: &str = r#"{"failRegions":[0]}"#;

/// Ways to write an address of an [`Untrusted`].
const ADDRESSES: &[&str] = &[
    "127.0.0.1",
    "localhost",
    "LOCALHOST",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0X7F.1",
    "0177.0.0.1",
    "0.0.0.0",
    "0",
    "[::ffff:127.0.0.1]",
    "[::FFFF:7f00:1]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
];

/// These as origins, to be refused for whom they name.
fn origins(untrusted: &Untrusted) -> Vec<String> {
    let port = untrusted.port();
    let origin = |host: &&str| format!("http://{host}:{port}");
    ADDRESSES.iter().map(origin).collect()
}

/// All that a list may say of it.
fn urls(untrusted: &Untrusted) -> Vec<String> {
    let port = untrusted.port();
    let mut urls = origins(untrusted);
    for host in ADDRESSES {
        urls.push(format!("ws://{host}:{port}"));
    }
    for authority in [
        format!("user@127.0.0.1:{port}"),
        format!("user:secret@127.0.0.1:{port}"),
        format!("127.0.0.2@127.0.0.1:{port}"),
        format!("127.0.0.2:80@127.0.0.1:{port}"),
        format!("127.0.0.1:{port}@127.0.0.2"),
        format!("127.0.0.1:{port}/path"),
        format!("127.0.0.1:{port}/@127.0.0.2"),
        format!("127.0.0.1:{port}?query"),
        format!("127.0.0.1:{port}?@127.0.0.2"),
        format!("127.0.0.1:{port}#fragment"),
        format!("127.0.0.1:{port}#@127.0.0.2"),
        format!("127.0.0.1:{port}\\@127.0.0.2"),
        format!("127.0.0.1.:{port}"),
        format!("127.0.0.1%00:{port}"),
        format!("%31%32%37.0.0.1:{port}"),
        format!("[::1%25lo]:{port}"),
        format!("127。0。0。1:{port}"),
        format!("127.0.0.1:{port} "),
        format!("127.0.0.1\t:{port}"),
        format!("127.0.0.1:+{port}"),
    ] {
        urls.push(format!("http://{authority}"));
        urls.push(format!("ws://{authority}"));
    }
    urls.push(format!("//127.0.0.1:{port}"));
    urls.push(format!("127.0.0.1:{port}"));
    urls.push(format!("https://127.0.0.1:{port}"));
    urls.push(format!("ftp://127.0.0.1:{port}"));
    urls.push(format!(" http://127.0.0.1:{port}"));
    urls
}

fn regions(origins: &[String]) -> Vec<Region> {
    let region = |origin: &String| Region::new(origin.as_str(), origin);
    origins.iter().map(|o| region(o).expect(o)).collect()
}

/// The regions that a snapshot has for its only home.
fn saved(snapshot: &Snapshot) -> usize {
    let json = serde_json::to_value(snapshot).unwrap();
    json["homes"][0]["regions"].as_array().unwrap().len()
}

#[tokio::test]
async fn an_untrusted_server_is_not_contacted_however_it_is_written() {
    let untrusted = Untrusted::start();
    for url in urls(&untrusted) {
        let livekit = LiveKit::start_on(HOME, 2).await;
        let list = lists(&[&url, &livekit.origin(1)]);
        livekit.region(0).set_at(PATH, list).await;
        let client = client(&layer());
        let call = call(&livekit.origin(0), FAILS_AT_HOME);
        let (status, region) = answer(&client, call).await;
        assert_eq!((status, region.as_str()), (200, "region-1"), "{url}");
        assert_eq!(asked(&livekit), [1, 0], "{url}");
        assert_eq!(livekit.region(0).hits(), 2, "{url}");
        assert_eq!(livekit.region(1).hits(), 1, "{url}");
        assert_eq!(untrusted.contacts(), 0, "{url}");
    }
}

/// What makes the test above, and the others with these, worth something.
#[tokio::test]
async fn the_same_server_is_contacted_by_who_trusts_everybody() {
    let untrusted = Untrusted::start();
    for (url, host) in origins(&untrusted).iter().zip(ADDRESSES) {
        // Without IPv6 not all of them lead there.
        if TcpStream::connect(format!("{host}:{}", untrusted.port())).is_err() {
            continue;
        }
        assert_eq!(untrusted.contacts(), 1, "{url}");
        let livekit = LiveKit::start_on(HOME, 1).await;
        livekit.region(0).set_at(PATH, lists(&[url])).await;
        let client = client(&layer_with(Discovery::allow_any));
        let call = call(&livekit.origin(0), FAILS_AT_HOME);
        // It does not answer.
        let call = tokio::spawn(async move { send(&client, call).await });
        let contact = async {
            while untrusted.contacts() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let contact = tokio::time::timeout(PATIENCE, contact).await;
        assert!(contact.is_ok(), "{url}");
        call.abort();
    }
}

#[tokio::test]
async fn the_good_entries_of_a_list_are_used_among_bad_ones() {
    let untrusted = Untrusted::start();
    let livekit = LiveKit::start_on(HOME, 3).await;
    let mut list = urls(&untrusted);
    list.insert(list.len() / 2, livekit.origin(1));
    list.push(livekit.origin(2));
    livekit.region(0).set_at(PATH, lists(&list)).await;
    let client = client(&layer().health(Health::off()));
    for (fails, status, region) in [
        (r#"{"failRegions":[0]}"#, 200, "region-1"),
        (r#"{"failRegions":[0,1]}"#, 200, "region-2"),
        (r#"{"failRegions":[0,1,2]}"#, 503, "region-2"),
    ] {
        let (got, from) = answer(&client, call(&livekit.origin(0), fails)).await;
        assert_eq!((got, from.as_str()), (status, region), "{fails}");
    }
    assert_eq!(asked(&livekit), [1, 0, 0]);
    assert_eq!(untrusted.contacts(), 0);
}

#[tokio::test]
async fn every_later_list_is_checked_too() {
    let untrusted = Untrusted::start();
    let livekit = LiveKit::start_on(HOME, 3).await;
    let (home, layer) = (livekit.region(0), layer().health(Health::off()));
    let client = client(&layer);
    let outcome = || answer(&client, call(&livekit.origin(0), FAILS_AT_HOME));

    home.set_at(PATH, lists(&[livekit.origin(1)])).await;
    assert_eq!(outcome().await, (200, "region-1".to_owned()));

    let mut list = urls(&untrusted);
    list.push(livekit.origin(2));
    home.set_at(PATH, lists(&list)).await;
    layer.handle().refresh(home.origin()).await.unwrap();
    assert_eq!(outcome().await, (200, "region-2".to_owned()));

    // No answer, so the region that is known is asked too.
    home.set_at(PATH, lists(&urls(&untrusted))).await;
    livekit
        .region(2)
        .set_at(PATH, lists(&urls(&untrusted)))
        .await;
    layer.handle().refresh(home.origin()).await.unwrap_err();
    assert_eq!(asked(&livekit), [3, 0, 1]);
    // As does the call, for a refresh that failed keeps it from nothing; the list stays.
    assert_eq!(outcome().await, (200, "region-2".to_owned()));
    assert_eq!(asked(&livekit), [4, 0, 2]);

    home.set_at(PATH, lists(&[livekit.origin(1)])).await;
    layer.handle().refresh(home.origin()).await.unwrap();
    assert_eq!(outcome().await, (200, "region-1".to_owned()));
    assert_eq!(asked(&livekit), [5, 0, 2]);
    assert_eq!(untrusted.contacts(), 0);
}

#[tokio::test]
async fn a_region_that_a_later_list_no_longer_may_name_is_not_asked_for_the_list() {
    let livekit = LiveKit::start_on(HOME, 1).await;
    let stranger = Server::http1("stranger").await;
    let home = livekit.region(0);
    home.set_at(PATH, lists(&[stranger.origin()])).await;
    let layer = layer();
    let client = client(&layer);
    let warm_up = client.warm_up::<Full<Bytes>, _>(home.origin()).await;
    assert!(warm_up.is_err());
    home.set_at(PATH, Fault::Status(503)).await;
    let refreshed = layer.handle().refresh(home.origin()).await;
    assert!(refreshed.is_err());
    assert_eq!(asked(&livekit), [2]);
    assert_eq!(stranger.connections(), 0);
}

#[tokio::test]
async fn an_allowed_address_is_let_in_and_no_other() {
    let untrusted = Untrusted::start();
    let livekit = LiveKit::start_on(HOME, 1).await;
    let partner = Server::http1("partner").await;
    let partners = origins(&untrusted);
    let mut list: Vec<_> = partners
        .into_iter()
        .filter(|o| !o.contains("//127.0.0.1:"))
        .collect();
    list.push(partner.origin());
    livekit.region(0).set_at(PATH, lists(&list)).await;
    let client = client(&layer_with(|d| d.allow(["127.0.0.1"])));
    let call = call(&livekit.origin(0), FAILS_AT_HOME);
    let (status, region) = answer(&client, call).await;
    assert_eq!((status, region.as_str()), (200, "partner"));
    assert_eq!((livekit.region(0).hits(), partner.hits()), (2, 1));
    assert_eq!(untrusted.contacts(), 0);
}

#[tokio::test]
async fn a_stranger_is_let_in_where_any_is_allowed_and_not_by_default() {
    for (any, expected) in [(true, (200, "stranger")), (false, (503, "region-0"))] {
        let livekit = LiveKit::start_on(HOME, 1).await;
        let stranger = Server::http1("stranger").await;
        let list = lists(&[stranger.origin()]);
        livekit.region(0).set_at(PATH, list).await;
        let layer = layer_with(|d| if any { d.allow_any() } else { d });
        let call = call(&livekit.origin(0), FAILS_AT_HOME);
        let (status, region) = answer(&client(&layer), call).await;
        assert_eq!((status, region.as_str()), expected);
        assert_eq!(stranger.hits(), usize::from(any));
        assert_eq!(asked(&livekit), [1]);
    }
}

#[tokio::test]
async fn a_pushed_list_is_checked() {
    let untrusted = Untrusted::start();
    let livekit = LiveKit::start_on(HOME, 2).await;
    let layer = layer().health(Health::off());
    let client = client(&layer);
    let push = |origins: &[String]| {
        let list = RegionList::new(regions(origins));
        layer.handle().set_regions(livekit.origin(0), list)
    };
    let outcome = || answer(&client, call(&livekit.origin(0), FAILS_AT_HOME));
    let mut list = origins(&untrusted);
    push(&[]).unwrap();
    push(&list).unwrap_err();
    assert_eq!(outcome().await, (503, "region-0".to_owned()));
    list.push(livekit.origin(1));
    push(&list).unwrap();
    assert_eq!(outcome().await, (200, "region-1".to_owned()));
    assert_eq!(saved(&layer.handle().snapshot()), 1);
    assert_eq!(asked(&livekit), [0, 0]);
    assert_eq!(untrusted.contacts(), 0);
}

#[tokio::test]
async fn what_a_service_answers_is_checked() {
    let untrusted = Untrusted::start();
    let livekit = LiveKit::start_on(HOME, 2).await;
    let mut list = origins(&untrusted);
    list.push(livekit.origin(1));
    let list = RegionList::new(regions(&list));
    let source = service_fn(move |_| ready(Ok::<_, BoxError>(list.clone())));
    let regions = Regions::discover(Discovery::service(source));
    let layer = FailoverLayer::new(regions).backoff(no_wait());
    let client = client(&layer);
    for fails in [r#"{"failRegions":[0]}"#, r#"{"failRegions":[0,1]}"#] {
        let (_, region) = answer(&client, call(&livekit.origin(0), fails)).await;
        assert_eq!(region, "region-1", "{fails}");
    }
    assert_eq!(saved(&layer.handle().snapshot()), 1);
    assert_eq!(asked(&livekit), [0, 0]);
    assert_eq!(untrusted.contacts(), 0);
}

#[tokio::test]
async fn a_snapshot_is_checked() {
    let untrusted = Untrusted::start();
    let livekit = LiveKit::start_on(HOME, 2).await;
    for region in livekit.regions() {
        region.set_at(PATH, Fault::Status(500)).await;
    }
    let mut list = origins(&untrusted);
    list.push(livekit.origin(1));
    let list = RegionList::new(regions(&list));

    let trusting = layer_with(Discovery::allow_any).handle();
    trusting.set_regions(livekit.origin(0), list).unwrap();
    let snapshot = serde_json::to_string(&trusting.snapshot()).unwrap();
    let snapshot: Snapshot = serde_json::from_str(&snapshot).unwrap();
    assert!(
        saved(&snapshot) > 8,
        "origins written differently count once"
    );

    let layer = layer();
    layer.handle().restore_snapshot(&snapshot);
    let call = call(&livekit.origin(0), FAILS_AT_HOME);
    let (status, region) = answer(&client(&layer), call).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
    assert_eq!(saved(&layer.handle().snapshot()), 1);
    assert_eq!(asked(&livekit), [1, 1]);
    assert_eq!(untrusted.contacts(), 0);
}

#[tokio::test]
async fn a_redirect_of_discovery_is_not_followed() {
    for status in [300, 301, 302, 303, 307, 308] {
        for to_trusted in [true, false] {
            let untrusted = Untrusted::start();
            let livekit = LiveKit::start_on(HOME, 2).await;
            let target = match to_trusted {
                true => livekit.origin(1),
                false => format!("http://127.0.0.1:{}", untrusted.port()),
            };
            let location = vec![("location", format!("{target}{PATH}"))];
            let home = livekit.region(0);
            home.set_at(PATH, Fault::StatusWith(status, location)).await;
            let layer = layer();
            let call = call(&livekit.origin(0), FAILS_AT_HOME);
            let (answered, region) = answer(&client(&layer), call).await;
            assert_eq!((answered, region.as_str()), (503, "region-0"));
            let error = layer.handle().refresh(home.origin()).await.unwrap_err();
            let origin = home.origin();
            assert_eq!(
                error.to_string(),
                format!(
                    "no list of the regions of {origin}: \
                     {origin} ({status}, redirects are not followed)"
                )
            );
            assert_eq!(asked(&livekit), [2, 0]);
            assert_eq!(livekit.region(1).connections(), 0);
            assert_eq!(untrusted.contacts(), 0);
        }
    }
}

#[tokio::test]
async fn who_redirects_is_passed_over_for_a_seed() {
    let livekit = LiveKit::start_on(HOME, 3).await;
    let location = vec![("location", format!("{}{PATH}", livekit.origin(1)))];
    let redirect = Fault::StatusWith(307, location);
    livekit.region(0).set_at(PATH, redirect).await;
    let seed = livekit.origin(2);
    let client = client(&layer_with(|d| d.seeds([seed]).unwrap()));
    let call = call(&livekit.origin(0), FAILS_AT_HOME);
    let (status, region) = answer(&client, call).await;
    assert_eq!((status, region.as_str()), (200, "region-1"));
    assert_eq!(asked(&livekit), [1, 0, 1]);
}

#[tokio::test]
async fn refused_entries_are_logged_once_for_each_list_with_their_number() {
    let untrusted = Untrusted::start();
    let livekit = LiveKit::start_on(HOME, 2).await;
    let (home, layer) = (livekit.region(0), layer());
    let events = Events::capture();
    let refused = || {
        let mut lines = events.take();
        lines.retain(|line| line.message == "region refused");
        lines
    };

    home.set_at(PATH, lists(&[livekit.origin(1)])).await;
    let warm_up = client(&layer).warm_up::<Full<Bytes>, _>(home.origin());
    warm_up.await.unwrap();
    assert_eq!(refused().len(), 0);

    let bad: Vec<_> = ["127.0.0.1", "localhost", "user@127.0.0.2", "[::1]"]
        .map(|host| format!("http://{host}:{}", untrusted.port()))
        .into();
    let mut list = bad.clone();
    list.insert(1, livekit.origin(1));
    home.set_at(PATH, lists(&list)).await;
    for _ in 0..2 {
        layer.handle().refresh(home.origin()).await.unwrap();
        let lines = refused();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0].level, Level::WARN);
        assert_eq!(lines[0].field("refused"), "4");
        assert_eq!(lines[0].field("home"), home.origin());
        assert!(!lines[0].field("reason").is_empty());
    }

    let origins: Vec<_> = bad.into_iter().filter(|url| !url.contains('@')).collect();
    let list = RegionList::new(regions(&origins));
    layer.handle().set_regions(home.origin(), list).unwrap_err();
    let lines = refused();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0].field("refused"), "3");
    assert_eq!(untrusted.contacts(), 0);
}

/// Resolves home's name to home, and all other names to somebody else.
#[derive(Clone)]
struct Names {
    home: String,
    there: SocketAddr,
    elsewhere: SocketAddr,
    /// What was asked for besides home.
    others: Arc<Mutex<Vec<String>>>,
}

impl Service<Name> for Names {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let address = if name.as_str() == self.home {
            self.there
        } else {
            self.others.lock().unwrap().push(name.to_string());
            self.elsewhere
        };
        ready(Ok(vec![address].into_iter()))
    }
}

/// Whether a failing call to `home` goes on to what home lists, by names that a resolver of the test
/// knows and without TLS. If not, nobody even asks where that is.
async fn trusts(home: &str, listed: &str, set: impl FnOnce(Discovery) -> Discovery) -> bool {
    let (there, elsewhere) = (Server::http1("home").await, Server::http1("other").await);
    there.set(Fault::Status(503)).await;
    there.set_at(PATH, lists(&[listed])).await;
    let (_, name) = home.split_once("://").expect("a scheme");
    let names = Names {
        home: name.to_owned(),
        there: there.authority().parse().unwrap(),
        elsewhere: elsewhere.authority().parse().unwrap(),
        others: Arc::default(),
    };
    let mut connector = HttpConnector::new_with_resolver(names.clone());
    connector.enforce_http(false);
    let client: Client<_, ReplayBody<Full<Bytes>>> =
        Client::builder(TokioExecutor::new()).build(connector);
    let call = layer_with(set).layer(client).oneshot(get(home));
    let call = tokio::time::timeout(PATIENCE, call).await;
    let response = call.expect("an answer in time").expect("an answer");
    assert_eq!((there.hits(), there.hits_at(PATH)), (2, 1), "{listed}");
    if response.status() == 200 {
        assert_eq!(response.headers()["x-region"], "other", "{listed}");
        assert_eq!(elsewhere.hits(), 1, "{listed}");
        return true;
    }
    assert_eq!(response.headers()["x-region"], "home", "{listed}");
    let others = names.others.lock().unwrap();
    assert!(others.is_empty(), "{listed}: {others:?}");
    assert_eq!(elsewhere.connections(), 0, "{listed}");
    false
}

#[tokio::test]
async fn names_of_homes_registrable_domain_are_trusted() {
    for (home, listed) in [
        ("http://api.example.com", "http://eu.api.example.com"),
        ("http://api.example.com", "http://EU.Example.COM"),
        ("http://api.example.com", "http://eu.example.com."),
        ("http://api.example.com", "http://example.com"),
        ("http://api.example.com", "ws://eu.api.example.com"),
        ("http://example.co.uk", "http://eu.example.co.uk"),
        ("http://me.github.io", "http://eu.me.github.io"),
    ] {
        assert!(trusts(home, listed, |d| d).await, "{home} {listed}");
    }
}

#[tokio::test]
async fn names_of_another_domain_are_not_trusted() {
    for (home, listed) in [
        ("http://api.example.com", "http://evilexample.com"),
        ("http://api.example.com", "http://evil.com"),
        ("http://api.example.com", "http://api.example.com.evil.net"),
        ("http://api.example.com", "http://api.example.com@evil.net"),
        (
            "http://api.example.com",
            "http://api.example.com:80@evil.net",
        ),
        ("http://api.example.com", "http://evil.net/.example.com"),
        ("http://api.example.com", "http://evil.net#.example.com"),
        ("http://api.example.com", "http://evil.net?.example.com"),
        ("http://api.example.com", "http://evil.net\\.example.com"),
        ("http://api.example.com", "http://api.example.org"),
        ("http://api.example.com", "http://com"),
        ("http://api.example.com", "http://example"),
        ("http://api.example.com", "http://exаmple.com"),
        ("http://api.example.com", "http://localhost"),
        ("http://example.co.uk", "http://other.co.uk"),
        ("http://me.github.io", "http://you.github.io"),
        ("http://me.github.io", "http://github.io"),
    ] {
        assert!(!trusts(home, listed, |d| d).await, "{home} {listed}");
    }
}

#[tokio::test]
async fn encryption_is_taken_up_and_never_given_up() {
    for (home, listed, expected) in [
        ("http://api.example.com", "https://eu.example.com", true),
        ("http://api.example.com", "wss://eu.example.com", true),
        ("https://api.example.com", "https://eu.example.com", true),
        ("https://api.example.com", "wss://eu.example.com", true),
        ("https://api.example.com", "http://eu.example.com", false),
        ("https://api.example.com", "ws://eu.example.com", false),
        ("https://api.example.com", "HTTP://eu.example.com", false),
        ("https://api.example.com", "http://api.example.com", false),
    ] {
        let allowed = |d: Discovery| d.allow(["*.example.com"]);
        assert_eq!(trusts(home, listed, |d| d).await, expected, "{listed}");
        assert_eq!(trusts(home, listed, allowed).await, expected, "{listed}");
    }
    let (home, listed) = ("https://api.example.com", "http://eu.example.com");
    assert!(trusts(home, listed, Discovery::allow_any).await);
}

#[tokio::test]
async fn a_pattern_lets_in_whole_labels_below_it() {
    for (pattern, listed, expected) in [
        ("*.partner.net", "https://eu.partner.net", true),
        ("*.partner.net", "https://a.eu.Partner.net", true),
        ("*.PARTNER.net", "https://eu.partner.net", true),
        ("*.partner.net", "https://partner.net", false),
        ("*.partner.net", "https://evilpartner.net", false),
        ("*.partner.net", "https://eu.partner.net.evil.org", false),
        ("*.partner.net", "https://.partner.net", false),
        ("partner.net", "https://partner.net", true),
        ("partner.net", "https://eu.partner.net", false),
        ("partner.net", "https://evilpartner.net", false),
    ] {
        let allow = |d: Discovery| d.allow([pattern]).validate().unwrap();
        let trusted = trusts("https://api.example.com", listed, allow).await;
        assert_eq!(trusted, expected, "{pattern} {listed}");
    }
}

#[tokio::test]
async fn a_pattern_that_is_a_public_suffix_is_refused_and_lets_nobody_in() {
    for pattern in ["*.com", "com", "*.COM", "*.co.uk", "*.github.io", "*.ck"] {
        let invalid = Discovery::http(PATH).allow([pattern]).validate();
        let text = invalid.unwrap_err().to_string();
        assert_eq!(text, "host pattern 1: a public suffix", "{pattern}");
    }
    let home = "https://api.example.org";
    for (pattern, listed) in [
        ("*.com", "https://evil.com"),
        ("com", "https://com"),
        ("*.co.uk", "https://evil.co.uk"),
        ("*.github.io", "https://evil.github.io"),
    ] {
        let refused = |d: Discovery| d.allow([pattern]);
        assert!(!trusts(home, listed, refused).await, "{pattern}");
    }
    let beside = |d: Discovery| d.allow(["*.com", "*.partner.net"]);
    assert!(trusts(home, "https://eu.partner.net", beside).await);
}
